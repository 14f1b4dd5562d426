name: lost
duo: yes
traits: dreamy careless cheerful playful curious busy forgetful
about: losing something and finding it again
about: something lost and found
with: a lost {thing.noun}
with: a missing {thing}
lesson: friends can find what one pair of eyes cannot
lesson: it is good to put your things away
lesson: it helps to stay calm and think back
lesson: asking for help is a clever thing to do
feel: happy glad thankful
ask: What did {h} lose? | {H} lost {h.his} {thing}.
ask: Where was the {thing.noun}? | The {thing.noun} was {found}.
ask: Who helped {h}? | {F} helped {h} to look for the {thing.noun}.
ask: Who helped to find the {thing.noun}? | {F} did.
table giver: giver
  [{p} had made it for {h.him}|{p} had given it to {h.him}]
  It had been a birthday present from {p}
  {H.he} had found it on a walk with {p}
table hiding: found | clue | clueverb | how
  in a magpie's nest | a black and white feather | lay on the ground | A magpie had carried it up there because it loved pretty things
  under {h.his} own bed | a line of dust | led across the floor | It had rolled there in the night
  at the bottom of the well bucket | a trail of wet drops | shone on the stones | It had dropped in when {h} stopped to drink
  in the haystack | a few bits of yellow hay | lay on the path | It had slipped down when {h} took a nap there
  in a hole under the hedge | some tiny footprints | ran along the mud | A baby mole had borrowed it to make a bed
  high in the branches of the pear tree | a broken twig | lay in the grass | The wind had blown it up there
  behind the flour sack in the kitchen | a spot of white flour | was on the doorstep | It had fallen there while {h} helped {p} to bake
  under a pile of leaves | a bare patch in the leaves | showed near the wall | The wind had covered it up
---
- {H}'s favorite thing in the world was a {thing}. {Giver}.
- {H} had a {thing}. {Giver}, and {h.he} took it everywhere.
- More than anything, {h} loved {h.his} {thing}. {Giver}.

==
- {oneday}, {h} [looked for|wanted to play with|reached for] {h.his} {thing}, but it was [gone|not there|nowhere to be seen].
- {oneday}, {h} put {h.his} hand in {h.his} bag. The {thing} was not there!
- {oneday}, {h} came home from {spot1} and saw that {h.his} {thing} was missing.

- "Oh no!" [cried|said] {h}. "[Where is my {thing.noun}?|Where can it be?|I had it yesterday.]"
- "My {thing.noun}! [It is gone|I have lost it]!" [cried|said] {h}.
- {H} [gasped|went pale]. "It was here [yesterday|last night]," {h.he} whispered.

+ worry

- {H.he} looked {spot2.at}. {H.he} looked {spot3.at}. [No {thing.noun} was there.|But there was no {thing.noun}.|There was nothing but [an old boot|a snail|a cold puddle|dry leaves].]
- First {h.he} searched {spot2.at}, and then {spot3.at}, but the {thing.noun} was not there.
- {H.he} turned the house upside down. {H.he} searched {spot2.at} as well, but {h.he} found nothing.

-? "[Have you seen my {thing}|Did a {thing} come this way]?" {h.he} asked {w}. "No, {h.voc}, I am sorry," said {w}.
-? {W} looked up from {w.his} work. "[Lost things like to hide|Lost things turn up]," said {w}. "Think back, {h.voc}. Where did you have it last?"

==
- (human) [Then|Soon] {h.his} friend {f.full} came by. "Why do you look so sad, {h.voc}?" asked {f}. {H} told {f} about the {thing.noun}.
- (!human) [Then|Soon] {h.his} friend {f.full} came by. "Why do you look so sad, {h.voc}?" asked {f}. {H} told {f} about the {thing.noun}.
- {H} ran to {h.his} friend {f.full}. "I have lost my {thing}," said {h}. "Will you help me look?"

- "[Do not worry|Do not cry|Cheer up]," said {f}. "[Two can look better than one|We will look together|We will find it]."
- "I will help you look," said {f}. "[Four eyes see more than two|Let us begin at once]!"
- {F} [took {h} by the hand|nodded]. "Let us think," {f.he} said. "We will go everywhere you went yesterday."

- They walked [slowly|side by side] and looked [carefully|at every stone|left and right]. All at once {f} stopped. {Clue} {clueverb}.
- They looked and looked. Then {f} saw something strange. {Clue} {clueverb}.
- "Look!" said {f}. {Clue} {clueverb}. "[That is a clue!|What is that?]"

- They followed it, and there, {found}, was the {thing}!
- "I have an idea," said {h}, and {h.he} looked {found}. There was the {thing}!
- {H} [thought hard|clapped {h.his} hands]. "I know!" {h.he} cried. The two friends ran to look, and the {thing} was {found}.

- {how}.
- {how}. {H} and {f} laughed [and laughed|until their sides hurt].

==
+ thanks

- {H} [hugged|held] the {thing.noun} tightly. From then on {h.he} [put it on a special shelf every night|kept it safe in a little box|tied it to {h.his} bag with a string].
- To say thank you, {h} let {f} play with the {thing.noun} all afternoon.
- The two friends played with the {thing.noun} until [the sun went down|it was time for supper|the stars came out].

-? {H} was {feel} [again|all the way home|as could be].

+ moral
