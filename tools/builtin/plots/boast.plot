name: boast
traits: proud boastful vain loud
about: someone who boasts too much
about: being humble
about: a proud {h.kind}
lesson: it is better to be kind than to be the best
lesson: those who boast the loudest may fall the hardest
lesson: everyone is good at something
lesson: nobody is too big to need help
feel: glad calm happy
ask: What did {h} boast about? | {H} boasted that {h.he} was the best at {skill}.
ask: What happened to {h}? | {fall}.
ask: Who helped {h}? | {F} helped {h}.
table talent: skill | boast | fall | save | small
  jumping | Nobody can jump as far as I can | {H} tried to jump over the stream, landed in the middle of it, and got stuck in the mud | dug away the mud, little by little, until {h} was free | digging
  running | Nobody can run as fast as I can | {H} ran so fast that {h.he} did not see the hole, and {h.he} fell in up to {h.his} ears | let down a rope that {f.he} had knotted, and pulled {h} out | tying knots
  climbing | Nobody can climb as high as I can | {H} climbed to the thinnest branch, and then {h.he} did not dare to come down | called up to {h}, step by step, where to put {h.his} feet | giving calm advice
  singing | Nobody can sing as well as I can | {H} sang so loud and so long that {h.he} lost {h.his} voice and could only croak | made {h} a tea of honey and herbs, and the voice came back | making tea
  finding {fruit} | Nobody can find as many {fruit} as I can | {H} went so deep into the bushes that {h.he} was caught in the thorns and could not move | bent the thorns back, one by one, and never hurt {h} once | working slowly and gently
  swimming | Nobody can swim as well as I can | {H} swam out too far, grew tired, and had to hold on to a rock | pushed a log out to {h}, so that {h.he} could float back | thinking quickly
---
- {H} was very good at {skill}, and {h.he} told everyone about it. "{boast}!" {h.he} said from morning to night.
- There was one thing {h.he} was really good at. It was {skill}. But oh, how {h.he} boasted! "{boast}!" {h.he} told everyone {place.at}.

- {H} liked to laugh at {f.intro}, who was [slow and quiet|small and careful]. "[What are you good at|Can you do anything at all]?" asked {h}. {F} only [shrugged|smiled].
- One day {h.he} met {f.intro}. "[Poor you|What a pity]," said {h}. "You are not good at {skill} at all." "[That is true|No, I am not]," said {f} quietly.

-? "[Be careful|Pride comes before a fall], {h.voc}," said {p}. But {h} [did not listen|only laughed].
-? {W} shook {w.his} head. "[An empty pot makes the most noise|The loudest bird is not always the best one]," said {w}.

==
- {oneday}, {h} called everyone together {spot1.at}. "[Watch me|Look at me]!" {h.he} shouted. "[I will show you something|You will be amazed]!"
- {oneday}, all the neighbors were sitting {spot1.at}. "[Now look|Watch this], all of you!" cried {h}.

- But it did not go as {h.he} had planned. {fall}.
- {H} [bowed|put {h.his} nose in the air]. And then it happened. {fall}.

- Some of the others laughed. {H}'s cheeks burned. "[Can somebody help me|Will nobody help me]?" {h.he} asked in a small voice.
- For once {h} had nothing to boast about. {H.he} felt very small.

- Everyone looked at each other, and nobody knew what to do. Then {f} came forward. {F.he} {save}.
- Who came to help? It was {f}. {F.he} did not laugh. {F.he} {save}.

==
- "I laughed at you, and you helped me," said {h}. "I am ashamed. You are very good at {small}." {F} smiled. "[And you are very good at {skill}|Everyone has something]," {f.he} said.
- "You are so good at {small}," said {h}. "[I never noticed|I never asked]. I am sorry that I laughed at you." "[That is all right|I forgive you]," said {f}.

- From then on {h} did not boast any more. [When somebody praised {h.him}, {h.he} only said thank you.|{H.he} asked the others what they could do, and {h.he} learned a great deal.]
- After that, {h} asked {f}, "Will you show me how you do it?" {F} did, and in return {h} helped {f} with {skill}.

-? The funny thing was that everyone liked {h.him} much better now.
-? {H} was {feel}. It was nice not to be the best all the time.

+ moral
