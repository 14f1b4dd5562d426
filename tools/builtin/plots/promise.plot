name: promise
duo: yes
traits: forgetful careless playful dreamy merry
about: keeping a promise
about: a broken promise
about: someone who forgot a promise
lesson: a promise is a thing to keep
lesson: it is never too late to make things right
lesson: saying sorry is good, and making it right is better
lesson: somebody is counting on you when you make a promise
feel: proud glad happy
ask: What did {h} promise? | {H} promised to {task}.
ask: Why did {h} forget the promise? | {H} forgot because {h.he} was {lure}.
ask: Who went away? | {W} went away for {number} days.
table task: task | me | bad | mend | well
  water {w}'s {flower} | water my {flower} | The {flower} hung their heads, and the earth was dry and cracked | carried water from the stream, one bucket after another, until the sun went down | One by one, the {flower} lifted their heads
  feed {w}'s hens | feed my hens | The hens were thin and cross, and they clucked sadly at the empty bowl | ran to get corn and fresh water, and sat with the hens and stroked their feathers | The hens ate and ate, and they laid three white eggs
  look after {w}'s little garden | look after my little garden | The weeds were tall, and the snails had eaten the lettuce | pulled up every weed and planted a new row of lettuce | Small green leaves came up in neat rows
  keep {w}'s lamp burning | keep my lamp burning | The lamp was cold, and a traveler was lost in the dark | lit the lamp at once and rang a bell until the traveler found the way | The lamp shone so brightly that it could be seen from the hill
  take care of {w}'s kitten | take care of my kitten | The kitten's bowl was empty, and the kitten was hiding under the bed | filled the bowl with milk and sang until the kitten came out | The kitten curled up in {h.his} lap and purred
  shut {w}'s gate every night | shut my gate every night | The gate was open, and the lambs were gone | looked for the lambs all over the hills and brought them back, one by one | Every lamb was safe in the pen, and the gate was shut
table lure: lure
  playing by the river
  building a fort with {f}
  flying kites with {f}
  chasing butterflies
  reading a very good book
  practicing for a race with {f}
---
- {oneday}, {w.intro} had to go away for {number} days. "[Will you|Could you] {me}?" {w.he} asked {h}.
- {oneday}, {w.intro} came to {h}. "I must go on a journey for {number} days," {w.he} said. "Who will {me}?"

- "[Of course|Yes, I will]," said {h}. "[I promise|You can count on me]!"
- {H} [stood up very straight|put {h.his} hand on {h.his} heart]. "I will," {h.he} said. "I promise."

- The first day, {h} did it well. The second day, {h.he} did it too. But on the third day, {h} was {lure}, and {h.he} forgot all about {h.his} promise.
- But [soon|the very next day], {h} was {lure}, and {h.he} forgot everything else. A day went by, and then another.

-? "Is there not something you promised, {h.voc}?" asked {p}. "Later," said {h}, and {h.he} ran off again.
-? Once, {h} had a feeling that {h.he} had forgotten something, but {h.he} did not know what.

==
- Then, one night, {h} sat up in bed. "My promise!" {h.he} cried. {H.he} [ran out at once|put on {h.his} shoes and ran]. {bad}.
- At last {h} remembered. {H.his} heart sank. {H.he} ran as fast as {h.he} could. {bad}.

- "What have I done?" said {h}. [{H.he} began to cry.|{H.he} felt terrible.|A tear fell on {h.his} hand.]
- "Oh no," whispered {h}. "[It is all my fault|I broke my promise]."

-? {H} thought of a lie. {H.he} could say that {h.he} had been ill. But {h.he} shook {h.his} head. "No," {h.he} said. "That would make it worse."
-? "[What shall I do|Can it be made right], {p}?" asked {h}. "[Start now|Begin with what you can do]," said {p}.

- {H} went to work. {H.he} {mend}.
- There was no time to lose. {H} {mend}.

-? {F} saw {h.him} and came to help. "[Two are faster than one|I was playing too]," said {f}.
-? {H.his} arms hurt and {h.his} feet were sore, but {h.he} did not stop.

- {well}.

==
- When {w} came home, {h} told {w.him} the truth. "I forgot my promise," {h.he} said, "[and I am very sorry|but I tried to make it right]."
- {H} waited at the door for {w}. "I have to tell you something," {h.he} said. "I broke my promise. I am sorry."

- {W} looked at {h} for a long time. Then {w.he} smiled. "[Thank you for telling me|It was brave to tell the truth]," {w.he} said. "[You made it right|Everyone forgets something once]."
- "[I see how hard you worked|I am glad you told me]," said {w}. "Will you help me again next time?" "[Yes|I will]," said {h}, "and this time I will not forget."

-? From then on, {h} tied a [red|blue] string around {h.his} finger whenever {h.he} made a promise.
-? And the next time, {h} did not forget for one single day. {H.he} felt {feel}.

+ moral
