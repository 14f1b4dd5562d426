"""Plot files: a header of settings and tables, then beats, each a choice among alternatives.

name: lost                     settings, one to a line; a key may come again
table hiding: where | clue     one row is drawn for a story; its columns become fields
  under a log | a red thread
---
- One way to say it.           a beat: one of its alternatives is told
- Another way, which may
  go on in the next line.

-? A beat that is told only sometimes.
- (human, ending=kind) An alternative for some stories only.

==                             a new paragraph
+ thanks                       the beats of that name in shared.plot
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path

PLOT_DIR = Path(__file__).parent / "plots"


@dataclass(frozen=True, slots=True)
class Option:
    """One alternative of a beat, with the conditions under which it may be told."""

    text: str
    conditions: tuple[str, ...] = ()


@dataclass(slots=True)
class Beat:
    """A step of a story: one of its options is told (kind 'tell'), or it is '==' or '+ name'."""

    kind: str
    options: list[Option] = field(default_factory=list)
    optional: bool = False
    name: str = ""


@dataclass(slots=True)
class Table:
    """Rows of fields that belong together."""

    columns: list[str]
    rows: list[list[str]]


@dataclass(slots=True)
class Plot:
    """A plot family: its settings, its tables and its beats."""

    settings: dict[str, list[str]]
    tables: list[Table]
    beats: list[Beat]

    @property
    def name(self) -> str:
        return self.settings["name"][0]

    def words(self, key: str) -> list[str]:
        """The words of a setting that is a list of words."""
        return [word for line in self.settings.get(key, []) for word in line.split()]


def _cells(line: str) -> list[str]:
    """The cells of a table row; a '|' inside brackets belongs to its template."""
    cells, depth = [""], 0
    for char in line:
        depth += {"[": 1, "]": -1}.get(char, 0)
        if char == "|" and depth == 0:
            cells.append("")
        else:
            cells[-1] += char
    return [cell.strip() for cell in cells]


def _option(text: str) -> Option:
    if text.startswith("("):
        conditions, _, rest = text[1:].partition(")")
        return Option(rest.strip(), tuple(part.strip() for part in conditions.split(",")))
    return Option(text.strip())


def parse_beats(lines: list[str]) -> list[Beat]:
    """The beats written in these lines."""
    beats: list[Beat] = []
    raw: list[str] = []
    optional = False

    def close() -> None:
        nonlocal optional
        if raw:
            beats.append(Beat("tell", [_option(text) for text in raw], optional))
        raw.clear()
        optional = False

    for line in lines:
        if not line.strip():
            close()
        elif line.startswith("- "):
            raw.append(line[2:].strip())
        elif line.startswith("-? "):
            optional = True
            raw.append(line[3:].strip())
        elif line.startswith("  "):
            raw[-1] += " " + line.strip()
        elif line.strip() == "==":
            close()
            beats.append(Beat("paragraph"))
        elif line.startswith("+ "):
            close()
            beats.append(Beat("include", name=line[2:].strip()))
        elif not line.startswith("#"):
            raise ValueError(f"not a line of a plot: {line!r}")
    close()
    return beats


def parse_plot(text: str) -> Plot:
    """The plot in the text of a plot file."""
    header, _, body = text.partition("\n---\n")
    settings: dict[str, list[str]] = {}
    tables: list[Table] = []
    for line in header.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith("  "):
            row = _cells(line)
            if len(row) != len(tables[-1].columns):
                raise ValueError(f"{len(tables[-1].columns)} columns expected: {line!r}")
            tables[-1].rows.append(row)
            continue
        key, _, value = line.partition(":")
        if key.startswith("table"):
            tables.append(Table(_cells(value), []))
        else:
            settings.setdefault(key.strip(), []).append(value.strip())
    return Plot(settings, tables, parse_beats(body.splitlines()))


@lru_cache(maxsize=1)
def plots() -> list[Plot]:
    """All the plot families, in the order of their file names."""
    paths = sorted(PLOT_DIR.glob("*.plot"))
    return [parse_plot(path.read_text("utf-8")) for path in paths if path.stem != "shared"]


@cache
def sections(name: str) -> dict[str, list[Beat]]:
    """The named groups of beats ('@name' lines) of a file such as shared.plot or chat.txt."""
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in (PLOT_DIR / name).read_text("utf-8").splitlines():
        if line.startswith("@"):
            lines = found.setdefault(line[1:].strip(), [])
        else:
            lines.append(line)
    return {key: parse_beats(body) for key, body in found.items()}
