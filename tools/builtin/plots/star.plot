name: star
duo: yes
part: night evening
season: spring summer autumn winter
traits: dreamy gentle kind quiet curious hopeful
about: a fallen star
about: the stars
about: something magic
about: a magic wish
with: a little star
lesson: if you help others to shine, you will shine as well
lesson: some things are too beautiful to keep
lesson: a wish for someone else is the best wish of all
lesson: even the smallest light can be seen in the dark
feel: happy warm glad
ask: What fell from the sky? | A little star fell from the sky.
ask: How did the star get home? | {H} and {f} {fly}.
ask: What did the star give {h}? | The star gave {h} {reward}.
table try: tryone | fail | fly
  threw it up into the air as high as {h.he} could | it came down again with a plop | tied it to a big kite and let the night wind carry it up
  climbed to the top of the tallest tree and held it up | the sky was still too far away | tied it to {number} balloons and let them go
  put it in a sling and shot it up | it only landed in the pond and hissed | asked an old owl to carry it, and the owl flew up until they could not see her any more
  built a ladder from everything in the house | the ladder was much too short | climbed the highest hill and waited for the moon to come close, and the moon took it by the hand
  blew as hard as {h.he} could | the star only rolled over and giggled | asked the north wind, and the wind took it in its soft gray arms
table reward: reward
  a tiny spark in a bottle that never went out
  a wink every night at bedtime
  a silver button that shone in the dark
  one wish, and {h} wished that {f} would always be {h.his} friend
  a little bit of star dust, and {p}'s old clock began to run again
---
- {oneday}, {h} could not sleep. {H.he} looked out of the window, and just then a light fell from the sky. [Plop!|Whoosh!|Plink!]
- {oneday}, {h} was looking up at the sky. Suddenly a star came loose and fell, down, down, down.

- {H} ran outside. There, {spot1.at}, lay a little star. It was [no bigger than an apple|as small as an egg], and it glowed [softly|very weakly].
- {H.he} put on {h.his} coat and went to look. {spot1.at} {h.he} found a little star. It was crying tiny golden tears.

- "[I fell out of the sky|I leaned over too far, and I fell]," said the star. "[I want to go home|My mother will miss me]."
- "Please help me," said the star in a voice like a bell. "If I am not home by morning, [I will go out|my light will fade]."

-? For a moment {h} wanted to keep it. It was so pretty, and it would look so fine on {h.his} shelf. But the star was so sad.
-? "Are you hungry?" asked {h}. "[I eat only moonlight|Stars do not eat]," said the star, "but thank you for asking."

- "[Do not cry|Do not be sad]," said {h}. "I will [help you|take you home]."
- {H} [dried its tears|wrapped it in {h.his} scarf]. "We will find a way," {h.he} said.

==
- {H} {tryone}, but {fail}.
- First {h} {tryone}, but {fail}. "[Ouch|Oh]," said the star.

- "[I cannot do it alone|We need help]," said {h}. {H.he} went to wake {h.his} friend {f.full}. "[Is that a real star|Am I dreaming]?" asked {f}, and {f.he} rubbed {f.his} eyes.
- Then {h} knocked at the door of {h.his} friend {f.full}. "[Wake up|Come quickly]!" {h.he} said. {F} stared. "[It is a star|How lovely it is]!" {f.he} whispered.

- They thought and thought while the star grew [paler|dimmer].
- "[Hurry|Please hurry]," said the star. Its light was [pale|weak] by now. "I know!" said {f}.

- Together, {h} and {f} {fly}.
- And then they had an idea. Together they {fly}.

- Up it went, higher and higher, until it was back in its place in the sky. 
- They looked up and held their breath. There, in the dark gap between two stars, a new light began to shine.

==
- "Thank you!" called the star from far, far away. It gave {h} {reward}.
- But the star did not forget {h.his} kindness. It gave {h} {reward}.

-? "[Will anyone believe us|Shall we tell the others]?" asked {f}. "[It does not matter|Maybe not]," said {h}. "We know that it is true."
-? {F} took {h}'s hand, and they sat in the grass until the sky turned pink.

- Every night after that, {h} looked up and said, "Good night, little star." And one star always twinkled back.
- {H} went to bed, {feel} and tired. And if you look up tonight, you may see that star, too. It is the one that winks.
- When {p} asked why {h.he} was so sleepy in the morning, {h} only smiled and looked up at the sky.

+ moral
