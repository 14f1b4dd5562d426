name: newschool
part: morning morning day
traits: shy nervous quiet worried small
about: the first day of school
about: going to school
with: a first day at school
lesson: everything new is strange only once
lesson: you are not the only one who is nervous
lesson: a smile opens every door
lesson: the things that make us different can make us friends
feel: happy glad proud
ask: What was {h} nervous about? | {H} was nervous about the first day of school.
ask: Who sat next to {h}? | {F} sat next to {h}.
ask: What happened at school? | {mishap}.
ask: Who was the teacher? | The teacher was {teacher}.
table mishap: mishap | turn | gift
  {H} spilled {color} paint all over {h.his} desk | {F} dipped a finger into the puddle and drew a cat. "[Look, it is a picture now|Now it is art]," said {f}, and the whole class wanted to paint with their fingers | {f.his} best brush
  {H} fell off {h.his} chair with a loud bang | {F} let {f.self} fall off {f.his} chair, too. "[Now there are two of us|It is quite nice down here]," said {f}, and everyone laughed | a soft cushion
  {H} opened {h.his} lunch bag, and it was empty. {H.he} had left {h.his} lunch at home | {F} cut {f.his} own {treat.one} in two. "[Take the bigger half|I have more than enough]," said {f} | half of {f.his} lunch
  {H} went into the wrong room, and all the big children stared | {F} had made the same mistake. "[I am lost, too|I thought that I was the only one]," whispered {f}, and they looked for the right room together | a little map that {f.he} had drawn
  {H} could not say one word when it was time to tell {h.his} name | {F} stood up. "[I was afraid to say my name, too|My knees are shaking as well]," said {f}. "My name is {f}." Then {h} could say it, too | a {color} pencil
table teacher: teacher
  Mrs. Larkin
  Mr. Finch
  Miss Honey
  Mr. Dapple
  Miss Penny
---
- Soon it would be {h}'s first day of school. The closer it came, the [quieter|more nervous] {h.he} grew.
- Everyone was happy about school, but {h} was not. Tomorrow was {h.his} first day.

- "What if nobody likes me?" {h} asked {p}. "[Then smile first|Somebody will]," said {p}. "[You will see|I was nervous, too, on my first day]."
- "[My tummy hurts|I do not want to go]," said {h}. "[That is only the butterflies|I know]," said {p}. "[They will fly away|It will be better than you think]."

-? That night {h} packed {h.his} bag [three times|again and again]. {H.he} put in a pencil, a book and {h.his} {thing} for luck.
-? {P} gave {h.him} a kiss for each hand. "[If you miss me, hold your hand to your cheek|Keep these for later]," {p.he} said.

==
- {oneday}, {h} stood at the school gate. It was very big, and {h} felt very small. The teacher, {teacher}, came out. "[Welcome|Good morning]!" said {teacher}. "[Come in|We are happy to have you]."
- Then the day came. {H} walked to school [slowly|with small steps]. The teacher's name was {teacher}, and the seat by the window was free.

- Next to {h.him} sat {f.intro}. {H} wanted to say hello, but {h.he} only looked at {h.his} feet.
- {H} sat down beside {f.intro}, who did not say a word.

- At first everything went well. But then it happened. {mishap}.
- And then, of all things, this happened. {mishap}.

- {H} wanted to [run home|sink into the floor|hide under the desk]. {H.his} eyes filled with tears.
- {H}'s face turned red. "[Now everyone will laugh at me|I want to go home]," {h.he} thought.

- {turn}.

==
- After that, {h} and {f} [talked and talked|sat together all day]. It turned out that they both loved to {love6}.
- {H} began to laugh, and the bad feeling was gone. At recess {f} asked, "[Shall we play|Do you want to play with me]?" "[Yes|I would love to]!" said {h}.

-? "How do you like school, {h.voc}?" asked {teacher}. "[Not bad at all|I like it]," said {h}. 
-? They sang a song about {number} ducks, and {h} sang the loudest of all.

- When school was over, {f} gave {h} {gift}. "[See you tomorrow|So that you do not forget me]," {f.he} said.

- "How was it?" asked {p} at the gate. "[I want to go again tomorrow|I have a friend]!" shouted {h}. {H.he} was so {feel} that {h.he} hopped all the way home.
- {H} told {p} everything, about {teacher} and about {f}. "And how is your tummy?" asked {p}. "[It is fine|All better]!" said {h}.

+ moral
