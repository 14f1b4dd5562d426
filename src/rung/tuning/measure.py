"""How long a node takes on a backend: a chain of equal nodes, run for each number of tokens."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rung.backends.base import Backend, Buffer, Compiling, Program, Step
from rung.graph.ir import Graph, Node, T, Tensor, concrete
from rung.registry import Op, letters_of
from rung.schedule.costs import KEYS, node_cost, work_of
from rung.storage import F32, StorageType, StoredTensor, quantize, stored

_SAMPLES = 5


@dataclass(frozen=True)
class Subject:
    """A node to be measured: an op with sizes for every letter but T, attributes and types.

    copies: how many sets of weights it takes turns with; more than the cache holds are read from
    memory.
    """

    op: Op
    sizes: Mapping[str, int]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    types: Mapping[str, StorageType] = field(default_factory=dict)
    copies: int = 1


@dataclass(frozen=True)
class Chain:
    """A program of equal nodes, one after another, for any number of tokens.

    memory: what it works on. place(tokens) puts the tokens of attention at the last positions of
    its cache.
    """

    subject: Subject
    steps: tuple[Step, ...]
    memory: Mapping[Tensor, Buffer]
    program: Program
    place: Callable[[int], None]

    def work(self, tokens: int) -> float:
        """What each token needs, in the unit of rates."""
        node = self.steps[0].node
        sizes = {"T": tokens, "R": tokens}
        if node.op.name == "attention":
            sizes[KEYS] = self.subject.sizes["C"] - (tokens - 1) // 2
        return work_of(node.op.name, node_cost(node, sizes), tokens)

    def seconds(self, tokens: int, *, most_s: float = 0.1) -> float:
        """The median time of one node for so many tokens; few samples where that takes long."""
        sizes = {"T": tokens, "R": tokens}
        self.place(tokens)
        first = min(self._run(sizes), self._run(sizes))
        samples = [first]
        while len(samples) < _SAMPLES and sum(samples) < most_s:
            samples.append(self._run(sizes))
        return sorted(samples)[len(samples) // 2] / len(self.steps)

    def _run(self, sizes: Mapping[str, int]) -> float:
        start = time.perf_counter()
        self.program.submit(sizes)
        self.program.synchronize()
        return time.perf_counter() - start


def subject_node(subject: Subject) -> Node:
    """A node like those that are measured, for any number of tokens."""
    graph = Graph("subject")
    given: list[Tensor | None] = []
    for name in subject.op.inputs:
        shape = tuple(T if c == "T" else subject.sizes[c] for c in letters_of(name))
        kind = subject.types.get(name) or subject.op.types.get(name, F32)
        role: Any = "state" if name == subject.op.inplace else "input"
        absent = name in subject.op.optional
        given.append(None if absent else graph.tensor(name, shape, role, kind))
    graph.add(subject.op, *given, name="node", **subject.attributes)
    return graph.nodes[0]


def chain(
    subject: Subject,
    backend: Backend,
    most: int,
    *,
    nodes: int = 8,
    on_compile: Compiling | None = None,
) -> Chain:
    """A chain on a backend for up to `most` tokens. Raises KernelError where no kernel fits."""
    graph = Graph("measure")
    rng = np.random.default_rng(0)
    values = _values(subject, most, rng)
    memory: dict[Tensor, Buffer] = {}
    inputs: list[dict[str, Tensor]] = []
    for copy in range(subject.copies):
        tensors = {}
        for name, value in values.items():
            moves = "T" in letters_of(name)
            if copy and moves:
                tensors[name] = inputs[0][name]
                continue
            shape = tuple(T if c == "T" else subject.sizes[c] for c in letters_of(name))
            role: Any = "state" if name == subject.op.inplace else "input" if moves else "weight"
            tensors[name] = graph.tensor(f"{name} {copy}", shape, role, value.type)
            planes = value.planes if copy == 0 else tuple(plane.copy() for plane in value.planes)
            own = StoredTensor(value.type, value.shape, planes)
            memory[tensors[name]] = _uploaded(backend, own)
        inputs.append(tensors)
    output: Buffer | None = None
    for index in range(max(nodes, subject.copies)):
        given = [inputs[index % subject.copies].get(name) for name in subject.op.inputs]
        made = graph.add(subject.op, *given, name=f"node {index}", **subject.attributes)
        if subject.op.inplace is None:
            shape = concrete(made.shape, {"T": most})
            output = output or backend.allocate(made.type, shape)
            memory[made] = output
    steps = tuple(Step(node, backend) for node in graph.nodes)
    program = backend.engine.compile(steps, memory, on_compile=on_compile)

    def place(tokens: int) -> None:
        if subject.op.name == "attention":
            last = np.arange(subject.sizes["C"] - tokens, subject.sizes["C"], dtype=np.int32)
            backend.write(memory[inputs[0]["pos_T"]], stored(last), (tokens,))

    return Chain(subject, steps, memory, program, place)


def _values(subject: Subject, most: int, rng: np.random.Generator) -> dict[str, StoredTensor]:
    """Inputs at their greatest size: normal values, and places that exist for indices."""
    sizes = {**subject.sizes, "T": most}
    found = {}
    for name in subject.op.inputs:
        if name in subject.op.optional:
            continue
        shape = tuple(sizes[letter] for letter in letters_of(name))
        kind = subject.types.get(name) or subject.op.types.get(name, F32)
        if kind.name in ("i32", "i64"):
            found[name] = stored(_places(name, most, sizes).astype(kind.planes[0].dtype))
        else:
            found[name] = _repeated(rng, shape, kind)
    return found


# Rows that are made; the others repeat them, for rounding millions of values takes seconds.
_ROWS = 64


def _repeated(rng: np.random.Generator, shape: tuple[int, ...], kind: StorageType) -> StoredTensor:
    """Normal values in a storage type, the same ones every _ROWS rows."""
    if len(shape) != 2 or shape[0] <= _ROWS or shape[0] % _ROWS:
        return quantize(rng.standard_normal(shape).astype(np.float32), kind)
    made = quantize(rng.standard_normal((_ROWS, shape[1])).astype(np.float32), kind)
    planes = tuple(np.tile(plane, (shape[0] // _ROWS, 1)) for plane in made.planes)
    return StoredTensor(kind, shape, planes)


def _places(name: str, most: int, sizes: Mapping[str, int]) -> np.ndarray[Any, Any]:
    """Slot 0; the last positions of a cache; any row of a table."""
    if name.startswith("slot"):
        return np.zeros(most, np.int64)
    if name.startswith("pos"):
        end = sizes.get("C", sizes.get("P", 1) * sizes.get("L", 1))
        return np.arange(most, dtype=np.int64) % max(end, 1)
    return np.arange(most, dtype=np.int64) % sizes.get("V", 1)


def _uploaded(backend: Backend, value: StoredTensor) -> Buffer:
    buffer = backend.allocate(value.type, value.shape)
    backend.write(buffer, value, value.shape)
    return buffer
