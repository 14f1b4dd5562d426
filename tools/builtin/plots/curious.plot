name: curious
duo: yes
traits: curious nosy eager lively restless playful
about: curiosity
about: a curious {h.kind}
about: listening to good advice
with: {door}
lesson: it is good to be curious and careful at the same time
lesson: a warning is a kind of gift
lesson: it is wise to ask first and look after
lesson: good advice keeps you out of trouble
feel: glad safe happy
ask: What was {h} told not to do? | {H} was told not to {forbid}.
ask: What happened to {h}? | {trap}.
ask: Who rescued {h}? | {F} rescued {h}.
table trap: door | forbid | tempt | trap | rescue | later
  an old well | climb into the old well | What is down there? Maybe a treasure | {H} climbed down, but the rope broke, and {h.he} sat at the bottom in the mud | tied {f.his} scarf to a long branch and pulled {h} up | {P} showed {h.him} how to send a lantern down on a string, and they saw three green frogs
  a locked chest | open the locked chest | What can be inside? Maybe gold | {H} climbed in, the lid fell shut, and {h.he} could not get out | heard {h} knock and lifted the heavy lid | {P} opened it with {h.him} and showed {h.him} the old costumes inside
  a beehive | touch the beehive | It smells so sweet. Only one little drop of honey | {H} put {h.his} hand in, and a hundred angry bees came out | opened a big umbrella and ran with {h} to the stream | {W} taught {h.him} how to move slowly, and the bees let them take a little honey
  a jar of blue powder | open the jar of blue powder | What does it do? I will take only a pinch | {H} sneezed, the powder flew up, and {h.he} was blue from head to toe | scrubbed {h} with soap for an hour | {P} showed {h.him} how to mix the powder with water, and together they painted the front door
  a hole in the wall | crawl through the hole in the wall | What is on the other side? I will be quick | {H} got stuck in the middle and could not move forward or back | rubbed {h} with butter and pulled until {h.he} popped out like a cork | {W} opened the gate and showed {h.him} the garden on the other side
  a tall tower | climb the crumbling tower | What can you see from up there? Maybe the sea | The steps broke behind {h.him}, and {h.he} could not come down | brought a long ladder and held it tight | {P} took {h.him} to a safe hill, and from there {h.he} really saw the sea
---
- "{H.voc}," {p} said every day, "you may go anywhere, but do not {forbid}. It is [not safe|dangerous]."
- Not far from {h}'s home there was {door}. "[Please|Remember], do not {forbid}," {p} always told {h.him}.

- {H} wanted to know everything. "[Why not|But why]?" {h.he} asked. "[Because I love you|Because you could get hurt]," said {p}.
- {H} nodded, but {h.he} could not stop thinking about it.

==
- {oneday}, {p} was not there. {H} went closer and closer. "{tempt}," {h.he} [thought|whispered].
- {oneday}, {h} was bored. {H.his} feet took {h.him} there all by themselves. "{tempt}," {h.he} thought.

-? "Do not do it," said {f}, who came by just then. "{P} said no." "[Nothing will happen|Just one look]," said {h}.
-? A [crow|jay] in a tree cried, "No, no, no!" But {h} did not listen.

- {H} looked to the left. {H.he} looked to the right. Then {h.he} did it. {trap}!
- And what do you think happened? {trap}!
- {H.he} did not wait any longer. {trap}!

- "[Help|Oh, help]!" {h.he} cried. "[Somebody help me|I should have listened]!"
- {H} called and called. [For a long time nobody came.|{H.his} voice shook.] "I should have listened," {h.he} thought.

+ worry

==
- {F} heard the cries and came running. "[Hold on|Do not be afraid], {h.voc}!" {f.he} called. {F.he} {rescue}.
- Luckily {f} was near. {F.he} did not laugh, and {f.he} did not scold. {F.he} {rescue}.

- "[Thank you|You saved me], {f}," said {h}. "[I was so foolish|I will never do that again]."

- That evening {h} told {p} everything.
- When {h} came home, {h.he} told {p} what had happened.

- "[I am sorry|I did not listen to you], {p}," said {h}. "[I wanted to know what it was|I was too curious]." {P} [hugged {h.him}|stroked {h.his} head]. "[Being curious is good|It is good to want to know things]," said {p}, "but ask me first, and we will look together."
- "Are you angry?" asked {h}. "[I was afraid for you|I am only glad that you are safe]," said {p}. "[Next time, ask me|Next time we will look together]."

- And so they did. {later}.
- The next day {p} kept {p.his} word. {later}.

-? {H} was {feel}, and {h.he} asked [a hundred|twenty] more questions.
-? "[You see|That was much better]," said {p}. {H} had to laugh.

+ moral
