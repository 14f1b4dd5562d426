name: contest
traits: eager quick lively hopeful cheerful proud
about: {acontest}
about: winning and losing
about: a kind winner
with: {acontest}
lesson: being kind is better than winning
lesson: a friend is worth more than a prize
lesson: it is how you play that counts
lesson: there are many ways to win
feel: happy proud glad
ask: What contest was it? | It was {acontest}.
ask: Who won? | {whowon}.
ask: Who did {h} help? | {H} helped {f}.
table contest: acontest | wanted | train | trouble | help
  a race | run faster than anyone else | ran up and down the hill every morning | Near the finish, {f} tripped over a root and hurt {f.his} knee | turned around, put {f}'s arm over {h.his} shoulder and walked with {f.him} to the finish
  a boat race | have the fastest boat | scrubbed {h.his} little boat and mended the sail | In the middle of the race, {f}'s boat hit a rock and began to sink | turned {h.his} boat around and pulled {f} on board
  a kite contest | fly a kite higher than anyone else | learned to hold the string just right | Just before the start, {f}'s string broke, and {f.he} had no other | cut {h.his} own long string in two and gave half to {f}
  a cake contest | bake the best cake {place.at} | baked a cake every day and {p} had to taste them all | On the way there, {f} slipped, and {f.his} cake fell into the mud | gave {f} half of {h.his} own cake and helped {f.him} to decorate it
  a singing contest | sing the most beautiful song | sang from morning to night, until {p} knew every word | When it was {f}'s turn, {f.he} was so frightened that no sound came out | stood beside {f}, took {f.his} hand and sang the first line with {f.him}
  a pumpkin contest | grow the biggest pumpkin | watered {h.his} pumpkin every day and talked to it | The night before the contest, a goat ate {f}'s pumpkin | put both their names on {h.his} own pumpkin
  a drawing contest | draw the best picture | drew and drew until {h.his} pencil was as short as a thumb | Right at the start, {f}'s only pencil broke in two | broke {h.his} own pencil in half and gave {f} one of the halves
table result: whowon | result
  {N} won the prize | Because of that, {n} came in first and won the prize. {H} and {f} came in last of all
  {H} and {f} won together | Everyone had seen it. "[The prize goes to both of them|There are two winners today]," said the judge, "for they did it together"
  {F} won, and {f.he} shared the prize with {h} | In the end the prize went to {f}. "Half of this is yours," said {f}, and {f.he} shared the prize with {h}
---
- {H} wanted to {wanted}. {H.he} [talked of nothing else|dreamed of it every night].
- Every year there was {acontest} {place.at}. This year {h} wanted to win.

-? The prize was [a golden cup|a big basket of {treat}|a shiny medal], and {h} [could already see it on {h.his} shelf|thought about it all day].
-? "[I will be the best of all|Nobody will beat me]," {h.he} told {p}. "[We shall see|Just do your best]," said {p}.

- For weeks {h.he} {train}.
- To get ready, {h} {train}.

- {F.intro} was going to take part, too. "Good luck," said {f}. "Good luck to you, too," said {h}.
- Then {h} heard that {f.intro} would be there as well, and everyone said that {f} was very good. "[I must be better|I will work even harder]," said {h}.

==
- {oneday}, it was time for {acontest}. Everyone came to watch. {P} waved from the front row.
- At last the great day came. There were flags and music, and {h}'s heart beat fast. "[Ready, set, go|Let it begin]!" called {w}.

- At first all went well for {h}. [{H.he} was in front.|It looked as if {h.he} would win.] But then something happened. {trouble}.
- {H} did {h.his} very best. {trouble}.

- "[Now I can win|This is my chance]," thought {h}. But then {h.he} saw {f}'s face.
- Nobody else [stopped|helped]. {H} looked at the prize, and then {h.he} looked at {f}.
- {H} stopped. In {h.his} head two small voices began to fight. One said, "Go and win." The other said, "{F} needs you."

-? A tear was running down {f}'s cheek.
-? "[Go on|Do not wait for me]," said {f}. "You can still win."

- {H} {help}.
- {H} did not think for long. {H.he} {help}.

==
- {result}.

- The people clapped louder than they had ever clapped before.
- {P} was prouder than if {h} had won [ten|a hundred] prizes.
- All the people stood up and cheered for {h} and {f}.

-? "Why did you help me?" asked {f}. "[Because winning alone is no fun|Because you would have helped me]," said {h}.
-? "You gave up the prize for me," said {f}. "[I got a friend for it|It was only a prize]," said {h}.

- From that day on, {h} and {f} [were best friends|did everything together|trained together].
- That evening they all ate {treat} together, and {h} was {feel}.

+ moral
