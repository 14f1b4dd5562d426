name: rescue
duo: yes
traits: gentle kind quiet caring thoughtful soft-hearted
about: helping a little animal
about: caring for {baby}
about: kindness to small creatures
with: {baby}
lesson: if you love someone, you let them be free
lesson: no one is too small to be helped
lesson: gentle hands can do great things
lesson: a kind deed has wings
feel: happy glad proud
ask: What did {h} find? | {H} found {baby}.
ask: What was wrong with it? | {hurt}.
ask: Who told {h} what to do? | {W} told {h} what to do.
table baby: baby | babynoun | hurt | care | grow | free | back
  a baby bird | bird | It had fallen out of its nest, and it could not fly yet | fed it with seeds and made it a nest of soft wool in a hat | its wings grew strong | It spread its wings and flew up into the blue sky | Every spring it came back and sang outside {h}'s window
  a small butterfly | butterfly | One of its wings was wet and stuck together | gave it drops of sugar water and let its wings dry in the sun | it could open and close its wings | It rose from {h.his} finger and danced away over the flowers | One day a whole cloud of butterflies came and danced around {h}
  a baby squirrel | squirrel | It was all alone, and it shook with cold | wrapped it in a sock and gave it warm milk, drop by drop | its tail grew thick and soft | It ran up the tallest tree, turned around once and was gone | In the fall, {h} found a little heap of nuts at {h.his} door
  a tiny turtle | turtle | It was lying on its back and could not turn over | turned it over, washed it and gave it green leaves | it walked around the whole room | It slid into the pond with a soft splash | When {h} sat by the pond, a small green head came up to say hello
  a young owl | owl | It had hurt its wing in the storm | tied its wing with a soft cloth and sat with it at night | the wing was healed | It flew around {h.his} head once and then away to the dark trees | On dark nights it called, "Hoo, hoo," and {h} was never afraid
  a little hedgehog | hedgehog | It was too thin for the long winter | gave it apples and made it a bed of dry leaves in a box | it was as round as a ball | It walked into the bushes on its short little legs | In the summer it came to visit, with four tiny hedgehogs behind it
  a gray kitten | kitten | It was wet and lost and crying for its mother | dried it with a towel and let it sleep in a basket by the fire | it could run and jump | Its mother called from the fence, and the kitten ran to her | The next day mother and kitten sat together on the step and purred
---
- {oneday}, {h} was walking [home|along the path|to {spot1}] when {h.he} heard a tiny sound.
- {oneday}, {h} was looking for {flower} {spot1.at}. Suddenly {h.he} heard something. "[Peep|Eek|Eep]."
- {oneday}, {h} almost stepped on something small.

- {H.he} bent down. There, {spot2.at}, was {baby}. {hurt}.
- {H} knelt down and looked. It was {baby}! {hurt}.

- "[You poor little thing|Do not be afraid]," [whispered|said] {h}. "[I will help you|I will not hurt you]."
- "[Oh, you are so small!|Where is your mother?]" said {h} softly.

- Very gently, {h} picked it up. It weighed no more than [a leaf|an egg|a letter]. {H.he} took it home.
- {H} put it in {h.his} hat and carried it home, as slowly as if {h.he} were carrying [soup|a candle].

==
- "[Can we keep it|May I look after it], {p}?" asked {h}. "[We can help it until it is strong|Yes, until it is well]," said {p}. "[Ask {w} what to do|{W} will know what to do]."
- {H} did not know what to do, so {h.he} asked {w.intro} for help.

- {W} looked at it closely. "It needs [rest and care|warmth and food]," said {w}. "[And above all, it needs time|Be gentle, and be quiet]."
- "[Keep it warm|Do not give it too much at once]," said {w}, "and talk to it softly."

- So {h} {care}. {H.he} looked after it day and night.
- Day after day, {h} {care}.

-? {F} came to see it. "[It is so small|It is so soft]," {f.he} whispered. "[Very gently|Softly]," said {h}.
-? At night {h.he} woke up to see if it was all right. 
-? {H} gave it a name. {H.he} called it [Button|Peep|Dot|Crumb|Pebble], because it was so small.

- The little {babynoun} began to [trust {h.him}|follow {h} everywhere]. Slowly it got better, and one day {grow}.
- Little by little, the {babynoun} got better. A few weeks later, {grow}.

==
- "Now it is time to let it go," said {p}. {H} had tears in {h.his} eyes. "[But I love it|I want to keep it]," {h.he} said. "[I know|That is why you must]," said {p}.
- {H} knew what {h.he} had to do, but {h.his} heart was heavy. "[You belong out there|This is where you belong]," {h.he} told the {babynoun}.

- They went back to the place where {h} had found it. {H} opened {h.his} hands. {free}.
- On a [sunny|mild] morning {h} carried it outside. {free}.

- "[Goodbye|Be happy], little one," [said|whispered] {h}. {P} put an arm around {h.him}.
- {H} waved until {h.he} could not see it any more.

- And the {babynoun} did not forget. {back}.
- {back}. Then {h} was very {feel}.

+ moral
