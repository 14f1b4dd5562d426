name: gift
duo: yes
traits: kind thoughtful generous clever gentle loving
about: a birthday present
about: a secret gift
about: a surprise
with: a birthday surprise
with: a {gift}
lesson: the best gifts are made with love
lesson: a gift does not need to cost anything
lesson: it is even nicer to give than to get
lesson: a good surprise is worth the wait
feel: happy proud glad
ask: What did {h} make? | {H} made a {gift} for {f}.
ask: Whose birthday was it? | It was {f}'s birthday.
ask: Where did {h} hide the present? | {H} hid it {hide}.
table present: gift | make | trouble | fix | use
  {color} kite | {H.he} cut the paper, tied the sticks and painted a smiling face | On the last evening the paper tore | {H} patched the hole with a star of {color2} paper, and it looked even better | That very afternoon the kite danced high above the hills
  woolly scarf | {H.he} knitted every night by the light of a candle | Two days before the birthday the wool ran out | {W} gave {h.him} a ball of {color} wool, and so the scarf had a {color} end | {F} wore it all day, even at supper
  little wooden boat | {H.he} carved the wood and made a sail from an old handkerchief | The boat would not float. It tipped over and sank | {W} showed {h.him} how to put a stone in the bottom, and then it stood up straight | They sailed it on the pond until the stars came out
  birdhouse | {H.he} sawed and hammered and painted the roof {color} | The door was too small for any bird | {H} made it bigger, little by little, with a round file | The next morning a small blue bird moved in
  picture book | {H.he} wrote a story about two friends and drew all the pictures | A cup of tea spilled over the last page | {H} turned the brown stain into a big, friendly bear | They read it together three times
  honey cake | {H.he} mixed the flour and the honey and watched the oven | The cake came out flat on one side | {H} covered it with berries until nobody could see it | There was not one crumb left
  string of shells | {H.he} looked for shells every morning and made a tiny hole in each | The string broke, and all the shells rolled away | {H} found them one by one and used a stronger string | {F} put it on at once and never took it off
  puppet | {H.he} sewed a coat from an old sock and gave it two button eyes | One of the buttons got lost | {W} gave {h.him} a golden button, and so the puppet had one blue eye and one golden eye | That evening the puppet told jokes until everyone cried with laughter
table hiding: hide
  under the bed
  behind the haystack
  in an old barrel
  in {w}'s shed
  inside a hollow log
---
- In {number} days it would be {h.his} friend {f.full}'s birthday.
- Soon it was going to be {h.his} friend {f.full}'s birthday, and {h} had no present.

- "[I want to give {f.him} something special|If only I knew what to give {f.him}]," [thought {h}|said {h} to {p}]. But {h.he} had [no money at all|only two small coins].
- {H} looked in {h.his} money box. There was [nothing in it but a button|only one small coin].

- "Then make something," said {p}. "[What your hands make, your heart gives|That is the best kind of present]." So {h} decided to make a {gift}.
- {H} thought and thought. "I know!" {h.he} said. "I will make a {gift}."

==
- {oneday}, {h} began. {make}. Every evening {h.he} hid it {hide}.
- {oneday}, {h} set to work in secret. {make}. When {h.he} was done for the day, {h.he} hid it {hide}.

- "[Come and play|Let us go to {spot1}]!" called {f}. "[I cannot today|Not now]," said {h}. {F} was [a little sad|puzzled]. "Are you angry with me?" {f.he} asked. "No, no," said {h}. "You will see."
- {F} noticed that {h} was always busy. "What are you doing all day?" {f.he} asked. "[Nothing|Oh, this and that]," said {h}, and {h.he} [went red|hid {h.his} hands behind {h.his} back].

-? Once {f} came in without a knock. {H} sat down on the present just in time. "[Why are you sitting like that|Is something wrong]?" asked {f}. "I am only resting," said {h}.
-? {H} had to bite {h.his} tongue so that {h.he} would not tell the secret.

- But then something went wrong. {trouble}. "[Oh no|It is ruined]!" said {h}. {H.he} almost cried.
- {trouble}. {H} [sat down and put {h.his} head in {h.his} hands|wanted to give up].

- {fix}.

==
- At last it was the big day. {H} gave {f} the present. {F} opened it [slowly|with shaking hands]. It was a {gift}!
- On the morning of the birthday, {h} knocked on {f}'s door. "Happy birthday!" {h.he} said. {F} opened the paper. Inside was a {gift}!

- "[Did you make this yourself|You made this for me]?" asked {f}. "[Is that why you had no time?|So that was your secret!]" {H} nodded.
- {F}'s eyes grew wide. "It is the [most beautiful|best] present I ever had," {f.he} said.

- {use}.

-? "I thought that you did not like me any more," said {f}. "[Silly|Never]," said {h}, and they both laughed.
-? {H} was just as {feel} as {f}, and maybe even more.

+ moral
