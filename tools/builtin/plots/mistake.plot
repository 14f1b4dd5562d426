name: mistake
duo: yes
traits: clumsy lively careless playful quick merry
about: telling the truth
about: a mistake
about: saying sorry
about: honesty
with: a broken {broken}
lesson: the truth makes a heavy heart light
lesson: everyone makes mistakes, and it helps to say sorry
lesson: a mistake can be mended, but a lie grows and grows
lesson: it is brave to tell the truth
feel: happy light glad
ask: What did {h} break? | {H} broke {p}'s {broken}.
ask: Where did {h} hide the {brokennoun}? | {H} hid it {hide}.
ask: How did they mend the {brokennoun}? | They mended it with {mendwith}.
table object: broken | brokennoun | how | mendwith | after
  blue vase | vase | {H} was playing ball in the house, and the ball hit it | glue and thin gold paint | The golden lines shone in the light, and the vase was prettier than before
  painted plate | plate | {H} was dancing with a broom, and the broom knocked it down | glue and a steady hand | They hung it on the wall with a ribbon, and it looked very fine
  old clock | clock | {H} climbed up to see how it worked, and it slipped out of {h.his} hands | a new spring and a drop of oil | It ticked louder than before, and it sang like a bird at noon
  yellow teapot | teapot | {H} was spinning around and around, and {h.his} arm hit it | glue and patience | It could not hold tea any more, so they planted {flower} in it
  garden lantern | lantern | {H} was jumping over the flower beds and fell right on it | colored glass and string | That night it threw red and blue and green light on the walls
  wooden chair | chair | {H} was jumping on it as if it were a horse, and one leg broke | a new leg and {number} nails | {P} painted a tiny horse on the new leg
  glass bowl | bowl | {H} wanted to carry too many things at once, and the bowl fell | glue and colored beads | The bowl glittered in the sun like a little rainbow
table hiding: hide
  under the bed
  behind the curtain
  in the bottom of a chest
  under a pile of hay
  behind the woodpile
---
- {P} had a {broken} that {p.he} loved [very much|dearly]. It had belonged to {p.his} own mother.
- In the house there was a {broken}. {P} was [very proud|very fond] of it.

-? "[Please be careful with it|Please do not run near it], {h.voc}," {p} always said.

==
- {oneday}, {p} went out to [the market|the garden|visit {w}]. {how}. Crash! The {brokennoun} was broken.
- {oneday}, {h} was alone in the house. {how}. [Crash!|Bang!|Oh dear!] There lay the {brokennoun}, broken.

- {H} stood very still. "[Oh no|What have I done]," {h.he} whispered.
- "[Oh no|Oh dear]!" cried {h}, and {h.he} put {h.his} hands over {h.his} mouth.

- {H} was afraid that {p} would be angry. Quickly {h.he} hid the broken {brokennoun} {hide}.
- There was still time. {H} gathered up every piece and hid the {brokennoun} {hide}.

- Soon {p} came home. "[Where is my {brokennoun}|Have you seen my {brokennoun}], {h.voc}?" {p.he} asked. "[I do not know|No]," said {h}. "[Maybe the cat took it|Maybe somebody borrowed it]."
- "How strange," said {p} that evening. "My {brokennoun} is gone." {H} looked at the floor. "[Maybe somebody took it|Maybe it was a thief]," {h.he} said.

==
- That night {h} could not [sleep|eat a bite]. The lie [sat in {h.his} tummy like a stone|felt heavy as a rock].
- After that, nothing was fun any more. {H} did not want to {love5}, and even {treat} tasted like paper.

-? The next day {h.he} told {f} about it. "[Tell the truth|Go and say sorry]," said {f}. "[It will feel better|A lie only grows], and I will wait for you outside."
-? {H} heard {p} [sigh|hum the old song that {p.his} mother used to sing], and {h.he} felt even worse.

- At last {h} could not bear it. {H.he} took the {brokennoun} from its hiding place and went to {p}. "I broke it," {h.he} said, "and I told you a lie. I am so sorry."
- In the morning {h} went to {p} with the pieces in {h.his} hands. "It was me," {h.he} said, and {h.he} began to cry. "I broke it, and I hid it {hide}."

- {P} was quiet for a moment. [{P.he} was sad, but {p.he} was not angry.|Then {p.he} opened {p.his} arms.] "[Thank you for telling me the truth|That was hard to say, and you said it]," {p.he} said.
- "I am sad about the {brokennoun}," said {p}, "but I am glad that you told me. [You matter more than a {brokennoun}|A {brokennoun} can be mended]."

- Together they mended it with {mendwith}. {After}.
- "Come, let us try to mend it," said {p}. They worked all afternoon with {mendwith}. {After}.

-? {H} felt so {feel} that {h.he} [could have flown|sang all evening|hugged {p} again].
-? "I like it even better now," said {p}, and {p.he} winked.

+ moral
