"""What is timed: inputs of a case, weights in as many copies as it takes to read them from memory.

Decoding goes through all weights of a model before it meets the same ones again, so they come from
memory, while activations are in the cache. So what stays while tokens come and go is copied, and
each run takes the next copy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rung.backends.base import HOST, Buffer, KernelBackend, Program
from rung.bench.kernels.check import case_inputs, copied, placed, reference
from rung.bench.kernels.shapes import cut
from rung.bench.kernels.targets import Case, case_specs, resident
from rung.errors import UsageError
from rung.graph.ir import Graph, Tensor
from rung.registry import Cost, Kernel, Op, Split, TensorSpec, letters_of
from rung.storage import StoredTensor
from rung.wgsl.call import WORKGROUP

# All that copies read is so many times the last cache. Where that takes more than these copies or
# bytes, a run reads little of what stays, and it is left in the cache.
_CACHES = 8
_MOST_COPIES = 256
_MOST_COPIES_ON_DEVICE = 1024  # their caches are as large as models of 100 million parameters
_MOST_BYTES = 2 << 30
# What is compared with its reference: sizes whose float64 arrays and products take a moment.
_CHECKED_FLOPS = 3e8
_CHECKED_BYTES = 1 << 28


Inputs = Mapping[str, StoredTensor | None]


@dataclass(frozen=True)
class Prepared:
    """A case with its inputs in memory, ready for any kernel that accepts it.

    inputs: on the host. copies: what stays, once for each copy, and moving what does not, where
    kernels read them.
    """

    op: Op
    case: Case
    inputs: Inputs
    copies: tuple[Mapping[str, Buffer], ...]
    moving: Mapping[str, Buffer]

    @property
    def copied_bytes(self) -> int:
        """Bytes of all copies together."""
        return sum(buffer.size_bytes for copy in self.copies for buffer in copy.values())

    @property
    def cost(self) -> Cost:
        """Operations and bytes of one run."""
        return case_cost(self.op, self.case)

    @cached_property
    def checked(self) -> tuple[Case, Inputs, NDArray[np.float64]]:
        """The case to check, cut where it is too large for the reference; inputs and reference."""
        smaller = cut(self.op, self.case, lambda case: _is_small(self.op, case))
        inputs = dict(self.inputs) if smaller == self.case else _inputs(self.op, smaller)
        for name in (self.op.inplace, *self.op.writes):
            updated = inputs[name] if name is not None else None
            if name is not None and updated is not None:  # timing changes it
                inputs[name] = copied(updated)
        with _told_of_shapes(self.op):
            return smaller, inputs, reference(self.op, inputs, smaller)


def case_cost(op: Op, case: Case) -> Cost:
    """Operations and bytes of one run of a case, without optional inputs."""
    specs, attributes = case_specs(op, case)
    shapes = {name: spec.shape for name, spec in specs.items() if spec is not None}
    return op.cost(shapes, specs, attributes)


def _is_small(op: Op, case: Case) -> bool:
    values = sum(
        float(np.prod([case[letter] for letter in letters_of(name)], dtype=np.float64))
        for name in op.inputs
        if name not in op.optional
    )
    return 8 * values <= _CHECKED_BYTES and case_cost(op, case).flops <= _CHECKED_FLOPS


def prepare(op: Op, case: Case, backend: KernelBackend, *, cached: bool) -> Prepared:
    """Makes the inputs of a case, for backends on this one's memory; `cached` keeps one copy.

    Raises UsageError where the op cannot have such a shape.
    """
    inputs = _inputs(op, case)
    given = {name: value for name, value in inputs.items() if value is not None}
    stays = {name: given[name] for name in resident(op) if name in given}
    count = 1 if cached else _copies(op, case, stays, backend)
    on_host = backend.memory == HOST
    copies = tuple(
        {
            name: placed(backend, copied(value) if index and on_host else value)
            for name, value in stays.items()
        }
        for index in range(count)
    )
    moving = {name: placed(backend, given[name]) for name in given if name not in stays}
    return Prepared(op, case, inputs, copies, moving)


def _inputs(op: Op, case: Case) -> dict[str, StoredTensor | None]:
    """The inputs of a case. Raises UsageError for sizes that do not go together."""
    with _told_of_shapes(op):
        case_cost(op, case)  # knows of blocks that the output is stored in
        return case_inputs(op, case)


@contextmanager
def _told_of_shapes(op: Op) -> Iterator[None]:
    """Makes a UsageError of what an op says about sizes that do not go together."""
    try:
        yield
    except ValueError as error:
        raise UsageError(f"{op.name} cannot have this shape: {error}") from None


def _copies(op: Op, case: Case, stays: Mapping[str, StoredTensor], backend: KernelBackend) -> int:
    """How many copies read from memory what a run touches; 1 where that is too little to matter."""
    touched = sum(
        value.type.size_bytes(_touched_shape(op, case, name)) for name, value in stays.items()
    )
    whole = sum(value.size_bytes for value in stays.values())
    wanted = -(-_CACHES * backend.cache_bytes // touched) if touched else 1
    most = _MOST_COPIES if backend.memory == HOST else _MOST_COPIES_ON_DEVICE
    return wanted if wanted <= most and wanted * whole <= _MOST_BYTES else 1


def _touched_shape(op: Op, case: Case, name: str) -> tuple[int, ...]:
    return tuple(case[letter] for letter in op.touched.get(name, letters_of(name)))


def with_parts(kernel: Kernel, per_thread: int | None) -> Kernel:
    """The kernel with its work cut into so many parts a thread; as it is registered for None."""
    if per_thread is None:
        return kernel
    split: Split = kernel.options["split"]
    options = {**kernel.options, "split": replace(split, per_thread=per_thread)}
    return replace(kernel, options=options)


def with_workgroup(kernel: Kernel, size: int | None) -> Kernel:
    """A GPU's kernel with workgroups of so many threads; as it is registered for None."""
    if size is None:
        return kernel
    return replace(kernel, options={**kernel.options, WORKGROUP: size})


def programs(
    prepared: Prepared, kernel: Kernel, backend: KernelBackend, *, nodes: int
) -> list[Program]:
    """Programs of `nodes` runs each that go through all copies one after the other."""
    op, copies = prepared.op, prepared.copies
    attributes = {name: prepared.case[name] for name in op.attributes}
    output: Buffer | None = None
    built = []
    for start in range(0, len(copies), nodes):
        graph = Graph(kernel.name)
        memory: dict[Tensor, Buffer] = {}
        tensors: dict[tuple[str, int], Tensor] = {}
        for step in range(nodes):
            index = (start + step) % len(copies)
            given = _tensors(graph, prepared, index, tensors, memory)
            result = graph.add(op, *given, name=f"run {step}", **attributes)
            if op.inplace is None:
                shape = tuple(size for size in result.shape if isinstance(size, int))
                output = output or backend.allocate(result.type, shape)
                memory[result] = output
        built.append(backend.program(graph.nodes, [kernel] * len(graph.nodes), memory))
    return built


def _tensors(
    graph: Graph,
    prepared: Prepared,
    index: int,
    known: dict[tuple[str, int], Tensor],
    memory: dict[Tensor, Buffer],
) -> list[Tensor | None]:
    """The inputs of a run on one copy; those that do not stay are the same for all."""
    copy = prepared.copies[index]
    given: list[Tensor | None] = []
    for name in prepared.op.inputs:
        value = copy.get(name) or prepared.moving.get(name)
        if value is None:
            given.append(None)
            continue
        key = (name, index if name in copy else 0)
        if key not in known:
            updated = name == prepared.op.inplace or name in prepared.op.writes
            role: Any = "state" if updated else "weight" if name in copy else "input"
            known[key] = graph.tensor(f"{name} {key[1]}", value.shape, role, value.type)
            memory[known[key]] = value
        given.append(known[key])
    return given


def specs_of(prepared: Prepared) -> tuple[dict[str, TensorSpec | None], dict[str, Any]]:
    """Specs and attributes of the inputs as they are, optional ones included."""
    specs = {
        name: None if value is None else TensorSpec(value.shape, value.type)
        for name, value in prepared.inputs.items()
    }
    return specs, {name: prepared.case[name] for name in prepared.op.attributes}
