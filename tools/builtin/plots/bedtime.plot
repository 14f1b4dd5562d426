name: bedtime
part: night evening
season: spring summer autumn winter
traits: sleepless wakeful lively restless
about: bedtime
about: someone who cannot sleep
about: falling asleep
lesson: a quiet heart falls asleep by itself
lesson: the best pillow is a good day
lesson: it is easier to sleep when you think of nice things
feel: sleepy cozy warm
ask: Why could {h} not sleep? | {H} could not sleep because {why}.
ask: What did {h} try? | {H} {tryone}.
ask: What helped {h} to sleep? | {P} {helped}, and that helped.
table why: why
  the moon was too bright
  {h.his} head was full of thoughts
  {h.he} was thinking about tomorrow
  the wind was whistling in the chimney
  {h.he} was not tired at all
table try: tryone | failone | trytwo | failtwo
  counted sheep | one of the sheep would not jump, and {h} had to laugh | hung upside down from the bed | all the blood ran to {h.his} head
  drank a cup of warm milk | then {h.his} nose was white, and {h.he} made faces in the mirror | sang {h.self} a lullaby | {h.he} liked the song so much that {h.he} began to dance
  put the pillow at the other end of the bed | now {h.his} feet could not sleep | closed one eye and then the other | each eye wanted to see what the other was doing
  built a tent from the blanket | it was so nice inside that {h.he} wanted to play | tried to think of nothing | nothing turned out to be very hard to think of
  asked {f}, who slept next door, how it was done | {f} was asleep already and only snored | tried to snore like {f} | it tickled in {h.his} nose
  opened the window | a moth flew in and wanted to talk | read a book about sleeping | it was so exciting that {h.he} read it twice
table help: helped | scene
  told {h.him} about all the good things of the day | "Close your eyes," said {p}. "Now tell me one good thing from today." {H} thought. "I [saw a rainbow|played {spot1.at}|ate a {treat.one}]," {h.he} said. "And what else?" asked {p}. "I [laughed with {f}|found a {color} stone]."
  hummed an old song | {P} sat down on the bed and hummed an old song, one that {p.his} own mother used to hum. It was about [a boat|a river|the moon], and it was slow and soft.
  listened to the night with {h.him} | "Let us listen," said {p}. "What do you hear?" "A cricket," said {h}. "And the {wind}." "And what else?" asked {p}. "You," said {h}, "breathing."
  told {h.him} how everyone was going to sleep | "The birds are asleep," said {p} softly. "The flowers are asleep. The river is going slower and slower. Even the wind is lying down in the grass."
table wind: wind
  wind
  rain
  river
  leaves
---
- {oneday}, {h} lay in bed and could not sleep, because {why}.
- {oneday}, everybody {place.at} was asleep. Only {h} was awake, because {why}.
- "Good night," said {p} and put out the light. But {h} could not sleep, because {why}.

- {H.he} turned to the left. {H.he} turned to the right. [The bed creaked.|The clock went tick, tock.]
- {H.he} lay on {h.his} back. {H.he} lay on {h.his} side. {H.he} lay on {h.his} tummy. It did not help.

==
- First {h} {tryone}, but {failone}.
- So {h.he} {tryone}. It did not work, for {failone}.

- Then {h.he} {trytwo}, but {failtwo}.
- After that, {h.he} {trytwo}. But {failtwo}.

-? An owl looked in at the window. "[Who is still awake|Hoo, hoo are you]?" asked the owl. "[Only me|It is me, {h}]," said {h}. "[Can you tell me how to sleep|How do you sleep]?" "[I sleep by day|Ask someone else]," said the owl and flew away.
-? {H} looked out at the moon. "Moon, do you ever sleep?" {h.he} asked. The moon said nothing, and it slid behind a cloud.

- At last {h.he} got up and went to {p}. "I cannot sleep," {h.he} said. "[I have tried everything|My eyes will not close]." "Come," said {p}. "[I will sit with you|I will help you]."
- "[What is the matter|Still awake], {h.voc}?" asked {p}, who had heard {h.his} steps. "[Sleep will not come|I have lost my sleep]," said {h}. {P} took {h.him} back to bed.

==
- {scene}

- {H} wanted to say something more, but {h.he} only yawned.
- {H}'s eyes grew heavy. "[I am not sleepy|I think]," {h.he} began, and {h.he} yawned a big yawn.

- "[Good night|Sleep well], {h.voc}," whispered {p}. But {h} did not hear it. {H.he} was asleep.
- And before {p} could say good night, {h} was fast asleep. 

-? The moon came out from behind a cloud and shone on {h.his} smile.
-? {H.he} dreamed of [a boat made of stars|a hill of soft moss|a flying bed] all night long.
