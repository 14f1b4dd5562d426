# The beats that many stories share. Each '@name' begins a group.

@opening
- (named) Once upon a time, there was a {h.trait} [little|young|] {h.kind} [named|called] {h}.
  {H} lived [in {h.home}|] {place.intro}.
- (named) Once upon a time, a {h.trait} {h.kind} [named|called] {h} lived {place.intro}.
- (named) Once upon a time, {place.intro}, there lived a {h.trait} [little|young|] {h.kind}
  [named|called] {h}.
- (named) Once there was a {h.trait} [little|young|] {h.kind} [named|called] {h}[, who lived {place.intro}].
- (named) There was once a {h.trait} [little|young|] {h.kind} whose name was {h}. {H.he} lived {place.intro}.
- (named) There was a {h.trait} [little|young|] {h.kind} named {h}, and {h.he} lived {place.intro}.
- (named) {H} was a {h.trait} [little|young|] {h.kind} who lived {place.intro}.
- (named) {H} was a {h.trait} {h.kind}. {H.he} lived [in {h.home}|] {place.intro}.
- (named, !human) {H} the {h.kind} lived {place.intro}. {H.he} was a {h.trait} [little|young] {h.kind}, and {h.he}
  loved to {love}.
- (named) [Long ago|Not so long ago|A long time ago], {place.intro}, there lived a {h.trait} {h.kind} [named|called] {h}.
- (named) {place.intro} lived a {h.trait} [little|young|] {h.kind} [named|called] {h}.
- (named) This is the story of {h}, a {h.trait} [little|young|] {h.kind} who lived {place.intro}.
- (named) Everyone {place.at} knew {h}, a {h.trait} [little|young|] {h.kind}.
- (named) Have you ever heard of {h}? {H} was a {h.trait} [little|young|] {h.kind} who lived {place.intro}.
- (named) [Far away|Far, far away], {place.intro}, lived a {h.trait} {h.kind} named {h}.
- (named) {H} loved to {love}. {H.he} was a {h.trait} [little|young|] {h.kind}, and {h.he} lived {place.intro}.
- (named, human) {H} lived {place.intro}. {H.he} was a {h.trait} {h.kind} who loved to {love}.
- (named, !human) The {h.trait} [little|young] {h.kind} {place.intro} was called {h}.
- (named, !human) In {h.home} {place.intro} lived a {h.trait} {h.kind} called {h}.
- (!named) Once upon a time, there was a {h.trait} little {h.kind}. {H.he} lived in {h.home} {place.intro}.
- (!named) Once upon a time, a {h.trait} little {h.kind} lived {place.intro}.
- (!named) There was a {h.trait} little {h.kind} who lived {place.intro}.
- (!named) The {h.kind} lived in {h.home} {place.intro}. {H.he} was small and {h.trait}.
- (!named) {place.intro} lived a {h.trait} little {h.kind}.
- (duo, named, human) {H} and {f.name} were [good|best] friends. They lived {place.intro}, and {h} was a very {h.trait} {h.boy}.
- (duo, named, !human) {H} the {h.kind} and {f.name} the {f.kind} were [good|best] friends. They lived {place.intro},
  and {h} was a very {h.trait} {h.kind}.
- (duo, named, human) {H} and {f.name} went to the [park|river|beach|market|woods|lake|fair|meadow|playground|garden|library|zoo]
  [every day|every Sunday|almost every morning]. They were [best|good] friends, and {h} was a very {h.trait} {h.boy}.
  They lived {place.intro}.
- (duo, named, human) {H} and {f.name} went to the [park|river|beach|woods|lake|meadow|playground|pond|hill|garden|forest|stream] to play.
  They did that every day, because they were best friends. {H} was a {h.trait} {h.boy} who lived {place.intro}.
- (duo, named, !human) {H} and {f.name} went to the [river|beach|market|woods|lake|fair|meadow|pond|hill|garden|stream] to play.
  They did that every day, because they were best friends. {H} was a {h.trait} {h.kind}, and {f.name} was a {f.kind}. They lived {place.intro}.
- (duo, named, human) {H} and {f.name} lived {place.intro}. They [did everything together|were best friends], and {h} was a very {h.trait} {h.boy}.
- (duo, named, human) {H} and {f.name} liked to {love} together. {H} was a {h.trait} {h.boy} who lived {place.intro}, and {f.name} lived next door.
- (duo, named, !human) {H} and {f.name} liked to {love} together. {H} was a {h.trait} {h.kind}, and {f.name} was a {f.kind}. They lived {place.intro}.
- (named) It was {place.intro} that {h} lived. {H} was a {h.trait} [little|young|] {h.kind}.
- (named, !duo) One day, a {h.trait} [little|young|] {h.kind} named {h} came to live {place.intro}.
- (named, human) {H} had a [good|happy] life {place.intro}. {H.he} was a {h.trait} {h.boy} with a big smile.

-? (duo) {H} loved to {love7}[ all day long|, and {h.he} did it every day|, rain or shine| more than anything].
- (!duo) {H.he} loved to {love7}[ all day long|, and {h.he} did it every day|, rain or shine| more than anything].
-? (duo) Every day {h} liked to {love8} and {love9}.
- (!duo) Every day {h.he} liked to {love8} and {love9}.
-? (duo) {H} lived there with {h.his} {p.kind}, and {h.he} liked to {love8}.
- (!duo) {H.he} lived there with {h.his} {p.kind}, and {h.he} liked to {love8}.

@closing
-? [The end.|And that was that.|And so the story ends.]
- (brief) [The end.||||]

@moral
-? {H} had learned that {lesson}.
-? From that day on, {h} [always remembered|never forgot|knew] that {lesson}.
-? And that is how {h} learned that {lesson}.
-? "[Today|Now] I know that {lesson}," {h.he} [said|told {p}|said with a smile].
-? That night, before {h.he} fell asleep, {h} thought, "[I learned|Now I know] that {lesson}."
-? "Remember, {h.voc}," said {p}, "{lesson}." And {h} did remember.

@thanks
- "Thank you, {f}!" [said|cried] {h}. "[You are a true friend|I could not have done it without you|You are so kind]."
- "How can I ever thank you, {f}?" [asked|said] {h}. "[You already have|That is what friends are for]," said {f}.
- {H} gave {f} a big hug. "[Thank you|Thank you so much]," {h.he} said.

@ask-friend
- On the way {h.he} met {f.intro}. "[What is the matter|Why do you look so sad|What are you doing], {h}?" asked {f}.
- Just then {f.intro} came [along|by|down the path]. "[Can I help|Do you need help|Is something wrong]?" [asked {f}|{f.he} asked].
- {H} ran to {f.intro} who lived nearby. "[Please help me|I need your help], {f}!" [said|cried] {h}.

@worry
- {H}'s heart [beat fast|thumped|felt heavy].
- {H} did not know what to do.
- A [big|hot] tear rolled down {h}'s cheek.
- {H} felt a lump in {h.his} throat.
- {H}'s tummy felt [tight|funny and cold].

@home-supper
- That evening {h} and {p} [ate warm soup|ate {treat}|had supper together|sat by the fire], and {h} told {p.him} [all about it|the whole story|everything].
- When {h} came home, {p} [gave {h.him} a hug|was waiting at the door|had supper ready], and {h} told {p.him} [everything|the whole story].
- That night {h} [slept very well|fell asleep with a smile|dreamed sweet dreams].
