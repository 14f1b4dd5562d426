name: errand
traits: helpful kind cheerful friendly polite young
about: a long walk to {aunt}
about: helping on the way
about: a journey
with: a basket of {treat}
lesson: the kindness that you give comes back to you
lesson: it is never a waste of time to help
lesson: help is a seed that grows
lesson: those who help are helped
feel: happy glad tired
ask: Where was {h} going? | {H} was going to see {aunt}.
ask: What was in the basket? | There were {treat} in the basket.
ask: Who did {h} help first? | {H} helped {one}.
ask: What blocked the way? | {blockq}.
table aunt: aunt
  Granny Bell
  Great-Aunt Tilda
  old Captain Barnacle
  cousin Marigold
  Granny Moss
table helped: one | onehelp | oneback
  an ant whose leaf was too heavy | carried the leaf to the top of the anthill | The ant came with all her brothers and sisters
  a spider whose web was torn | held the thread until the web was whole again | The spider spun a rope as strong as iron
  a bee who had fallen into a puddle | fished her out with a blade of grass | The bee called the whole hive
  a beetle who lay on his back | turned him over with one finger | The beetle came with a hundred strong cousins
table second: two | twohelp
  a crow with a thorn in his foot | pulled out the thorn
  a fish in a drying pool | carried it to the river in {h.his} hat
  a lamb caught in a fence | bent the wire and set the lamb free
  a goose who had lost one of her eggs | found the egg under a fern
table block: blockq | block | solved
  A great tree lay across the path | a great tree lay across the path | Together they rolled the tree aside
  The bridge was broken | the bridge was broken | Together they made a new bridge of threads and twigs
  A big rock had rolled onto the path | a big rock had rolled onto the path | Together they pushed the rock into the ditch
---
- {oneday}, {p} packed a basket of {treat}. "[Please take this|Will you take this] to {aunt}," {p.he} told {h}. "[And come home before dark|Be polite to everyone you meet]."
- {oneday}, {h} was sent to bring a basket of {treat} to {aunt}, who lived on the other side of the hill. "[Go straight there|Take good care of the basket]," said {p}.

- {H} [set off|walked along] and [hummed a song|swung the basket|counted {h.his} steps].
-? The sun was [high|warm], and the path went up and down.

- Soon {h.he} met {one}. "[Please help me|Oh, help me]!" said the little one. {H} was in a hurry, but {h.he} stopped. {H.he} {onehelp}. "[I will not forget this|Thank you, friend]!" said the little one.
- {H.he} had not gone far when {h.he} saw {one}. "[Wait|Oh dear], let me help you," said {h}, and {h.he} {onehelp}.

- A little later, {h.he} came upon {two}. {H.he} put down the basket and {twohelp}.
- Next, {h.he} found {two}. "[You poor thing|That must hurt]," said {h}. {H.he} {twohelp}.

-? "[I am going to be late|How late it is]," thought {h}, and {h.he} walked a little faster.
-? {H} was hungry, but {h.he} did not eat even one {treat.one}.

==
- Then {h} came around a bend and stopped. Oh no, {block}! {H} [pushed and pulled|tried and tried], but {h.he} could not get past.
- But then there was trouble: {block}. There was no other way, and the sun was going down.

- {H} sat down on the basket. "[Now I will never get there|I do not know what to do]," {h.he} said.
+ worry

- "You helped us," said a small voice, "and now we will help you." {oneback}.
- Suddenly {h.he} heard a small voice. "[Do you remember me?|Do not give up!]" {oneback}.

- {solved}, [one, two, three|bit by bit|in no time], and the way was free.
- {H} could hardly believe it. {solved}. 

-? "How strong you are!" said {h}. "You were strong for me," said the little voice, "and now we are strong for you."

==
- At last {h} knocked at the door. "You are late," said {aunt}. {H} told the whole story. "[Then you are not late at all|That is the best reason to be late]," said {aunt}.
- {aunt} opened the door. "[Come in, come in|There you are]!" {H} put the basket on the table and told {aunt} about the long way.

- They drank tea and ate {treat}, and {h} saved {number} of them for {h.his} new friends.
- {aunt} lit a lamp, and together they ate the {treat}. [They were very good.|There was not one left.]

- On the way home, {h} waved to everyone {h.he} had helped. {H.he} was {feel}.
- When {h} came home, the moon was up. "Did you go straight there?" asked {p}. "[No, and I am glad of it|No, I met some friends]," said {h}.

+ moral
