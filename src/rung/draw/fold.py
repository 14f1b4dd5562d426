"""Splits that repeat, layer by layer: found once, drawn once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rung.draw.names import layer_of, number_in, renumbered
from rung.schedule.plan import Plan
from rung.schedule.split import Copy, Split

_LONGEST_UNIT = 24
"""Splits of a unit at most: a layer with every second op on another backend has about twenty."""


@dataclass(frozen=True)
class NumberedSplit:
    """A split with its number in `rung plan`, and the copies that must be there before it."""

    number: int
    split: Split
    copies: tuple[Copy, ...]

    @property
    def layer(self) -> int:
        """The first layer of which it computes a part; 0 where there is none."""
        layers = [layer for node in self.split.nodes if (layer := layer_of(node)) is not None]
        return min(layers, default=0)


@dataclass(frozen=True)
class Unit:
    """Splits that run several times in a row, each time for later layers: a tuple for each turn."""

    turns: tuple[tuple[NumberedSplit, ...], ...]


def numbered_splits(plan: Plan) -> list[NumberedSplit]:
    """All splits in order; the copies of a stage are those of its first split."""
    found: list[NumberedSplit] = []
    for stage in plan.stages:
        for index, split in enumerate(stage.splits):
            found.append(NumberedSplit(len(found), split, () if index else stage.copies))
    return found


def fold(splits: Sequence[NumberedSplit]) -> list[Unit]:
    """Splits as units: a unit that runs several times in a row stands for all of them."""
    signatures = [_signature(split) for split in splits]
    layers = [split.layer for split in splits]
    units: list[Unit] = []
    at = 0
    while at < len(splits):
        length, times = 1, 1
        for candidate in range(1, min(_LONGEST_UNIT, (len(splits) - at) // 2) + 1):
            repeated = _times(signatures, layers, at, candidate)
            if repeated > 1 and candidate * repeated > length * times:
                length, times = candidate, repeated
        starts = range(at, at + length * times, length)
        units.append(Unit(tuple(tuple(splits[start : start + length]) for start in starts)))
        at += length * times
    return units


def _times(signatures: Sequence[object], layers: Sequence[int], at: int, length: int) -> int:
    """How often the `length` splits from `at` on come in a row, a fixed number of layers apart."""
    step = layers[at + length] - layers[at]
    times = 1
    while step > 0 and at + (times + 1) * length <= len(signatures):
        now = at + times * length
        for index in range(length):
            same = signatures[at + index] == signatures[now + index]
            if not same or layers[now + index] - layers[at + index] != times * step:
                return times
        times += 1
    return times


def _signature(numbered: NumberedSplit) -> object:
    """Equal for splits that do the same for other layers."""
    first = numbered.layer

    def relative(name: str) -> str:
        return renumbered(name, lambda number: f"{number - first:+d}")

    def whole(copy: Copy) -> tuple[object, ...]:
        shape = (copy.tensor.shape, copy.tensor.type.name)
        layered = number_in(copy.tensor.name) is not None
        name = relative(copy.tensor.name) if layered else copy.tensor.name
        return (name, shape, copy.source.memory, copy.target.memory)

    nodes = tuple((relative(node.name), node.signature) for node in numbered.split.nodes)
    return (numbered.split.backend.name, nodes, tuple(whole(copy) for copy in numbered.copies))
