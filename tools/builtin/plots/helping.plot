name: helping
traits: kind helpful gentle thoughtful cheerful friendly
about: helping a neighbor
about: helping others
about: kindness
about: being kind
with: an old neighbor
lesson: helping others makes your own heart warm
lesson: a small kindness is never lost
lesson: many hands make light work
lesson: kindness always comes back
feel: happy warm glad
ask: Who needed help? | {W} needed help.
ask: How did {h} help {w}? | {H} helped {w} to {job}.
ask: What did {w} give {h}? | {W} gave {h} {gift}.
table job: state | job | work
  {W.his} back hurt, and there was a great pile of wood to carry in | carry in the wood | Log by log, the pile grew smaller
  {W.his} roof was leaking, and the rain dripped on {w.his} bed | mend the roof | They held the ladder and passed up the straw, and soon there was not one hole left
  All {w.his} apples were ripe, and nobody was there to pick them | pick the apples | They climbed and picked and laughed, and the baskets filled up to the top
  The wind had blown {w.his} fence down, and the sheep were running away | mend the fence | They brought back every sheep and hammered every post into the ground
  {W.he} was ill in bed, and the house was cold and dusty | clean the house | They swept the floor, lit the fire and cooked a pot of soup
  {W.he} had lost {w.his} glasses and could not read {w.his} letters | find the glasses | They looked in every drawer, and at last they saw them on top of the cat
  {W.he} had to bake {number} cakes for the fair, and there was no time | bake the cakes | They stirred and baked all day, and there was flour on every nose
  {W.his} garden was full of weeds, and the beans had no room to grow | weed the garden | They pulled up weed after weed, and the beans could breathe again
table gift: gift
  a warm [red|blue|green] scarf that {w.he} had made
  a little wooden box with a [bird|star|flower] on the lid
  a jar of golden honey
  the first {treat.one} from the oven
  an old book full of stories
  a bag of seeds for {h.his} own garden
---
-? {H.he} [always had a smile for everyone|liked to make others happy|waved to everyone on the path].

- Next door lived {w.intro}, who was [very old|all alone|no longer young].
- At the end of the path lived {w.intro}, who [lived all alone|was getting old].

==
- {oneday}, {h} saw {w} in front of the house. {W} looked [sad|tired|worried]. {state}.
- {oneday}, {h} noticed that something was wrong at {w}'s house. {state}.
- {oneday}, when {h} was on the way to play with {f}, {h.he} heard a sigh. It was {w}. {state}.

-? {H} had wanted to {love3} that day. {H.he} thought about it. Then {h.he} turned around.
-? "[Come and play|Let us go to {spot1}]!" called {f}. "[Not now|In a little while]," said {h}. "Somebody needs me."

- "May I help you, {w}?" [said|asked] {h}. "[You are very kind|That would be lovely]," said {w}, "but it is [too much for one|a lot of work]."
- "[Do not worry|I can help], {w}," said {h}. "I will help you to {job}."

- {H} began at once. [It was hard work.|The work was slow.|After an hour {h} was tired.] {H.he} saw that {h.he} could not do it alone.
- {H} worked and worked, but there was too much to do for one small {h.kind}.

- So {h.he} ran to {f.intro}, and {f} [fetched {n}|called {n}|brought {n} along]. "Many hands!" said {h}. {work}.
- Then {h} had an idea. {H.he} called {f} and {n}, and they all came running. {work}.

-? {F} made up a funny song about it, and they all sang it while they worked.
-? {N} dropped something on {n.his} own foot and hopped in a circle, and even {w} laughed.

==
- When everything was done, {w} had tears in {w.his} eyes. "Nobody has been so kind to me for years," {w.he} said.
- "[I can hardly believe it|It is all done]!" said {w}, and {w.he} clapped {w.his} hands.

- {W.he} [went inside and came back with something|opened an old chest]. For {h} there was {gift}.
- The next morning, {h} found a present at the door. It was {gift}, and it came from {w}.

- "You did not have to do that," said {h}. "I wanted to," said {w}.
- "Oh, thank you!" said {h}. "[A good deed should be remembered|You have earned it]," said {w}.

- After that, {h} [visited {w} every week|came by every Sunday], and {w} told {h.him} stories of the old days.
- {H} walked home and felt {feel} [all over|from head to toe].

+ moral
