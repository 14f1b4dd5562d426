name: skill
duo: yes
traits: eager patient stubborn hopeful lively small curious impatient
about: learning {tolearn}
about: someone who learns {tolearn}
about: practice
about: not giving up
lesson: every expert was once a beginner
lesson: nobody can do everything the first time
lesson: trying again is how we learn
lesson: a little practice every day goes a long way
feel: proud happy glad
ask: What did {h} learn to do? | {H} learned {tolearn}.
ask: Who taught {h}? | {W} did.
ask: What did {w} tell {h} to do? | {W} said, "{tip}."
table skill: tolearn | skill | others | fail | fail2 | tip | success
  to swim | swim | glide through the water like fish | {H.he} splashed and splashed, but {h.he} sank like a stone | Water went up {h.his} nose | Kick slowly, and let the water hold you | {H.he} swam all the way across the pond
  to roller skate | roller skate | roll along the road like the wind | {H.he} took one step and sat down hard on the ground | {H.his} legs slid in two directions | Bend your knees and look ahead | {H.he} rolled right around the pond without one fall
  to whistle | whistle | whistle merry tunes | {H.he} puffed and puffed, but only air came out | It sounded like a leaky kettle | Make your lips small and round, and blow softly | A clear, bright note flew up to the sky
  to play the flute | play the flute | play sweet songs | {H.he} blew into the flute, and it went "Screech!" | Even the birds covered their ears | Blow as if you were cooling soup | A soft, sweet song came out of the flute
  to juggle | juggle | keep three balls in the air | {H.he} threw the balls up, and they all fell on {h.his} head | One ball rolled into a puddle | Begin with one ball, then try two | {H.he} kept three balls in the air and did not drop one
  to bake bread | bake bread | bake soft, golden bread | {H.his} first loaf was as hard as a rock | The second loaf was as flat as a leaf | Be gentle with the dough, and let it rest | A round, golden loaf came out of the oven
  to dance | dance | dance in perfect circles | {H.he} tripped over {h.his} own feet | {H.he} turned left when everyone turned right | Listen to the music first, and then move | {H.he} danced around and around without one wrong step
  to paint | paint | paint pictures that looked alive | {H.his} painting of a tree looked like a broom | The colors ran together into brown mud | Look for a long time before you paint | {H.he} painted a tree so well that a bird tried to sit in it
  to climb | climb | climb to the very top of the tall tree | {H.he} climbed a little way up and slid right down again | {H.he} got leaves in {h.his} ears and mud on {h.his} nose | Find a good place for each foot before you move | {H.he} climbed all the way to the top and waved
  to jump rope | jump rope | jump rope a hundred times | The rope caught {h.his} feet at once | Then the rope wrapped around {h.him} like a snake | Count out loud and jump on every beat | {H.he} jumped fifty times without a stop
  to tie a bow | tie a bow | tie neat little bows | {H.his} bow fell apart at once | Then {h.he} tied {h.his} own fingers together | Make two loops, and cross them like friends who hug | There it was, a neat and perfect bow
  to ride a bike | ride a bike | ride down the lane with the wind in their faces | {H.he} wobbled and fell into the bushes | The bike rolled away without {h.him} | Look where you want to go, not at your feet | {H.he} rode to the end of the lane and back
  to read | read | read thick books | The letters looked like tiny bugs | {H.he} mixed up all the words | Take one word at a time, as if you were crossing a stream on stones | {H.he} read a whole page out loud
  to sing | sing | sing like larks | {H.his} voice came out like a rusty gate | Then it would not come out at all | Breathe deep and sing to your best friend | {H.his} voice rose up, clear and warm
---
- {H} wanted one thing very much. {H.he} wanted {tolearn}.
- There was one thing {h} could not do. {H.he} could not {skill}.
- All {h.his} friends could {others}, but {h} could not {skill} at all.

- "[One day|Soon] I will {skill} [better than anyone|too]," {h.he} [told {p}|said].
- Whenever {h.he} saw {f} {skill}, {h.he} [sighed|wished {h.he} could do it too].
- "[I wish I could {skill}|If only I could {skill}]," {h.he} said with a sigh.

==
- {oneday}, {h} decided to try. {fail}. {fail2}.
- {oneday}, {h} said, "Today is the day!" {fail}. {fail2}!
- {oneday}, when no one was looking, {h} tried for the first time. {fail}. {fail2}.

-? Some [birds|crows|jays] in a tree laughed. {H}'s cheeks went [red|hot].
-? {F} [tried not to laugh|giggled], but then {f.he} said, "[I fell many times too|It was hard for me at first]."

- "I will never learn," [said|sighed] {h}. {H.he} wanted to [give up|go home and hide under the blanket].
- "It is too hard!" [cried|said] {h}, and {h.he} stamped {h.his} foot.
- {H} sat down {spot1.at} and [cried a little|put {h.his} head on {h.his} knees|felt very sorry for {h.self}].

- {W.intro} had seen it all. "[I could not {skill} at first either|Nobody learns {tolearn} in one day]," said {w}. "Shall I tell you a secret? {tip}."
- {W.intro} sat down beside {h.him}. "May I give you some advice?" [asked {w}|{w.he} asked]. "{tip}. And do not stop after one try."
- Then {w.intro} came by. "[Dry your eyes|Stand up], {h.voc}," said {w}. "{tip}. You will see."

==
- {H} tried again. It was [a little|a tiny bit] better. {H.he} tried the next day, and the day after that.
- So {h} tried again, and again, and again. {H.he} practiced in the morning and {h.he} practiced in the evening.
- {H} practiced every day for {number} days. Some days went well, and some days did not.

-? "[Do not stop|Keep going]!" called {f}. "[You are getting better|I can see it]!"
-? Sometimes {h.he} wanted to stop, but then {h.he} remembered {w}'s words. "{tip}," {h.he} told {h.self}.
-? Once it [rained|was very cold], but {h} practiced all the same.

- [Then, one day,|And then, at last,] it happened. {success}!
- At the end of the [week|month], everyone came to watch. {H} took a deep breath. {success}!
- Then one day {h} closed {h.his} eyes for a moment and thought of {w}'s words. {success}!

- "[Hooray|Bravo|Well done], {h.voc}!" [shouted|called|cried] {f}. {W} clapped and clapped.
- "I did it!" [cried|shouted] {h}. "[I really did it!|Did you see that?]" {P} [hugged {h.him}|clapped for joy].
- {W} smiled. "[You did that all by yourself|I only gave you the words]," {w.he} said. "You did the work."

-? The next day, a [small|little] {n.kind} asked {h}, "Can you teach me {tolearn}?" "[Of course|Yes]," said {h}. "{tip}."
-? {H} was so {feel} that {h.he} could not stop smiling.

+ moral
