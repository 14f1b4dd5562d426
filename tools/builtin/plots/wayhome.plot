name: wayhome
traits: dreamy curious playful small lively careless
about: getting lost
about: finding the way home
about: someone who gets lost
lesson: when you are lost, it helps to stop and think
lesson: there are kind strangers everywhere
lesson: home is the best place of all
lesson: it is wise to tell someone where you are going
feel: safe happy glad
ask: Why did {h} get lost? | {H} got lost because {h.he} followed {lure}.
ask: What did {h} follow? | {H} followed {lure}.
ask: Who showed {h} the way? | {F} showed {h} the way home.
table lure: lure | follow
  a blue butterfly | over the stream and under the branches
  a trail of red berries | one berry after another
  a floating feather | wherever the wind took it
  a rainbow | across one field and then another
  the sound of a flute | deeper and deeper between the trees
  a fat bumblebee | from flower to flower to flower
  a rolling ball of yarn | down one hill and up the next
table clue: sign | guide
  the smoke from {p}'s chimney | I can see a thin line of smoke from up there
  the sound of the bell at home | Listen to the bell that rings at supper time
  the evening star | The evening star stands right above your home
  the little stream that runs past {h.his} door | The stream runs past your door, so we only have to follow the water
  the tall pine tree near {h.his} home | The tall pine tree will show us the way
---
-? "[Do not go too far|Be home for supper]," {p} always said.

- {oneday}, {h} saw {lure}. "[How pretty|Wait for me]!" {h.he} said, and {h.he} followed it, {follow}.
- {oneday}, when {h} was playing {spot1.at}, {h.he} noticed {lure}. {H.he} forgot everything else and followed it, {follow}.

- When {h.he} stopped at last, {h.he} looked around. [Nothing looked the same.|{H.he} had never seen this place before.|Where was the path?]
- Then all at once it was gone. {H} looked left and right. [Every tree looked the same.|{H.he} did not know where {h.he} was.]

- "[Oh dear|Oh no], I am lost," [said|whispered] {h}.
- "[Where am I|Which way is home]?" {h.he} asked, but nobody answered.

+ worry

==
-? {H.he} ran this way and that way, but {h.he} only came back to the same gray stone.
-? {H.he} called {p}, but only the echo came back.

- It was getting [dark|late|cold]. Then {h} remembered {p}'s words: "[If you are lost, stop and sit down|When you do not know the way, stop and think]." So {h.he} sat down [on a log|under a tree] and took a deep breath.
- The sun was low. {H} [wiped {h.his} eyes|counted to ten] and tried to think.

- Then {h.he} heard soft steps. It was {f.intro}. "[Why are you crying|What are you doing here all alone]?" asked {f}. "[I cannot find my way home|I am lost]," said {h}.
- "Hello," said a voice. {F.intro} was looking at {h.him}. "You look lost," said {f}. "I am," said {h}, and {h.his} lip shook.

- "[Let us think together|Do not worry]," said {f}. "[What can you see or hear from your home|What is near your home]?" {H} closed {h.his} eyes and thought of {sign}.
- "[I do not know your house|I have never been to your home]," said {f}, "but tell me about it." {H} told {f} about {sign}.

- "[Then it is easy|That will help us]," said {f}. "{guide}." 
- {F} clapped {f.his} hands. "{guide}!" {f.he} said. "[Come with me|Follow me]!"

-? They walked side by side. {F} sang, and {h} was not so afraid any more.
-? {F} shared {f.his} last {treat.one} with {h}, and they walked on.
-? Once they heard a strange noise, and {h} jumped. "[It is only the wind|It is only an owl]," said {f}.

==
- Soon {h} saw a light. It was home! {P} was standing at the door. "[There you are|I was so worried]!" {p.he} cried, and {p.he} [hugged {h.him} tight|held {h.him} close].
- At last they came over a hill, and there was {h.his} home, with a light in the window. {P} came running. "[There you are|Thank goodness]!" {p.he} cried.

- "I am sorry," said {h}. "I followed {lure}, and I did not look where I was going." "[You are home now|The main thing is that you are safe]," said {p}.
- {H} told {p} what had happened and how {f} had helped. "Thank you for bringing {h.him} home," {p} said to {f}.

- {F} stayed for supper, and they all ate {treat2}.
- {P} gave {f} a [big bag|whole basket] of {treat2} to take home.

-? From then on, {h} put a white stone on the path whenever {h.he} went for a walk.
-? The next day {h} visited {f}, and this time {h.he} told {p} first.
-? In bed that night {h} was warm and {feel}. [Outside the wind blew, but inside it was quiet.|{H.he} could hear {p} humming in the kitchen.]

+ moral
