name: share
traits: greedy proud selfish hungry stingy
about: sharing
about: learning to share
about: someone who would not share
with: a basket of {fruit}
lesson: things taste better when you share them
lesson: sharing makes a small thing big
lesson: a full heart is better than a full basket
lesson: whoever shares is never alone
feel: happy glad warm
ask: What did {h} find? | {H} found {finding}.
ask: Who asked {h} for food? | {F} asked for some.
ask: What did {h} not want to share? | {H} did not want to share {h.his} {goods}.
table find: goods | goodsone | finding | got
  {fruit.plain} | {fruit.one} | a {place1} full of {fruit} | {H} filled a whole basket
  {treat} | {treat.one} | a big basket of {treat} on the doorstep, with {h.his} name on it | {H} carried it inside and shut the door
  {fruit.plain} | {fruit.one} | a basket of {fruit} that {w} had left as a gift | {H} counted them twice
  {treat} | {treat.one} | a whole tray of {treat} that {p} had baked for {h.him} | {H} put them all in {h.his} bag
table place1: place1
  quiet corner of the garden
  hidden garden behind the hill
  sunny patch beside the path
table trouble: trouble | rescue
  {H} ate so many that {h.his} tummy began to hurt | brought {h.him} a cup of warm tea and sat beside {h.him} until {h.he} felt better
  {H} tried to carry them all at once, slipped on the wet grass and rolled into a ditch | pulled {h.him} out with a long stick
  The basket was so heavy that it broke, and everything rolled down the hill | ran after everything that had rolled away and brought it back
  A sudden gust of rain came, and {h} had no roof for {h.his} heavy basket | held a big umbrella over {h.him}
  {H} hid them in a hole, and then {h.he} could not remember where the hole was | helped {h.him} to dig until it was dark
---
- {H} did not like to share. When somebody asked {h.him} for something, {h.he} always said, "[Mine|No, it is mine]!"
- {H} had one bad habit. {H.he} wanted to keep everything for {h.self}.
- There was one word that {h} loved too much. The word was "mine".

==
- {oneday}, {h} found {finding}. {Got}.
- {oneday}, {h} had [a big surprise|great luck]. {H.he} found {finding}. {Got}.

- "[All for me|What luck|I shall eat them all by myself]!" {h.he} [said|sang|laughed].
- "[I will not tell anyone|Nobody must know]," {h.he} whispered.

- Along came {f.intro}. {F} had [eaten nothing all day|not had any breakfast|walked a long way]. "[May I have one {goodsone}, please|Could I have just one]?" {f.he} asked.
- {F.intro} smelled the {goods} and came closer. "[They look so good|Oh, how lovely]!" said {f}. "May I have just one?"

- "No!" said {h}. "[They are all mine|I found them first|Find your own]." {F} [walked away sadly|hung {f.his} head and went away|said nothing and left].
- {H} put {h.his} arms around the {goods}. "[No|Go away]," {h.he} said. "They are mine." {F} [walked away sadly|turned around with a sigh].

-? Next came {w}. "[Have you one for me|Could you spare one], {h.voc}?" asked {w}. "[Not even half a one|No]!" said {h}.
-? {H} began to eat, but eating all alone was [not much fun|very quiet].

==
- {trouble}. "[Help|Oh no|Ow]!" cried {h}.
- But then things went wrong. {trouble}.
- It was not long before there was trouble. {trouble}. {H} began to cry.

- Who do you think came to help? It was {f}! {F} {rescue}.
- {F} heard {h.him} and came [at once|running]. {F.he} did not say one angry word. {F.he} {rescue}.

- {H} [felt ashamed|felt {h.his} cheeks grow hot]. "[I was so mean to you|I gave you nothing]," {h.he} said. "Why did you help me?"
- "I would not give you even one," said {h} in a small voice. "[Why are you so kind to me|Why did you come]?"

- "[Because you needed me|Because somebody had to|Because helping feels good]," said {f}[ with a smile|].
- {F} [smiled|only shrugged]. "[You would do the same for me one day|That is what neighbors do]," {f.he} said.

==
- {H} looked at the {goods}. Then {h.he} [gave half of them to {f}|put the biggest {goodsone} in {f}'s hand]. "[I am sorry|Please forgive me]," {h.he} said. "These are for you."
- "I am sorry," said {h}. "Please sit down and share these {goods} with me." {F} [was happy to|did].

- They ate together, and every bite tasted twice as good.
- They sat {spot1.at} and ate and talked. {H} had never tasted such good {goods}.

-? The next day, {h} [took some {goods} to {w} as well|invited everyone to a picnic]. {H.he} had never been so {feel}.
-? "Our {goods}," said {h}, and {h.he} liked the sound of the word "our".

+ moral
