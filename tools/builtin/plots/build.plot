name: build
duo: yes
traits: busy clever eager lively inventive curious
about: building {abuild}
about: working together
about: teamwork
with: {abuild}
lesson: two heads are better than one
lesson: working together makes hard things easy
lesson: a good plan saves a lot of work
lesson: it is fine to start over
feel: proud happy pleased
ask: What did {h} and {f} build? | They built {abuild}.
ask: What went wrong? | {wrong}.
ask: What did they build it from? | They built it from {stuff}.
table project: abuild | built | stuff | hname | fname | wrong | idea | fun
  a tree house | tree house | old boards and rope | a big window | a tall ladder | One side was heavier than the other, and the floor tipped like a boat | They put {h}'s window on one side and {f}'s ladder on the other, and the floor was level | They sat up there and looked down on the whole world
  a raft | raft | logs and strong rope | a sail | a bench | The logs rolled apart, and they both sat in the water | They crossed the rope over and under, like a basket, and the logs held | They floated along and waved to the ducks
  a bridge over the stream | bridge | flat stones and a long log | a railing | wide steps | The log rolled, and splash, it fell into the stream | They set the log between two heavy stones, and it did not move any more | Even {w} walked across it and did not get wet feet
  a sandcastle | castle | wet sand and shells | a high tower | a deep ditch | A wave came and washed half of it away | They built it farther back and dug a ditch for the water | At high tide the castle stood there like an island
  a go-cart | cart | an old box and four wheels | a horn | a brake | The cart ran in a circle and bumped into the hay | They tied a rope to both front wheels, and then they could steer | They rolled down the hill and shouted for joy
  a scarecrow | scarecrow | straw and old clothes | a floppy hat | long arms | The birds were not afraid of it at all and sat on its head | They hung little bells on its arms, and it rang in the wind | {W}'s corn grew tall, and the birds only listened to the music
  a fort | fort | branches and leaves | a secret door | a lookout hole | In the night the wind blew the roof away | They wove the branches together like a nest, and the wind could not lift them | They ate {treat} inside and told each other secrets
  a swing | swing | a board and a long rope | a red cushion | a double knot | The knot came loose, and {h} sat down in the grass with a bump | They used {f}'s double knot on both sides, and it held | They took turns and swung up to the leaves
  a windmill | windmill | paper, sticks and a nail | red stripes | six arms | It did not turn, however hard they blew | They bent the paper like spoons, and the wind began to push | It turned day and night and hummed a soft tune
---
- {H} and {h.his} friend {f.full} [liked to make things|were always making something|had many plans].
- {H} had a good friend, {f.full}. Together they [had the best ideas|could never sit still].

==
- {oneday}, {h} said, "[I have an idea|Listen]! Let us build {abuild}." "[Yes|Oh, yes|What fun]!" said {f}.
- {oneday}, they found {stuff} behind {w}'s [house|shed]. "[May we have these|Do you need these], {w}?" asked {f}. "[Take them|They are yours]," said {w}. "We can build {abuild}!" said {h}.

- But {h} wanted {hname}, and {f} wanted {fname}. "[My idea is better|We must do it my way]!" said {h}. "No, mine!" said {f}.
- "It must have {hname}," said {h}. "No, it must have {fname}," said {f}. [They both began to shout.|They both grew cross.]

-? Each of them worked alone, and neither said a word.
-? {H} turned {h.his} back on {f}, and {f} turned {f.his} back on {h}.

- They took {stuff} and began, but they [did not listen to each other|worked much too fast]. {wrong}.
- They built all morning from {stuff}, and nobody made a plan. Then it happened. {wrong}.

- "That was your fault!" said {h}. "No, it was yours!" said {f}. Then they looked at each other, and they had to laugh.
- {H} looked at {f}. {F} looked at {h}. "That was not very clever of us," said {h}. "No, it was not," said {f}.
- {H} stopped shouting. "I am sorry," {h.he} said. "[I am sorry, too|So am I]," said {f}.

==
- "Let us make a plan," said {f}. They drew it in the [dirt|sand] with a stick. There was room for {hname} and for {fname}.
- "We need your idea and mine," said {h}. "It can have {hname} and {fname}." {F} [nodded|smiled].

-? {W} came by and gave them a [hammer and some nails|pot of {color} paint|plate of {treat}].
-? This time one of them held while the other worked, and then they changed places.

- {idea}.

- By evening the {built} was [done|ready]. It had {hname} and {fname}. "[We did it|It is perfect|Hooray]!" they shouted.
- When the sun went down, the {built} was finished, with {hname} and {fname}. It was [not quite straight|a little crooked], but it was theirs.

- {fun}.

-? "It is better than my idea alone," said {h}. "And better than mine," said {f}.
-? {H} was {feel}, and so was {f}.

+ moral
