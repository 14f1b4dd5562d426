"""Drawings as Mermaid flowcharts, which GitHub and other Markdown viewers show."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from rung.draw.colors import BACKENDS, PAPER
from rung.draw.layers import LayerDrawing, layer_drawings
from rung.draw.overview import WEIGHTS, Overview, Stop, overview
from rung.schedule.plan import Plan
from rung.schedule.show import summary

# What would end a quoted text, or begin an entity or a tag in it.
_ENTITIES = {'"': "#quot;", "#": "#35;", "<": "#lt;", ">": "#gt;", "&": "#amp;"}
_SHAPES = {"weight": ('["', '"]'), "input": ('(["', '"])'), "state": ('[("', '")]')}


def markdown(plans: Iterable[Plan]) -> str:
    """Overviews and layers of plans as Markdown: a heading and a block for each drawing."""
    parts = []
    for plan in plans:
        title, _, rest = summary(plan).partition(": ")
        parts += [f"## {title}", rest, _block(overview_chart(overview(plan)))]
        for drawn in layer_drawings(plan):
            parts += [f"### {drawn.title}", _block(layer_chart(drawn))]
    return "\n\n".join(parts)


def _block(lines: Iterable[str]) -> str:
    return "\n".join(["```mermaid", *lines, "```"])


def _chart(lines: Sequence[str]) -> Iterator[str]:
    """A flowchart, top down, with the classes that its nodes have."""
    yield "flowchart TD"
    used = {line.rpartition(":::")[2] for line in lines if ":::" in line}
    yield from (line for name, line in _classes().items() if name in used)
    yield from lines


def overview_chart(drawn: Overview) -> Iterator[str]:
    """A flowchart of splits, a subgraph for each memory; copies are dashed."""
    return _chart(list(_overview_lines(drawn)))


def _overview_lines(drawn: Overview) -> Iterator[str]:
    times = _times(drawn)
    lanes = [
        (memory, [stop for stop in drawn.stops if stop.memory == memory])
        for memory in drawn.memories
    ]
    for lane, (memory, stops) in enumerate(lanes):
        yield f'    subgraph memory{lane}["{_escaped(memory)} memory"]'
        for stop in stops:
            first = f"{stop.lines[0]}{times.get(stop.key, '')}"
            yield f"        {_node(stop.key, [first, *stop.lines[1:]], stop.color)}"
        yield "    end"
    links = _Links()
    for _, stops in lanes:
        for stop, after in pairwise(stop for stop in stops if stop.key != WEIGHTS):
            yield links.line(stop.key, after.key)
    for arrow in drawn.arrows:
        yield links.line(arrow.source, arrow.target, arrow.labels, copied=True)
    yield from links.styles()


def _times(drawn: Overview) -> dict[str, str]:
    """How often boxes run that run more than once, as the end of their titles."""
    at = {stop.key: index for index, stop in enumerate(drawn.stops)}
    inside: dict[str, str] = {}
    for repeat in drawn.repeats:
        repeated: Sequence[Stop] = drawn.stops[at[repeat.first] : at[repeat.last] + 1]
        inside.update({stop.key: f" ({repeat.text})" for stop in repeated})
    return inside


def layer_chart(drawn: LayerDrawing) -> Iterator[str]:
    """A flowchart of one layer: ops, and at their side what they read of weights and states."""
    return _chart(list(_layer_lines(drawn)))


def _layer_lines(drawn: LayerDrawing) -> Iterator[str]:
    links = _Links()
    outputs = {box.key: box.output for box in drawn.boxes}
    for box in drawn.boxes:
        yield f"    {_node(box.key, box.lines, box.color)}"
        for index, side in enumerate(box.sides):
            key = f"{box.key}side{index}"
            opening, closing = _SHAPES[side.kind]
            yield f"    {key}{opening}{_text(side.lines)}{closing}:::{side.kind}"
            yield links.line(key, box.key, copied=side.copied)
    for link in drawn.links:
        yield links.line(link.source, link.target, [outputs[link.source]], copied=link.copied)
    yield from links.styles()


class _Links:
    """Lines for links, counted: styles name them by number."""

    def __init__(self) -> None:
        self._count = 0
        self._copies: list[int] = []

    def line(
        self, source: str, target: str, labels: Sequence[str] = (), *, copied: bool = False
    ) -> str:
        """A link as a line; dashed for a copy."""
        if copied:
            self._copies.append(self._count)
        self._count += 1
        label = f'|"{_text(labels)}"|' if labels else ""
        return f"    {source} {'-.->' if copied else '-->'}{label} {target}"

    def styles(self) -> Iterator[str]:
        """The color of copies, where there are any."""
        if self._copies:
            numbers = ",".join(map(str, self._copies))
            yield f"    linkStyle {numbers} stroke:{PAPER['copy'].line[0]}"


def _classes() -> dict[str, str]:
    """Light colors with dark words, which read well in light and dark surroundings alike."""
    words = PAPER["words"].line[0]
    shades = {f"b{index}": shade for index, shade in enumerate(BACKENDS)}
    shades |= {"terminal": PAPER["end"], "weight": PAPER["side"], "input": PAPER["side"]}
    shades |= {"state": PAPER["state"]}
    return {
        name: f"    classDef {name} fill:{shade.fill[0]},stroke:{shade.line[0]},color:{words}"
        for name, shade in shades.items()
    }


def _node(key: str, lines: Sequence[str], color: int | None) -> str:
    kind = "terminal" if color is None else f"b{color}"
    return f'{key}["{_text(lines)}"]:::{kind}'


def _text(lines: Sequence[str]) -> str:
    return "<br/>".join(_escaped(line.strip()) for line in lines)


def _escaped(text: str) -> str:
    return "".join(_ENTITIES.get(letter, letter) for letter in text)
