"""Memory plan: tensors of one memory whose lifetimes do not meet share bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
    lives = _largest_first(every)
    sizes = np.array([life.size_bytes for life in lives], np.int64)
    starts, ends = np.zeros((2, len(lives)), np.int64)
    for i, meets in enumerate(_meetings(lives)):
        starts[i] = _lowest_gap(starts[:i][meets], ends[:i][meets], sizes[i])
        ends[i] = starts[i] + sizes[i]
    offsets = {life.tensor: int(start) for life, start in zip(lives, starts, strict=True)}
    return MemoryPlan(offsets, int(ends.max(initial=0)), int(sizes.sum()))


def share_whole(every: Iterable[Lifetime]) -> MemoryPlan:
    """As share, where tensors that have any byte in common begin at the same one.

    Each takes the smallest place that is free while it lives; the largest tensors come first, so no
    place ever grows.
    """
    lives = _largest_first(every)
    places = np.zeros(len(lives), np.int64)
    starts: list[int] = []  # of each place, the largest first
    size = 0
    for i, meets in enumerate(_meetings(lives)):
        is_free = np.ones(len(starts), np.bool_)
        is_free[places[:i][meets]] = False
        free = np.flatnonzero(is_free)
        places[i] = free[-1] if len(free) else len(starts)
        if not len(free):
            starts.append(size)
            size += max(lives[i].size_bytes, ALIGNMENT)  # nothing at all has a place, too
    offsets = {life.tensor: starts[place] for life, place in zip(lives, places, strict=True)}
    return MemoryPlan(offsets, size, sum(life.size_bytes for life in lives))


def _largest_first(every: Iterable[Lifetime]) -> list[Lifetime]:
    return sorted(every, key=lambda life: (-life.size_bytes, life.first))


def _meetings(lives: Sequence[Lifetime]) -> Iterator[NDArray[np.bool_]]:
    """For each lifetime, which of those before it meet it.

    All pairs, so in arrays: of the 14,600 tensors of a GPT-2's step of 2^19 tokens, Python's own
    loops took 7.7 s to make a plan, and these 0.5 s (Zen 5).
    """
    first = np.array([life.first for life in lives], np.int64)
    last = np.array([life.last for life in lives], np.int64)
    for i in range(len(lives)):
        yield (first[:i] <= last[i]) & (first[i] <= last[:i])


def _lowest_gap(
    starts: NDArray[np.int64], ends: NDArray[np.int64], size_bytes: np.int64
) -> np.int64:
    """The lowest offset at which so many bytes lie between these spans, or after all of them."""
    order = np.argsort(starts)
    free_from = np.maximum.accumulate(np.append(0, ends[order]))
    fits = np.append(free_from[:-1] + size_bytes <= starts[order], True)
    lowest: np.int64 = free_from[np.argmax(fits)]
    return lowest


def _size(tensor: Tensor, sizes: Mapping[str, int], alignment: int) -> int:
    shape = concrete(tensor.shape, sizes)
    planes = zip(tensor.type.plane_shapes(shape), tensor.type.planes, strict=True)
    return sum(
        -(-int(np.prod(s, dtype=np.int64)) * p.dtype.itemsize // alignment) * alignment
        for s, p in planes
    )
