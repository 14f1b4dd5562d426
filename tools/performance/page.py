"""The whole page, README.md's part of it, and the pictures: written, or compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from performance import ladder, limits, peers, perplexity, placing, switched_off
from performance.markdown import FOLDER, Section, shown
from performance.pictures import Picture
from performance.rows import (
    ALL_FEATURES,
    Row,
    RowError,
    features,
    grouped,
    newest,
    place,
    program,
    read,
)

BEGIN, END = "<!-- performance: begin -->", "<!-- performance: end -->"

_HEAD = """\
# Performance

Generated from the rows in `benchmarks/results` by `python tools/performance_page.py`, text and
pictures; a test keeps it up to date. Of several rows that measure the same thing on the same
machine, the newest counts. Figures of other machines are welcome: run the commands below there and
commit the rows.

## How it is measured

- **By turns.** What is compared runs in alternating rounds (A B A B …), because a machine's speed
  drifts. Speeds are medians over the rounds. The ratio is the median over the rounds of Rung / the
  other program, so it need not be the quotient of the two medians; above 1, Rung is faster.
- **The same work.** Other programs read the same file (PyTorch: the same shapes, in bfloat16), with
  as many threads and tokens. Weights are random, in published shapes: no time depends on their
  values.
- **Beside a limit.** Each run measures what the machine could do: bytes that the threads can read
  from memory, products that they can multiply. Where others use the machine's memory as well, that
  changes from run to run, and shares of it with it; a ratio changes less.
- **Commit** is the source that ran, with a + where files differed from it.

[Benchmarks](benchmarks.md) and [the kernel lab](kernel-lab.md) explain what exactly is counted.

```sh
pip install "rung[plot]" llama-cpp-python
python benchmarks/measure.py         # all rows but llama2.c's, then this page; --help: parts of it
python tools/performance_page.py     # this page alone, from the rows there are
```
"""


@dataclass(frozen=True)
class Results:
    """The newest rows of each file."""

    kernels: list[Row]
    models: list[Row]
    llama2c: list[Row]
    perplexity: list[Row]
    placing: list[Row]

    @classmethod
    def of(cls, folder: Path) -> Results:
        """The rows in a folder; of what is missing, none. Raises RowError."""
        names = ("kernels", "models", "llama2c", "perplexity", "placing")
        return cls(*(newest(read(folder / f"{name}.jsonl")) for name in names))


@dataclass(frozen=True)
class Page:
    """docs/performance.md, what README.md says of it, and the pictures."""

    text: str
    readme: str
    pictures: tuple[Picture, ...]


def build(results: Results) -> Page:
    """The page that these rows make."""
    sections = list(_sections(results))
    lines = [_HEAD, *(line for section in sections for line in section.lines), *_missing(results)]
    pictures = tuple(picture for section in sections for picture in section.pictures)
    return Page("\n".join(lines).rstrip() + "\n", _readme(results), pictures)


def _sections(results: Results) -> Iterator[Section]:
    models = _unlimited(results.models)
    yield from peers.sections([*models, *_unlimited(results.llama2c)])
    if any(row["op"] == "decode" for row in models):
        yield limits.section(models)
    if any(row["op"] == "linear" for row in _unlimited(results.kernels)):
        yield ladder.section(_unlimited(results.kernels))
    yield switched_off.section(results.models, results.kernels)
    if results.perplexity:
        yield perplexity.section(results.perplexity)
    if results.placing:
        yield placing.section(results.placing)


def _unlimited(rows: Sequence[Row]) -> list[Row]:
    """Rows with all of the processor's features: only they stand beside each other."""
    return [row for row in rows if features(row) == ALL_FEATURES]


def _missing(results: Results) -> list[str]:
    commands = (
        (results.models, "Models beside llama.cpp", "python benchmarks/measure.py --only models"),
        (results.llama2c, "Models beside llama2.c", "python benchmarks/llama2c.py --save …"),
        (results.kernels, "The ladder of linear", "python benchmarks/measure.py --only ladders"),
        (results.perplexity, "Perplexity", "python benchmarks/measure.py --only perplexity"),
    )
    lines = [f"- {what}: `{command}` measures it." for rows, what, command in commands if not rows]
    return ["## Not measured yet", "", *lines, ""] if lines else []


def _readme(results: Results) -> str:
    """A picture of the first program, and a line for each: the place with the most rows."""
    lines: list[str] = []
    everything = _unlimited([*results.models, *results.llama2c])
    beside = [row for row in everything if program(row)]
    for name, rows in grouped(beside, program).items():
        most = max(grouped(rows, place).values(), key=len)
        if not lines:
            lines += shown(peers.picture(name, most), folder=f"docs/{FOLDER}")
        lines += [peers.summary(name, most), ""]
    lines += ["All figures, how they were measured, and the commands are in"]
    return "\n".join([*lines, "[docs/performance.md](docs/performance.md)."])


def write(page: Page, root: Path) -> None:
    """Writes page, README.md's part and pictures, and removes pictures of earlier pages."""
    from performance.drawing import svg

    readme = _with_part(root / "README.md", page.readme)
    folder = root / "docs" / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for old in _leftover(page.pictures, folder):
        old.unlink()
    for picture in page.pictures:
        (folder / picture.name).write_bytes(svg(picture))
    (root / "docs" / "performance.md").write_text(page.text, encoding="utf-8", newline="\n")
    (root / "README.md").write_text(readme, encoding="utf-8", newline="\n")


def stale(page: Page, root: Path) -> list[str]:
    """What is not as these rows make it, a line each.

    Text is compared as it is. Of a picture, the digest that it carries: other versions of
    matplotlib draw the same data with other bytes.
    """
    folder = root / "docs" / FOLDER
    found = []
    path = root / "docs" / "performance.md"
    if not path.exists() or path.read_text(encoding="utf-8") != page.text:
        found.append("docs/performance.md")
    if (root / "README.md").read_text(encoding="utf-8") != _with_part(
        root / "README.md", page.readme
    ):
        found.append("README.md")
    for picture in page.pictures:
        file = folder / picture.name
        if not file.exists() or picture.digest not in file.read_text(encoding="utf-8"):
            found.append(f"docs/{FOLDER}/{picture.name}")
    found += [
        f"docs/{FOLDER}/{old.name} (no row makes it)" for old in _leftover(page.pictures, folder)
    ]
    return found


def _leftover(pictures: Sequence[Picture], folder: Path) -> list[Path]:
    names = {picture.name for picture in pictures}
    return sorted(path for path in folder.glob("*.svg") if path.name not in names)


def _with_part(path: Path, part: str) -> str:
    """README.md with the lines between its two marks replaced. Raises RowError without them."""
    text = path.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise RowError(f"{path} has no lines {BEGIN} and {END}, between which figures belong")
    return f"{before}{begin}\n{part}\n{end}{after}"
