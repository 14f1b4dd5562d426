name: friend
traits: shy lonely quiet gentle kind timid
about: making a friend
about: friendship
about: a new friend
with: a new friend
lesson: a friend may be waiting where you do not look
lesson: a kind word is the best way to make a friend
lesson: it takes only one brave hello to make a friend
lesson: sharing what you love can bring you a friend
feel: happy glad merry
ask: Who became {h}'s friend? | {F} became {h}'s friend.
ask: What was the new friend called? | The new friend was called {f}.
ask: What did {h} and {f} do together? | They {didtogether}.
table game: thinking | doing | offer | didtogether
  building a little dam of stones | build a dam in the stream | I have some good flat stones | built a dam of stones
  drawing pictures in the dirt with a stick | draw pictures | You can use my other stick | drew pictures with sticks
  flying a [red|blue|yellow] kite | fly the kite | You may hold the string | flew a kite
  making a crown of {flower} | make crowns | Here are some more {flower} | made crowns of {flower}
  rolling a hoop along the path | roll the hoop | You can have the next turn | rolled a hoop
  looking at a book about the stars | read about the stars | There is room on my blanket | read a book about the stars
  sailing boats made of bark | sail boats | I have a second boat | sailed boats made of bark
  collecting smooth stones in a row | find more stones | I know where the best ones are | collected smooth stones
  stacking acorns into a tower | build a taller tower | I have a whole bag of acorns | built a tower of acorns
  humming a funny tune on a grass whistle | make music | I can show you how it works | made music on grass whistles
---
- But {h} had no one to play with, and {h.his} days felt long.
- But {h} was [often|always] alone. {H.he} was [too shy|afraid] to talk to the others.
- {H} had just moved there, and {h.he} did not know anyone yet.
- {H} wished for one thing more than anything else: a friend.

-? At night {h.he} looked at the moon and whispered, "I wish I had a friend."
-? "[Go out and say hello|Somebody out there needs a friend too]," said {p}. But {h} [only shook {h.his} head|looked at {h.his} feet].

==
- {oneday}, {h} went for a walk [by {h.self}|all alone]. {spot1.at} {h.he} saw {f.intro}, who was {thinking}.
- {oneday}, {h} heard somebody singing {spot1.at}. It was {f.intro}, who was {thinking}.
- {oneday}, {h} sat {spot1.at}. Not far away, {f.intro} was {thinking}.

- {H} wanted to say hello, but the words would not come out. {H.he} hid behind a [tree|bush|big stone] and watched.
- "[Should I say something|What if {f.he} does not like me]?" thought {h}. {H.he} took one step forward and two steps back.
- {H} opened {h.his} mouth, but {h.he} only made a tiny squeak.

+ worry

-? Then a twig went snap under {h.his} foot. {F} looked up.
-? Just then the wind blew {h.his} hat right to {f}. {F} picked it up and smiled.

- [At last|Then] {h} took a deep breath. "[Hello|Hi]," {h.he} said [softly|in a small voice]. "[That looks like fun.|May I watch?|May I play too?]"
- [At last|Then] {h} counted to three and walked up to {f}. "[I live over there|I like your game|I like what you are doing]," {h.he} said. "May I play too?"

- {F} [smiled|beamed|jumped up]. "[Yes, please|Of course|I was hoping somebody would come]!" said {f}. "{offer}."
- "Oh, I am so glad you came!" said {f}. "I am new here and I do not know anybody. {offer}."
- {F}'s eyes shone. "I thought that nobody wanted to play with me," {f.he} said. "Come and sit down. {offer}."

==
- So they began to {doing} together. [They laughed so much that {h} forgot to be shy.|They talked and laughed, and the time flew by.]
- They sat side by side, ready to {doing}. Soon they were laughing [like old friends|out loud].

-? When they were hungry, {h} took {treat} out of {h.his} bag and gave half to {f}. "I love {treat}!" said {f}. "[Me too|So do I]!" said {h}.
-? Once it all went wrong and {h} fell over with a bump. {F} helped {h.him} up, and they both giggled.
-? "Do you like to {love4}?" asked {f}. "It is my favorite thing," said {h}. "[Mine, too|I knew we would be friends]!" said {f}.

- When the sun went down, {f} asked, "Will you come [back|again] tomorrow?" "[Yes|I will]!" said {h}. "[Tomorrow and every day|I promise]."
- "See you tomorrow?" asked {h}. "See you tomorrow, friend," said {f}. {H} [skipped|danced|sang] all the way home.
- Before they went home, {f} gave {h} a [smooth stone|little feather|yellow leaf]. "This is for my new friend," {f.he} said.

- {H} told {p} all about it. "[You see|I knew it]," said {p}. "[One hello was enough|You only had to be brave for a moment]."
- From then on, {h} and {f} played together every day, and {h} was never lonely again.
- After that, wherever {h} went, {f} went too. {H} was {feel}.

+ moral
