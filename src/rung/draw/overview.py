"""A whole plan, as it is drawn: splits by memory from top to bottom, copies between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, groupby

from rung.backends.base import HOST, Backend
from rung.draw.colors import BACKENDS
from rung.draw.fold import NumberedSplit, Unit, fold, numbered_splits
from rung.draw.names import bare, layer_of, number_in, progression, ranges, renumbered
from rung.graph.ir import Node, Tensor
from rung.schedule.plan import Plan
from rung.schedule.split import Copy
from rung.schedule.units import size_text, time_text

INPUTS, WEIGHTS, RESULTS = "inputs", "weights", "results"


@dataclass(frozen=True)
class Stop:
    """A box of the overview: a split (or one for many that are alike), or an end of the road.

    lines: its words; the first is its title. color: number of a backend's color, None for what no
    backend computes. splits: the numbers of all splits that it stands for.
    """

    key: str
    memory: str
    lines: tuple[str, ...]
    color: int | None = None
    splits: tuple[int, ...] = ()


@dataclass(frozen=True)
class CopyArrow:
    """Copies from one box to another, a label for each tensor, or for those of several layers."""

    source: str
    target: str
    labels: tuple[str, ...]
    copies: tuple[Copy, ...]


@dataclass(frozen=True)
class Repeat:
    """The boxes from `first` to `last` run several times."""

    first: str
    last: str
    text: str


@dataclass(frozen=True)
class Overview:
    """Everything that is drawn. memories: the lanes, from left to right."""

    memories: tuple[str, ...]
    stops: tuple[Stop, ...]
    arrows: tuple[CopyArrow, ...]
    repeats: tuple[Repeat, ...]


def color_of(plan: Plan, backend: Backend) -> int:
    """The number of a backend's color: the host is always 0."""
    number = len(plan.problem.backends) - 1 - plan.problem.priority(backend)
    return number % len(BACKENDS)


def overview(plan: Plan) -> Overview:
    """What is drawn of a plan."""
    return _Drawing(plan).drawn()


class _Drawing:
    """Collects boxes and arrows, unit by unit."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        graph = plan.problem.graph
        self._sizes: dict[int, int] = {}  # nodes of each layer
        for node in graph.nodes:
            if (layer := layer_of(node)) is not None:
                self._sizes[layer] = self._sizes.get(layer, 0) + 1
        last = max(
            (i for i, node in enumerate(graph.nodes) if layer_of(node) is not None), default=-1
        )
        self._after = set(graph.nodes[last + 1 :]) if self._sizes else set()
        self._stops: list[Stop] = []
        self._arrows: dict[tuple[str, str], list[tuple[Copy, ...]]] = {}
        self._repeats: list[Repeat] = []
        self._made: dict[Tensor, str] = {}  # the box that makes each activation
        if any(copy.tensor.role == "weight" for copy in plan.copies):
            self._stops.append(Stop(WEIGHTS, HOST, ("weights on the host",)))
        self._end(INPUTS, graph.of_role("input"), "inputs")

    def drawn(self) -> Overview:
        plan = self._plan
        for unit in fold(numbered_splits(plan)):
            self._unit(unit)
        self._end(RESULTS, plan.problem.graph.outputs, "results")
        for copy in plan.outputs:
            self._copy([copy], RESULTS)
        memories = dict.fromkeys([HOST, *(b.memory for b in reversed(plan.problem.backends))])
        used = {stop.memory for stop in self._stops}
        return Overview(
            tuple(memory for memory in memories if memory in used),
            tuple(self._stops),
            tuple(
                CopyArrow(source, target, self._labels(found), tuple(chain.from_iterable(found)))
                for (source, target), found in self._arrows.items()
            ),
            tuple(self._repeats),
        )

    def _end(self, key: str, tensors: Sequence[Tensor], title: str) -> None:
        named = [self._named(tensor.root.name, [tensor.root]) for tensor in tensors]
        lines = [", ".join(named[at : at + 2]) for at in range(0, len(named), 2)]
        self._stops.append(Stop(key, HOST, (title, *lines)))

    def _unit(self, unit: Unit) -> None:
        keys = []
        for alike in zip(*unit.turns, strict=True):
            first = alike[0]
            keys.append(f"split{first.number}")
            self._stops.append(self._stop(keys[-1], alike))
            for copies in zip(*(numbered.copies for numbered in alike), strict=True):
                self._copy(copies, keys[-1])
            for numbered in alike:
                for node in numbered.split.nodes:
                    self._made[node.output.root] = keys[-1]
        if len(unit.turns) > 1:
            self._repeats.append(Repeat(keys[0], keys[-1], f"× {len(unit.turns)}"))

    def _stop(self, key: str, alike: Sequence[NumberedSplit]) -> Stop:
        split, problem = alike[0].split, self._plan.problem
        numbers = [numbered.number for numbered in alike]
        shifts = [numbered.layer - alike[0].layer for numbered in alike]
        seconds = sum(problem.seconds(split.backend, node) for node in split.nodes)
        count = len(split.nodes)
        each = " each" if len(numbers) > 1 else ""
        title = f"split #{numbers[0]}"
        if len(numbers) > 1:
            title = f"splits #{numbers[0]}, #{numbers[1]}" + (
                f" … #{numbers[-1]}" if len(numbers) > 2 else ""
            )
        lines = (
            f"{title}: {split.backend.name}",
            *self._parts(split.nodes, shifts),
            f"{count} node{'s' if count > 1 else ''}, {time_text(seconds)}{each}",
        )
        color = color_of(self._plan, split.backend)
        return Stop(key, split.backend.memory, lines, color, tuple(numbers))

    def _parts(self, nodes: Sequence[Node], shifts: Sequence[int]) -> list[str]:
        """What a split does, in words: the input, whole layers, parts of layers, the output."""
        by_layer: dict[int | str, list[Node]] = {}
        for node in nodes:
            layer = layer_of(node)
            rest = "output" if node in self._after else "input" if self._sizes else "nodes"
            by_layer.setdefault(rest if layer is None else layer, []).append(node)
        whole = [n for n in by_layer if isinstance(n, int) and len(by_layer[n]) == self._sizes[n]]
        lines = []
        for kind, found in groupby(by_layer, key=lambda n: "whole" if n in whole else n):
            if kind == "whole":
                numbers = sorted(n for n in found if isinstance(n, int))
                text = ranges(numbers)
                if len(shifts) > 1:
                    text = " + ".join(progression([n + s for s in shifts]) for n in numbers)
                lines.append(f"layer{'s' if len(numbers) > 1 else ''} {text}")
                continue
            names = list(dict.fromkeys(bare(node.name) for node in by_layer[kind]))
            text = " … ".join([names[0], names[-1]]) if len(names) > 2 else ", ".join(names)
            if isinstance(kind, int):
                count, every = len(by_layer[kind]), self._sizes[kind]
                layers = progression([kind + shift for shift in shifts])
                lines += [f"layer {layers}, {count} of {every} nodes:", f"  {text}"]
            else:
                lines.append(f"{kind}: {text}")
        return lines

    def _copy(self, turns: Sequence[Copy], target: str) -> None:
        """A copy, or the same for each turn of a unit, drawn as the first turn has it."""
        ends = {"input": INPUTS, "weight": WEIGHTS}
        source = ends.get(turns[0].tensor.role) or self._made[turns[0].tensor]
        self._arrows.setdefault((source, target), []).append(tuple(turns))

    def _labels(self, arrow: Sequence[tuple[Copy, ...]]) -> tuple[str, ...]:
        """A label for each tensor, or one for those that differ in their layer only."""
        alike: dict[tuple[str, int], list[tuple[Copy, ...]]] = {}
        for turns in arrow:
            tensor = turns[0].tensor
            key = (renumbered(tensor.name, lambda _: "*"), self._plan.problem.size_bytes(tensor))
            alike.setdefault(key, []).append(turns)
        labels = []
        for (name, _), found in alike.items():
            numbers = {number_in(copy.tensor.name) for turns in found for copy in turns}
            text = progression(sorted(n for n in numbers if n is not None)) if "*" in name else ""
            tensors = [turns[0].tensor for turns in found]
            labels.append(self._named(name.replace("*", text), tensors))
        return tuple(labels)

    def _named(self, name: str, tensors: Sequence[Tensor]) -> str:
        size = size_text(self._plan.problem.size_bytes(tensors[0]))
        return f"{name} ({f'{len(tensors)} × ' if len(tensors) > 1 else ''}{size})"
