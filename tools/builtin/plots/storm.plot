name: storm
part: evening afternoon
traits: kind brave cheerful careful helpful quiet
about: a storm
about: a big storm
about: helping in a storm
with: a big storm
lesson: after every storm there are friends to help
lesson: there is always room for one more
lesson: a warm heart is the best shelter
lesson: we are stronger together
feel: safe happy warm
ask: What happened in the story? | There was a big storm, and {damage}.
ask: Who came to the door? | {F} came to the door.
ask: Who helped after the storm? | Everyone helped to repair {f}'s home.
table harm: damage | mine | repair
  the wind blew the roof off {f}'s house | the wind blew the roof off my house | One brought straw, one brought nails, and one brought a ladder, and they made a new roof
  a tree fell on {f}'s home | a tree fell on my home | They sawed the tree into pieces and used the wood to build a new home
  the rain flooded {f}'s home | the rain flooded my home | They carried out the water, bucket by bucket, and dried the floor with warm sand
  the wind broke every window in {f}'s house | the wind broke every window in my house | They swept up the glass and put in new windows, one in every color
table guess: visitors
  a wet owl and two beetles
  a mouse family with a bundle on a stick
  an old traveler with a cane
  three shivering sparrows
  a cold gray cat
---
- {oneday}, the sky turned [dark|black|gray and yellow]. The wind began to [blow|howl], and the leaves [danced in circles|flew through the air].
- {oneday}, the birds stopped singing. Big clouds came over {spot1}. "[A storm is coming|It will be a wild night]," said {p}.

- {H} [closed the shutters|ran inside and shut the door|brought in the wood]. Soon the rain [drummed on the roof|fell in sheets], and the thunder [rolled|boomed].
- {H} and {p} lit a [lamp|fire] and listened. The whole house [shook|creaked] in the wind.

-? "Are you afraid?" asked {p}. "[A little|Only a bit]," said {h}, and {h.he} moved closer to the fire.
-? {H} thought of those who were outside in such weather.

==
- Then there was a knock at the door. {F.intro} stood there, wet and [shivering|cold]. "[Please let me in|I need your help]," said {f}. "In the storm, {mine}."
- Knock, knock! {H} opened the door. Outside stood {f.intro}, dripping wet. "I have nowhere to go," said {f}. "In the storm, {mine}."

- "[Come in, come in|Quick, come inside]!" said {h}. {H.he} gave {f} a [dry blanket|warm blanket] and a [bowl of hot soup|cup of hot milk].
- {H} pulled {f} inside. "[You are safe here|Sit by the fire]," {h.he} said, and {h.he} rubbed {f.his} cold hands.

- Soon there was another knock. This time it was {visitors}. "[Is there room for us|May we come in]?" "[There is always room|Yes]," said {h}, and everyone moved closer together.
- A little later they heard another knock, and in came {visitors}. The house was small, but {h} [found a place for everyone|made room].

-? When the thunder boomed, {h} began to sing, and [soon|one by one] all the others sang with {h.him}.
-? {P} told a [funny|long] story, and after a while nobody listened to the wind any more.
-? There was only one {treat.one} left. {H} cut it into tiny pieces, and everyone had a bite.

==
- In the morning the sun came out. They all went to look at {f}'s home. {F} [began to cry|sighed]. "What shall I do now?" {f.he} said.
- When they woke up, the storm was over, and the world was [clean and bright|shining]. But {f} looked sad. "I have no home any more," {f.he} said.

- "[Do not cry|Do not be sad]," said {h}. "We will all help you." {repair}.
- "[We can fix it|We will help]," said {h}. {H.he} called all the neighbors, and everyone came. {repair}.

-? {H} worked the whole day, and {h.he} [hummed|whistled] while {h.he} worked.
-? Even {w} came and [carried boards|brought lunch for everyone].

- By evening it was done. "[It is even better than before|I have the best friends in the world]," said {f}.
- "[You took me in|You gave me shelter], and now you gave me back my home," said {f}. "How can I thank you?" "[You can make room for the next one|Just be my friend]," said {h}.

- {H} felt {feel}. And whenever the wind blew after that, {h} and {f} [sat by the fire together|remembered the night of the big storm].
- And when the next storm came, nobody was afraid, for they were all together.

+ moral
