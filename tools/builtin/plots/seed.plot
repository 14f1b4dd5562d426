name: seed
duo: yes
season: spring
traits: impatient patient small hopeful gentle curious
about: a little seed
about: patience
about: a garden
about: planting a seed
with: a tiny seed
lesson: good things take time
lesson: patience makes small things grow
lesson: you cannot hurry a seed
lesson: love and patience help everything to grow
feel: proud happy glad
ask: What did {h} plant? | {H} planted a seed.
ask: What grew from the seed? | {Grew} grew from the seed.
ask: Who gave {h} the seed? | {W} gave {h} the seed.
table plant: grew | share
  a sunflower as tall as a house | {H} shook out the seeds and gave one to every neighbor
  a great round pumpkin | {P} made soup from the pumpkin, and there was enough for everyone
  a small apple tree | {H} gave the first apple to {w}
  a rose bush with {color} roses | {H} cut the first rose and gave it to {w}
  a bean plant that climbed up to the roof | There were so many beans that all the neighbors came to eat
  a strawberry plant with sweet red berries | {H} shared the berries with {f} and {w}
  a patch of {color} tulips | Everyone who came by stopped and smiled
table silly: silly | silly2
  sang to it until {h.his} voice was gone | the seed did not seem to listen
  gave it {number} cups of water in one day | the earth turned into a puddle
  held a lamp over it all night | {h.he} only fell asleep in the dirt
  dug it up to see if it had grown | it looked just the same as before
  read it a long story | only a worm came out to hear it
  told it to hurry up | the seed did not hurry at all
---
- {oneday}, {w.intro} gave {h} a tiny brown seed. "[Plant it|Put it in the earth] and take good care of it," said {w}. "Then you will see something wonderful."
- {oneday}, {h} was helping {w.intro} in the garden. "[This is for you|You have earned this]," said {w}, and {w.he} put a tiny seed in {h}'s hand.

- "What will it be?" asked {h}. "[Wait and see|That is a surprise]," said {w}.
- "[Is that all?|It is so small!]" said {h}. "[Big things begin small|Wait and see]," said {w}.

- {H} [ran home|found a sunny place {spot1.at}], dug a small hole and put the seed inside. {H.he} covered it with earth and gave it some water.
- {H} made a little bed of soft earth {spot1.at}. {H.he} laid the seed in it and tucked it in as if it were a baby.

==
- The next morning, {h} ran out to look. There was [nothing|only brown earth]. The day after that, there was still nothing.
- {H} sat down and waited. {H.he} waited all day. Nothing happened.

- "[Why does it not grow?|It is too slow!]" said {h}. {H.he} {silly}, but {silly2}.
- {H} could not wait. {H.he} {silly}, but {silly2}.

-? {F} came by and looked. "[There is nothing there|It is only dirt]," said {f}. "[Come and play|It will never grow]." "[Not yet|I am waiting]," said {h}.
-? "[Maybe it is a stone|Maybe it does not like me]," {h} told {p}. "[Maybe it is only sleeping|Give it time]," said {p}.

- {H} went to {w}. "[My seed is broken|My seed does not grow]," {h.he} said. {W} [laughed softly|smiled]. "It is growing right now," said {w}. "First it grows down, where you cannot see it. [Give it water, sun and time|You must wait a little longer]."
- "[How long must I wait|Is my seed asleep]?" {h} asked {w}. "A seed has its own clock," said {w}. "[Give it a little water every day, and let it be|You water, the sun shines, and the seed does the rest]."

- So {h} gave it a little water every [morning|evening] and then went off to {love6}.
- So {h} waited. It rained, and the sun shone, and {h.he} watered the seed every day, just a little.

-? Once a [snail|fat crow] came too close, and {h} carried it gently to the other side of the garden. 
-? One night it was cold, and {h} covered the earth with {h.his} own scarf.

==
- Then, one morning, there was a tiny green tip. "[It is here|Look, look]!" shouted {h}, and {h.he} danced around it.
- And one day {h} saw something small and green. A leaf! {H.he} ran to fetch {p} and {f} and {w}.

- It grew and grew. By the end of the summer it had become {grew}.
- Every day it was a little bigger. And what was it, in the end? It was {grew}!

- {share}.

- "Well done," said {w}. "[You did not give up|You cared for it every day]." {H} was very {feel}.
- "I thought it was only dirt," said {f}. "[Will you give me a seed, too|Can you show me how to grow one]?" "[Yes|Of course]," said {h}, "but you will have to wait."

+ moral
