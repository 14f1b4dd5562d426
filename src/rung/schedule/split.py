"""Cutting ordered nodes into splits, one backend each, and what must be copied between them.

A tensor is copied to a memory once, before the first stage that reads it there, and only if no
memory that the reader accepts has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from rung.backends.base import HOST, Backend, Step
from rung.graph.ir import Node, Tensor
from rung.schedule.place import Placements
from rung.schedule.problem import Problem


@dataclass(frozen=True)
class Copy:
    """A tensor that goes from one memory to another before a stage starts, or at the end."""

    tensor: Tensor
    source: Backend
    target: Backend


@dataclass(frozen=True)
class Split:
    """Neighboring nodes on one backend."""

    backend: Backend
    nodes: tuple[Node, ...]


@dataclass(frozen=True)
class Stage:
    """Neighboring splits that one engine runs as one program, and what is copied before.

    first: index of its first node in the order.
    """

    first: int
    splits: tuple[Split, ...]
    copies: tuple[Copy, ...]

    @property
    def engine(self) -> Backend:
        """The backend that runs it."""
        return self.splits[0].backend.engine

    @property
    def steps(self) -> list[Step]:
        """Its nodes in order, each with its backend."""
        return [Step(node, split.backend) for split in self.splits for node in split.nodes]


class Locations:
    """Which memories hold each tensor's present value, as the run goes on.

    `holders` maps a tensor to its backends by memory. A weight is on the host and where its home
    is; one without a home is everywhere.
    """

    def __init__(self, problem: Problem) -> None:
        self._everywhere: set[Tensor] = set()
        self.holders: dict[Tensor, dict[str, Backend]] = {}
        for tensor in problem.graph.tensors.values():
            if tensor.base is not None or tensor.role == "activation":
                continue
            home = problem.homes.get(tensor)
            if home is None and tensor.role == "weight":
                self._everywhere.add(tensor)
            else:
                backend = problem.host if home is None else home.backend
                on_host = {HOST: problem.host} if tensor.role == "weight" else {}
                self.holders[tensor] = on_host | {backend.memory: backend}

    def readable(self, tensor: Tensor, backend: Backend) -> str | None:
        """The memory where a backend can read a tensor; None where it must be copied first."""
        if tensor in self._everywhere:
            return backend.memory
        holders = self.holders[tensor]
        if backend.memory in holders:
            return backend.memory
        return next((memory for memory in holders if backend.accepts(memory)), None)

    def make(self, tensor: Tensor, backend: Backend) -> None:
        """A backend has written a tensor: what others hold is out of date."""
        self.holders[tensor] = {backend.memory: backend}

    def copy(self, tensor: Tensor, target: Backend) -> Copy:
        """A copy to a backend's memory, from the host where it is there."""
        holders = self.holders[tensor]
        source = holders.get(HOST) or next(iter(holders.values()))
        holders[target.memory] = target
        return Copy(tensor, source, target)


def cut(
    problem: Problem, placed: Placements, ordered: Sequence[Node]
) -> tuple[list[Stage], list[Copy]]:
    """Stages in order, and the copies that bring the graph's outputs to the host at the end."""
    locations = Locations(problem)
    stages: list[Stage] = []
    first = 0
    for _, group in groupby(ordered, key=lambda node: placed[node].backend.engine.name):
        nodes = list(group)
        copies = _copies(placed, nodes, locations)
        splits = [
            Split(placed[part[0]].backend, tuple(part))
            for _, part in (
                (name, list(same))
                for name, same in groupby(nodes, key=lambda node: placed[node].backend.name)
            )
        ]
        stages.append(Stage(first, tuple(splits), tuple(copies)))
        first += len(nodes)
    outputs = [
        locations.copy(tensor.root, problem.host)
        for tensor in problem.graph.outputs
        if locations.readable(tensor.root, problem.host) is None
    ]
    return stages, outputs


def _copies(placed: Placements, nodes: Sequence[Node], locations: Locations) -> list[Copy]:
    """What a stage reads that its memory does not hold, in the order in which it is read."""
    copies = []
    for node in nodes:
        backend = placed[node].backend
        for root in dict.fromkeys(tensor.root for tensor in node.tensors):
            if locations.readable(root, backend) is None:
                copies.append(locations.copy(root, backend))
        for tensor in node.written:
            locations.make(tensor.root, backend)
    return copies
