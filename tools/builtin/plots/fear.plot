name: fear
traits: timid nervous shy small careful
about: being brave
about: being afraid of {fear}
about: courage
about: someone who is afraid of {fear}
lesson: being brave means going on when you are afraid
lesson: fears grow small when you look at them
lesson: you are braver than you think
lesson: even brave people feel afraid
feel: proud brave happy
ask: What was {h} afraid of? | {H} was afraid of {fear}.
ask: Why did {h} have to be brave? | {H} had to be brave because {f} needed help.
ask: Who needed help? | {F} needed help.
table fear: fear | sign | call | need | face | deed
  the dark | When the lamp went out at night, {h.he} hid under the blanket | One night there was a tiny cry outside | {F} had lost the way home in the dark and was stuck by the fence | The night was black, and every bush looked like a monster. But when {h} came near, each monster was only a bush | {H.he} followed the sound, took {f} by the hand and led {f.him} home by the light of the stars
  thunder | When the sky rumbled, {h.he} crawled under the bed | One evening a storm came, and somebody called outside | {F} was caught in the rain and did not dare to move | The thunder boomed. {H} counted, one, two, three, and the next boom was farther away | {H.he} ran through the rain, held {f} tight and brought {f.him} inside
  deep water | When the others crossed the stream, {h.he} always stayed behind | One day {h.he} heard a shout from the stream | {F} was standing on a rock, and the water was rising all around | The water was cold and fast. {H} held on to a branch and took one step, and then one more | {H.he} stretched out a long stick and pulled {f} safely to the bank
  high places | When the others climbed trees, {h.he} stayed on the ground | One day {h.he} heard a small voice from the top of a tree | {F} had climbed too high and could not come down | {H} did not look down. {H.he} looked only at the next branch, and the next | {H.he} climbed up to {f} and showed {f.him} where to put {f.his} feet, all the way to the ground
  loud noises | When somebody dropped a pot, {h.he} jumped into the air | One day there was a terrible rattle from the old mill | {F} was stuck inside, behind the great noisy wheel | The wheel banged and clanked. {H} put a bit of moss in {h.his} ears and went on | {H.he} pulled the big lever, the wheel stopped, and {f} crawled out
  caves | When the path went past the cave, {h.he} walked the long way around | One day {h.he} heard crying from inside the cave | {F} had gone in to look for a lost ball and could not find the way out | It was cool and gray in the cave. {H} sang a little song, and the cave sang it back | {H.he} tied a string to a stone, followed the crying and led {f} out along the string
  strangers | When somebody new came by, {h.he} hid behind {p} | One day there was a knock, and nobody else was home | {F} stood outside with a hurt foot and needed help | {H.his} hand shook on the door, but the face outside was only tired and sad | {H.he} opened the door, washed the foot and tied a clean cloth around it
  speaking in front of others | When the teacher asked {h.him} something, {h.he} could only whisper | One day, in front of everyone, somebody shouted at {f} | {F} was being blamed for a broken window, and only {h} knew that the wind had done it | All eyes turned to {h}. {H.his} knees shook, but {h.he} stood up | In a clear voice {h} told everyone the truth, and they all said sorry to {f}
---
- But {h} had a secret. {H.he} was afraid of {fear}. {sign}.
- There was only one thing wrong. {H} was very much afraid of {fear}. {sign}.
- {H} was afraid of {fear}. {sign}.

-? "[There is nothing to fear|Being afraid is nothing bad]," {p} often said, but {h} was afraid all the same.
-? The others sometimes [laughed at {h.him}|called {h.him} a baby], and that made it worse.
-? "I wish I were brave," {h.he} told {p}. "[You will be, when you need to be|Brave comes when you need it]," said {p}.

==
- {call}. {H} [listened|held {h.his} breath]. {need}.
- {call}. {need}.

- "[Help!|Please help me!|Is anybody there?]" [called|cried] {f}.
- "[I am scared|I cannot do this alone]!" {f} called in a [thin|small] voice.

+ worry

- "[I cannot|I am too afraid]," thought {h}. But then {h.he} thought of {f}, who was even more afraid.
- {H} looked around for somebody bigger, but there was nobody. There was only {h}.
- {H} wanted to run away. But {f} was {h.his} friend, and {f} needed {h.him}.

-? {H} remembered what {p} had told {h.him}: "[Take one small step, and then another|Breathe in, breathe out, and go]."
-? "One step," {h.he} told {h.self}. "Just one little step."

==
- {face}. {deed}.
- So {h} went. {face}. {deed}.

- "[Thank you|You helped me]!" said {f}. "[You are so brave|How brave you are]!" "I was afraid the whole time," said {h}.
- {F} hugged {h.him}. "[You saved me|Thank you]," {f.he} said. "Were you not afraid?" "[Yes, I was|Very much]," said {h}, "[but you needed me|but I came anyway]."

- {H} [thought about it for a while|smiled]. {H.he} was not so afraid of {fear} any more.
- After that, {fear} did not seem so bad to {h}.

-? When {p} heard the story, {p.he} [hugged {h.him} for a long time|made {h.him} a paper medal]. {H} felt {feel}.
-? From then on, when somebody else was afraid, {h} took them by the hand and said, "Just one little step."

+ moral
