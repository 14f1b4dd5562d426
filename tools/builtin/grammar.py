"""story = generate(rng): a short children's story, made from the plot files and the word lists.

A story keeps what it has chosen: each role, object and place is drawn once, the first time that a
template names it, and is the same from then on.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from random import Random

import words
from plot import Beat, Option, Plot, plots, sections
from template import TemplateError, expand, tidy

PRONOUNS = {
    "he": {"he": "he", "him": "him", "his": "his", "self": "himself", "boy": "boy", "son": "son"},
    "she": {"he": "she", "him": "her", "his": "her", "self": "herself", "boy": "girl"}
    | {"son": "daughter"},
}


@dataclass(slots=True)
class Character:
    """Somebody in a story: how they are named, spoken to, introduced and referred to."""

    name: str
    kind: words.Kind
    gender: str
    named: bool = True
    trait: str = ""
    intro: str = ""
    voc: str = ""
    home: str = ""

    @property
    def human(self) -> bool:
        return self.kind.group in ("human", "royal")

    def form(self, attribute: str) -> str:
        """The text for `{role.attribute}`. Raises KeyError on an attribute nobody has."""
        if attribute == "":
            return self.name
        if attribute in PRONOUNS[self.gender]:
            return PRONOUNS[self.gender][attribute]
        forms = {
            "kind": self.kind.noun,
            "trait": self.trait,
            "home": self.home,
            "voc": self.voc or self.name,
            "intro": self.intro or f"a {self.kind.noun} named {self.name}",
            "full": self.name if self.human else f"{self.name} the {self.kind.noun}",
        }
        return forms[attribute]


class Teller:
    """Tells one story of a plot: draws what the templates ask for and remembers it."""

    def __init__(self, rng: Random, plot: Plot, *, brief: bool = False) -> None:
        self.rng = rng
        self.plot = plot
        self.brief = brief
        self.fields: dict[str, str] = {}
        self.drawn: dict[str, dict[str, str]] = {}
        self.roles: dict[str, Character] = {}
        self.said: list[str] = []
        self.known = {"h", "p"}
        for table in plot.tables:
            row = rng.choice(table.rows)
            self.fields |= dict(zip(table.columns, row, strict=True))
        self._cast_hero()
        self._cast_others()
        self._set_scene()

    # Casting -------------------------------------------------------------------------------

    def _kind(self, *, like: words.Kind | None = None) -> words.Kind:
        rng = self.rng
        if like is None:
            kinds: list[words.Kind] = [*words.CHILDREN] * 20 + words.ROYALS + words.ANIMALS
            if "animal" in self.plot.words("hero"):
                kinds = words.ANIMALS
            if "human" in self.plot.words("hero"):
                kinds = words.CHILDREN
            return rng.choice(kinds)
        if like.group in ("human", "royal"):
            return rng.choice(words.CHILDREN)
        near = {"wood", "farm", "water"} if like.group in ("wood", "farm", "water") else {"wood"}
        if like.group in ("far", "ice"):
            near = {like.group}
        taken = {who.kind.noun.split()[-1] for who in self.roles.values()}
        kinds = [kind for kind in words.ANIMALS if kind.group in near]
        kinds = [kind for kind in kinds if kind.noun.split()[-1] not in taken]
        return rng.choice(kinds)

    def _name(self, kind: words.Kind, gender: str) -> str:
        child = kind.group in ("human", "royal") or self.rng.random() < 0.3
        if self.rng.random() < 0.08:
            parts = (words.NAME_HEADS, words.NAME_MIDDLES, words.NAME_TAILS)
            return "".join(self.rng.choice(part) for part in parts)
        pools = {
            ("she", True): words.GIRL_NAMES,
            ("he", True): words.BOY_NAMES,
            ("she", False): words.SHE_ANIMAL_NAMES,
            ("he", False): words.HE_ANIMAL_NAMES,
        }
        taken = {who.name for who in self.roles.values()}
        while True:
            name = self.rng.choice(pools[gender, child])
            if all(name[:3] != other[:3] for other in taken):
                return name

    def _gender(self, kind: words.Kind) -> str:
        fixed = {"hen": "she", "rooster": "he", "cow": "she", "ladybug": "she"}
        return kind.gender or fixed.get(kind.noun) or self.rng.choice(["he", "she"])

    def _cast_hero(self) -> None:
        kind = self._kind()
        gender = self._gender(kind)
        hero = Character(self._name(kind, gender), kind, gender)
        hero.trait = self.rng.choice(self.plot.words("traits") or words.TRAITS)
        if not hero.human and self.rng.random() < 0.12:
            hero.named = False
            hero.name = f"the {kind.noun}"
            hero.voc = f"little {kind.noun}".replace("little little", "little")
            hero.intro = f"a little {kind.noun}".replace("little little", "little")
        self.roles["h"] = hero

    def _cast_others(self) -> None:
        rng, hero = self.rng, self.roles["h"]
        for role in "fn":
            kind = self._kind(like=hero.kind)
            gender = self._gender(kind)
            self.roles[role] = Character(self._name(kind, gender), kind, gender)
        name, gender, relation = rng.choice(words.FAMILY)
        parent = words.Kind(relation, hero.kind.home, hero.kind.group)
        self.roles["p"] = Character(name, parent, gender, intro=name)
        self.roles["w"] = self._neighbor(hero)

    def _neighbor(self, hero: Character) -> Character:
        rng = self.rng
        gender = rng.choice(["he", "she"])
        title = "Mr." if gender == "he" else "Mrs."
        if hero.human:
            job = rng.choice(words.NEIGHBOR_JOBS)
            name = f"{title} {rng.choice(words.SURNAMES)}"
            kind = words.Kind(job, "a little shop", "human")
            return Character(name, kind, gender, intro=f"{name}, the {job},")
        taken = {who.kind.noun for who in self.roles.values()}
        animals = [noun for noun in words.NEIGHBOR_ANIMALS if noun.lower() not in taken]
        if gender == "he":
            animals = [noun for noun in animals if noun not in ("Hen", "Goose")]
        animal = rng.choice(animals)
        kind = words.Kind(animal.lower(), "a little house", "wood")
        return Character(f"{title} {animal}", kind, gender, intro=f"old {title} {animal}")

    def _set_scene(self) -> None:
        rng, hero = self.rng, self.roles["h"]
        hero.home = self.expand(hero.kind.home)
        intro, name, at = rng.choice(words.PLACES[hero.kind.group])
        self.drawn["place"] = {"": name, "at": at, "intro": self.expand(intro)}
        season = rng.choice(self.plot.words("season") or ["spring", "summer", "autumn"])
        part = rng.choice(self.plot.words("part") or ["morning", "morning", "afternoon", "day"])
        looks = words.NIGHTS if part in ("night", "evening") else words.SEASONS
        look = rng.choice(looks[season])
        when = rng.choice([f"{look} {season} {part}", f"{look} {part}", f"{season} {part}"])
        plain = [f"one {part}", f"one {when}", f"one {when}", f"on a {when}"]
        self.fields["when"] = ""
        oneday = rng.choice(plain)
        if when in oneday:
            self.fields["when"] = when
        self.fields |= {"oneday": oneday, "season": season, "part": part}
        self.fields["duo"] = "yes" if "duo" in self.plot.settings else ""
        self.fields["lesson"] = rng.choice(self.plot.settings["lesson"])
        self.fields["feel"] = rng.choice(self.plot.words("feel") or ["happy", "glad", "proud"])

    # Looking up ----------------------------------------------------------------------------

    def lookup(self, name: str, attribute: str) -> str:
        """The text for `{name.attribute}`, drawn now if the story has not needed it before."""
        capital = name[0].isupper()
        key = name.lower()
        text = self._value(key, attribute)
        return text[:1].upper() + text[1:] if capital else text

    def _value(self, key: str, attribute: str) -> str:
        if key in self.roles:
            return self._refer(key, attribute)
        if key in self.fields:
            if "{" in self.fields[key] or "[" in self.fields[key]:
                self.fields[key] = self.expand(self.fields[key])
            return self.fields[key]
        if key not in self.drawn:
            self.drawn[key] = self._draw(key)
        if attribute not in self.drawn[key]:
            raise TemplateError(f"{{{key}}} has no attribute {attribute!r} ({self.plot.name})")
        return self.drawn[key][attribute]

    def _refer(self, role: str, attribute: str) -> str:
        """The role's form; whoever is named before being introduced is introduced then."""
        who = self.roles[role]
        if role in self.known or attribute not in ("", "intro", "full", "name"):
            return who.form("" if attribute == "name" else attribute)
        self.known.add(role)
        if attribute == "" and role in "fn":
            return f"{self.roles['h'].form('his')} friend {who.form('full')}"
        return who.form({"": "intro", "name": ""}.get(attribute, attribute))

    def _draw(self, key: str) -> dict[str, str]:
        pool = key.rstrip("0123456789")
        if pool not in words.POOLS:
            raise TemplateError(f"nobody knows the field {{{key}}} (plot {self.plot.name})")
        columns, rows = words.POOLS[pool]
        taken = [
            drawn[columns[0]]
            for other, drawn in self.drawn.items()
            if other.rstrip("0123456789") == pool
        ]
        barred = set(taken) | {word for word in self.fields.values() if word}
        free = [row for row in rows if row.split(" | ")[0] not in barred]
        cells = self.rng.choice(free).split(" | ")
        drawn = dict(zip(columns, cells, strict=True))
        if pool == "thing":
            drawn["adj"] = self.rng.choice(drawn["adj"].split(", "))
            drawn[""] = f"{drawn['adj']} {drawn['noun']}"
        return drawn

    def expand(self, template: str) -> str:
        """One realization of a template in this story."""
        return expand(template, self.rng, self.lookup)

    def holds(self, condition: str) -> bool:
        """Whether a condition such as 'human', '!named' or 'ending=kind' is true here."""
        if condition.startswith("!"):
            return not self.holds(condition[1:])
        name, equals, value = condition.partition("=")
        if equals:
            return self._value(*name.partition(".")[::2]) == value
        hero = self.roles["h"]
        flags = {
            "human": hero.human,
            "named": hero.named,
            "brief": self.brief,
            "duo": self.fields["duo"] == "yes",
            "when": bool(self.fields["when"]),
            "wonder": hero.kind.group == "wonder",
        }
        return flags[name] if name in flags else bool(self.fields[name])

    def eligible(self, beat: Beat) -> list[Option]:
        """The options of the beat whose conditions hold."""
        return [o for o in beat.options if all(self.holds(part) for part in o.conditions)]

    # Telling -------------------------------------------------------------------------------

    def tell(self, beats: list[Beat]) -> None:
        """Tell these beats, one after another."""
        for beat in beats:
            if beat.kind == "paragraph":
                self.said.append("\n\n")
                continue
            if beat.kind == "include":
                self.tell(sections("shared.plot")[beat.name])
                continue
            if beat.optional and self.rng.random() > (0.15 if self.brief else 0.55):
                continue
            options = self.eligible(beat)
            if options:
                self.said.append(self.expand(self.rng.choice(options).text))

    def text(self) -> str:
        """What has been told, tidied."""
        paragraphs = " ".join(self.said).split("\n\n")
        return "\n\n".join(tidy(paragraph) for paragraph in paragraphs if paragraph.strip())


@dataclass(slots=True)
class Story:
    """A told story, and the teller, who can be asked about it."""

    text: str
    teller: Teller


def generate(rng: Random, *, brief: bool = False, plot: str = "") -> Story:
    """A story of the named plot, or of any; a brief one leaves most optional scenes out."""
    choices = [p for p in plots() if plot in ("", p.name)]
    teller = Teller(rng, rng.choice(choices), brief=brief)
    shared = sections("shared.plot")
    teller.tell(shared["opening"])
    teller.tell(teller.plot.beats)
    teller.tell(shared["closing"])
    return Story(teller.text(), teller)


def main() -> None:
    """Print some stories, to be proof-read."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--count", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--plot", default="")
    parser.add_argument("--brief", action="store_true")
    options = parser.parse_args()
    for index in range(options.count):
        rng = Random(f"{options.seed}-{index}")
        story = generate(rng, brief=options.brief, plot=options.plot)
        print(f"--- {story.teller.plot.name}, {len(story.text.split())} words\n{story.text}\n")


if __name__ == "__main__":
    main()
