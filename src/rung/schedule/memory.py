"""Memory plan: tensors of one memory whose lifetimes do not meet share bytes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rung.backends.base import Arena, Backend, Buffer
from rung.graph.ir import Graph, Tensor, concrete
from rung.schedule.place import Placements
from rung.schedule.problem import Problem
from rung.schedule.split import Copy, Locations, Stage

ALIGNMENT = 64


@dataclass(frozen=True)
class Lifetime:
    """A tensor's bytes, and the first and last node index at which they must be there."""

    tensor: Tensor
    size_bytes: int
    first: int
    last: int


@dataclass(frozen=True)
class MemoryPlan:
    """Where each tensor lies in one arena."""

    offsets: Mapping[Tensor, int]
    size_bytes: int
    unshared_bytes: int  # what it would take without sharing

    def bind(self, arena: Arena, sizes: Mapping[str, int]) -> dict[Tensor, Buffer]:
        """Every tensor in the arena, at its greatest sizes."""
        return {
            tensor: arena.place(tensor.type, concrete(tensor.shape, sizes), offset)
            for tensor, offset in self.offsets.items()
        }


def lifetimes(
    graph: Graph, sizes: Mapping[str, int], *, alignment: int = ALIGNMENT
) -> list[Lifetime]:
    """When each activation is alive on a single backend; an output lives to the end."""
    spans = _Spans()
    for index, node in enumerate(graph.nodes):
        for tensor in (node.output, *node.tensors):
            if tensor.root.role == "activation":
                spans.use(tensor.root, index)
    for output in graph.outputs:
        if output.root in spans.of:
            spans.use(output.root, len(graph.nodes))
    return spans.lifetimes(sizes, alignment)


class _Spans:
    """First and last use of tensors."""

    def __init__(self) -> None:
        self.of: dict[Tensor, list[int]] = {}

    def use(self, tensor: Tensor, index: int) -> None:
        self.of.setdefault(tensor, [index, index])[1] = index

    def lifetimes(self, sizes: Mapping[str, int], alignment: int) -> list[Lifetime]:
        return [
            Lifetime(tensor, _size(tensor, sizes, alignment), first, last)
            for tensor, (first, last) in self.of.items()
        ]


def lifetimes_by_memory(
    problem: Problem,
    placed: Placements,
    stages: Sequence[Stage],
    outputs: Sequence[Copy],
    sizes: Mapping[str, int],
) -> dict[str, list[Lifetime]]:
    """When each activation and each copy is alive, for every memory.

    What is copied must be there at its source, and has its place at its target, from the start of
    the stage on. Inputs of the graph have memory of their own on the host, as weights and states
    have where they live.
    """
    locations = Locations(problem)
    resident = {tensor: set(holders) for tensor, holders in locations.holders.items()}
    spans: dict[str, _Spans] = {}
    alignments: dict[str, int] = {}

    def use(tensor: Tensor, backend: Backend, index: int) -> None:
        memory = locations.readable(tensor, backend)
        if memory is None or memory in resident.get(tensor, ()):
            return
        if tensor.role == "weight" and tensor not in resident:
            return
        spans.setdefault(memory, _Spans()).use(tensor, index)
        owner = locations.holders[tensor][memory]
        alignments[memory] = owner.alignment

    def move(copy: Copy, index: int) -> None:
        use(copy.tensor, copy.source, index)
        locations.copy(copy.tensor, copy.target)
        use(copy.tensor, copy.target, index)

    index = 0
    for stage in stages:
        for copy in stage.copies:
            move(copy, stage.first)
        for step in stage.steps:
            for root in dict.fromkeys(tensor.root for tensor in step.node.tensors):
                use(root, step.backend, index)
            for tensor in step.node.written:
                locations.make(tensor.root, step.backend)
            use(step.node.output.root, step.backend, index)
            index += 1
    for copy in outputs:
        move(copy, index)
    for tensor in problem.graph.outputs:
        use(tensor.root, problem.host, index)
    return {memory: found.lifetimes(sizes, alignments[memory]) for memory, found in spans.items()}


def plan_memory(graph: Graph, sizes: Mapping[str, int]) -> MemoryPlan:
    """The plan of a graph that runs on a single backend."""
    return share(lifetimes(graph, sizes))


def share(every: Iterable[Lifetime]) -> MemoryPlan:
    """Greedy by size: the largest tensors first, each at the lowest offset that is free.

    Source: Pisarchyk and Lee, Efficient Memory Management for Deep Neural Net Inference, 2020.
    """
    offsets: dict[Tensor, int] = {}
    placed: list[tuple[int, int, Lifetime]] = []  # offset, end, lifetime
    lives = sorted(every, key=lambda life: (-life.size_bytes, life.first))
    for life in lives:
        meets = sorted(
            (start, end)
            for start, end, other in placed
            if other.first <= life.last and life.first <= other.last
        )
        offset = 0
        for start, end in meets:
            if offset + life.size_bytes <= start:
                break
            offset = max(offset, end)
        offsets[life.tensor] = offset
        placed.append((offset, offset + life.size_bytes, life))
    size = max((end for _, end, _ in placed), default=0)
    return MemoryPlan(offsets, size, sum(life.size_bytes for life in lives))


def share_whole(every: Iterable[Lifetime]) -> MemoryPlan:
    """As share, where tensors that have any byte in common begin at the same one.

    Each takes the smallest place that is free while it lives; the largest tensors come first, so no
    place ever grows.
    """
    places: list[list[Lifetime]] = []
    lives = sorted(every, key=lambda life: (-life.size_bytes, life.first))
    for life in lives:
        for place in reversed(places):
            if all(other.last < life.first or life.last < other.first for other in place):
                place.append(life)
                break
        else:
            places.append([life])
    offsets: dict[Tensor, int] = {}
    size = 0
    for place in places:
        offsets |= {life.tensor: size for life in place}
        size += max(place[0].size_bytes, ALIGNMENT)  # nothing at all has a place, too
    return MemoryPlan(offsets, size, sum(life.size_bytes for life in lives))


def _size(tensor: Tensor, sizes: Mapping[str, int], alignment: int) -> int:
    shape = concrete(tensor.shape, sizes)
    planes = zip(tensor.type.plane_shapes(shape), tensor.type.planes, strict=True)
    return sum(
        -(-int(np.prod(s, dtype=np.int64)) * p.dtype.itemsize // alignment) * alignment
        for s, p in planes
    )
