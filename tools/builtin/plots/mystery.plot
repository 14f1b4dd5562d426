name: mystery
duo: yes
traits: curious clever bright thoughtful sharp-eyed
about: a mystery
about: solving a mystery
about: a little detective
with: {riddle}
lesson: things that look spooky often have a simple answer
lesson: it is better to look than to guess
lesson: you should not blame anyone before you know the truth
lesson: a good question is better than a quick answer
feel: pleased proud happy
ask: What was the mystery? | The mystery was {riddle}.
ask: Who was behind it? | It was {culprit}.
ask: Who helped {h} to solve the mystery? | {F} helped {h}.
table case: riddle | event | guess | clue | culprit | why | mend
  the missing {treat} | Every morning, one of {p}'s {treat} was missing from the window | a thief with a big sack | tiny crumbs that led to a hole in the wall | a mother mouse with six hungry babies | "I am so sorry," she squeaked. "My babies had nothing to eat" | From then on, {p} left a small plate of crumbs by the hole every night
  the tapping in the night | Every night there was a tapping at the window | a ghost with long fingers | a row of small marks on the glass | a young bird who pecked at his own picture in the glass | "I thought it was another bird," he said. "I wanted to be friends" | From then on, the bird came to visit by day and was never lonely
  the light on the hill | Every night a small light moved up and down the hill | a wicked wizard | a drop of candle wax on a stone | old {w}, who was looking for something with a lantern | "I lost my wedding ring up here," said {w}, "and I cannot sleep" | Together they searched until {h} saw the ring shine in the grass
  the missing socks | Every washing day, one sock was gone from the line | a monster with cold feet | a thread of wool caught on the hedge | a duck who had made a nest of socks | "My eggs were so cold," she said | So everyone gave her their old socks, and soon five ducklings came out of the eggs
  the strange footprints | Every morning there were big round footprints in the garden | a giant | a puddle of milk at the end of the trail | the neighbor's little goat with buckets on her feet | "My feet were cold in the wet grass," she said | {P} made her four small woolly boots
  the singing well | Every evening a strange song came out of the well | a water witch | a long green ribbon on the rope | a small frog who had fallen in with the bucket | "I sing so that somebody will hear me," he said | They pulled him up, and he sang for them every evening
  the flowers on the doorstep | Every Sunday there was a bunch of {flower} on the doorstep | a fairy | a wheel mark in the soft earth | {n}, who came by on a little cart | "You once gave me half of your lunch," said {n}, "and I wanted to say thank you" | The next Sunday they all picked {flower} together
  the moving bush | Every day a small bush stood in another place | a magic spell | a bit of soft gray wool on a thorn | a shy lamb who was hiding under the leaves | "I wanted to play hide and seek," she said, "but I did not dare to ask" | So they all played hide and seek until supper
---
- Then something strange began to happen {place.at}. {event}. Nobody knew why.
- One week, there was a mystery. {event}.
- {event}. "[How strange|That is odd]," said {p}.

- "[It must be|I am sure it is] {guess}!" [whispered|said] {n}, and everyone [shivered|was afraid].
- Some people said that it was {guess}. Everyone locked their doors.
- "What if it is {guess}?" asked {f} with wide eyes.

-? But {h} did not think so. "[Let us look before we guess|I want to see for myself]," {h.he} said.
-? "[I do not believe that|We shall see]," said {h}, and {h.he} put a pencil and a small notebook in {h.his} pocket.

==
- {oneday}, {h} and {h.his} friend {f.full} began to look for clues. They looked {spot1.at} and {spot2.at}.
- {oneday}, {h} said to {h.his} friend {f.full}, "Let us solve this mystery." They searched {spot1.at}, but they found only [an old shoe|a beetle|a rusty nail|a wet leaf].

- Then {f} [pointed|called out]. "Look at this!" {F.he} had found {clue}.
- Then {h} bent down. "Aha!" {h.he} said. {H.he} had found {clue}.

-? "[What does it mean|Is that a clue]?" asked {f}. "[It means that we are close|It is the best clue of all]," said {h}.
-? {H} wrote it down in {h.his} notebook and thought hard.

- That night the two friends hid behind a [barrel|bush|wall] and waited. The moon came up. [An owl hooted.|Their feet grew cold.|{F} held {h}'s sleeve.]
- They made a plan. They hid [behind a barrel|under a blanket|behind the wall] and kept as quiet as mice.

- Suddenly something moved! {H} lifted {h.his} lantern. It was not {guess}. It was {culprit}!
- At last they heard a small sound. {H} jumped out. There was {culprit}!

==
- {why}.

- "[So that is the answer|Now I understand]," said {h}. "[Do not be afraid|We are not angry]. We will help."
- "[You could have told us|You only had to ask]," said {h} kindly.

- {mend}.

- When the others heard the story, they all laughed, and nobody was afraid any more.
- "[You are a true detective|Well done], {h.voc}!" said {p}. {H} was very {feel}. {F} was, too.

+ moral
