"""turns = generate_chat(rng): a talk with a storyteller, made from the stories and chat.txt.

A request is always written from the story that answers it, and so the answer honors the request.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from grammar import Story, generate
from plot import sections
from template import tidy

# A conversation has to fit into the training window of 512 tokens (about 1.5 tokens to a word).
MAX_WORDS = 315


@dataclass(slots=True)
class Chat:
    """A conversation: what the user said and what was answered, with a system prompt or ''."""

    turns: list[tuple[str, str]] = field(default_factory=list)
    system: str = ""

    @property
    def words(self) -> int:
        return len(self.system.split()) + sum(len(" ".join(t).split()) for t in self.turns)

    def prompts(self) -> list[tuple[str, str]]:
        """(prompt, answer) of every turn in the form of Llama 2, each to stand in BOS ... EOS."""
        pairs = []
        for index, (user, answer) in enumerate(self.turns):
            system = f"<<SYS>>\n{self.system}\n<</SYS>>\n\n" if self.system and not index else ""
            pairs.append((f"[INST] {system}{user} [/INST]", answer))
        return pairs


class Speaker:
    """Says the lines of chat.txt about one story."""

    def __init__(self, rng: Random, story: Story) -> None:
        self.rng = rng
        self.story = story
        self.teller = story.teller
        self.lines = sections("chat.txt")
        fields = self.teller.fields
        settings = self.teller.plot.settings
        friend, text = self.teller.roles["f"], story.text
        told = friend.name in text and (friend.human or friend.kind.noun in text)
        fields["friend"] = "yes" if told and "f" in self.teller.known else ""
        fields["where"] = (
            "yes" if self.teller.drawn["place"]["intro"].lower() in text.lower() else ""
        )
        about = [a for a in settings["about"] if told or "{f}" not in a]
        fields["about"] = rng.choice(about)
        fields["with"] = rng.choice(settings.get("with", about))
        fields["hero"] = self.line("hero")
        fields["subject"] = self.line("subject")
        fields["n1"] = str(rng.randint(1, rng.choice([10, 100])))
        fields["n2"] = str(rng.randint(1, rng.choice([10, 100])))

    def options(self, name: str) -> list[str]:
        """The lines of a section whose conditions hold, not yet expanded."""
        return [option.text for beat in self.lines[name] for option in self.teller.eligible(beat)]

    def line(self, name: str) -> str:
        """One line of a section."""
        return self.teller.expand(self.rng.choice(self.options(name)))

    def pair(self, name: str) -> tuple[str, str]:
        """What the user says and what is answered."""
        return tidy(self.line(name)), tidy(self.line(f"{name}.answer"))

    def request(self, name: str, *, lead: bool = True) -> tuple[str, str]:
        """A request for this story, and the story."""
        chosen = self.rng.choice(self.options(name))
        user = self.teller.expand(chosen)
        subject = "{subject}" in chosen
        answer = self.story.text
        if lead and self.rng.random() < 0.2:
            answer = tidy(self.line("lead" if subject else "lead-any")) + "\n\n" + answer
        return self.casual(user), answer

    def casual(self, user: str) -> str:
        """What the user said, tidied, and sometimes typed in a hurry."""
        tidied = tidy(user)
        if user[0].islower():
            tidied = user[0] + tidied[1:]
        if self.rng.random() < 0.12:
            tidied = tidied[0].lower() + tidied[1:].rstrip(".?!")
        if self.rng.random() < 0.04:
            tidied = tidied.lower()
        return tidied

    def questions(self, count: int) -> list[tuple[str, str]]:
        """Up to this many different questions about the story, with their answers."""
        pairs = list(self.teller.plot.settings.get("ask", []))
        pairs = [pair for pair in pairs if self.teller.fields["friend"] or "{F}" not in pair]
        for name in self.lines:
            if name.startswith("ask-") and self.options(name):
                pairs.append(self.rng.choice(self.options(name)))
        found = []
        for pair in self.rng.sample(pairs, min(count, len(pairs))):
            question, answer = pair.split(" | ")
            expanded = tidy(self.teller.expand(question))
            found.append((self.casual(expanded), tidy(self.teller.expand(answer))))
        return found


def _talk(rng: Random, speaker: Speaker) -> list[tuple[str, str]]:
    """Small talk that comes before a story."""
    names = rng.sample(["greet", "who", "can", "beyond"], rng.choice([1, 1, 2, 3]))
    names.sort(key=lambda name: name != "greet")
    return [speaker.pair(name) for name in names]


def _story(rng: Random, *, brief: bool) -> Story:
    story = generate(rng, brief=brief)
    while brief and len(story.text.split()) > 235:
        story = generate(rng, brief=brief)
    return story


def generate_chat(rng: Random) -> Chat:
    """A conversation of one to seven turns."""
    chat = Chat()
    if rng.random() < 0.12:
        chat.system = tidy(rng.choice(sections("chat.txt")["system"][0].options).text)
    story = _story(rng, brief=rng.random() < 0.6)
    speaker = Speaker(rng, story)
    if chat.system:
        chat.system = tidy(speaker.line("system"))
    turns: list[tuple[str, str]] = []
    shape = rng.random()
    if shape < 0.14:  # small talk, and nothing else
        turns = _talk(rng, speaker)
        if rng.random() < 0.5:
            turns.append(speaker.pair(rng.choice(["bye", "beyond", "who", "can"])))
    elif shape < 0.26:  # a question that is beyond it, an offer, and the story that was offered
        if rng.random() < 0.3:
            turns.append(speaker.pair("greet"))
        turns.append(speaker.pair("beyond"))
        turns.append((speaker.casual(speaker.line("yes")), story.text))
    else:
        if rng.random() < 0.15:
            turns += _talk(rng, speaker)
        turns.append(speaker.request("request" if rng.random() < 0.88 else "request-any"))
    if shape >= 0.14:
        turns += speaker.questions(rng.choice([0, 1, 1, 2, 2, 3, 4]))
        if rng.random() < 0.3:
            turns.append(speaker.pair("thanks"))
        if rng.random() < 0.35:
            again = Speaker(rng, _story(rng, brief=True))
            turns.append(again.request("request-another", lead=False))
            turns += again.questions(rng.choice([0, 1, 2]))
        elif rng.random() < 0.2:
            turns.append(speaker.pair("bye"))
        elif rng.random() < 0.1:
            turns.append(speaker.pair("beyond"))
    for turn in turns:
        chat.turns.append(turn)
        if chat.words > MAX_WORDS + (0 if len(chat.turns) > 1 else 60):
            if len(chat.turns) > 1:
                chat.turns.pop()
            break
    return chat
