"""Checking one kernel on one case against its op's float64 reference; tests walk all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from rung.backends import host_memory
from rung.backends.base import HOST, Buffer, KernelBackend
from rung.bench.kernels.targets import lacks, tokens_of
from rung.errors import KernelError
from rung.graph.ir import Graph, Node, Tensor
from rung.registry import OPS, Kernel, Op, letters_of
from rung.storage import F32, Q8_S, StoredTensor, quantize, stored

# Greatest |error| over the greatest |reference| (or 1, if that is larger), by storage type.
# A kernel that multiplies in a type of less precision names it by its option `rate`; where the
# reference rounds in the same way, the option `tolerance` names the type that its sums have.
TOLERANCE = {"f32": 1e-5, "f16": 2.0**-11, "bf16": 2.0**-7, "bf16_tiles": 2.0**-8, "i32": 0}


@dataclass(frozen=True)
class Outcome:
    """What a kernel computed for a case, what it should have, and how far apart they may be.

    seconds: what a run took, where it was timed.
    """

    result: NDArray[np.float64]
    reference: NDArray[np.float64]
    allowed: NDArray[np.float64] | float
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether every value is there and close; NaN never is."""
        return bool(np.all(np.abs(self.result - self.reference) <= self.allowed))

    @property
    def worst(self) -> float:
        """The greatest difference; NaN where a value is missing."""
        return float(np.max(np.abs(self.result - self.reference), initial=0.0))

    @property
    def share(self) -> float:
        """The greatest difference as a share of what is allowed there: at most 1 where it is ok.

        NaN where a value is missing, infinite where nothing is allowed.
        """
        error = np.abs(self.result - self.reference)
        allowed = np.broadcast_to(self.allowed, error.shape)
        with np.errstate(divide="ignore", invalid="ignore"):
            shares = np.where(error == 0, 0.0, error / allowed)
        return float(np.max(shares, initial=0.0))


def every_case(backend: str) -> Iterator[tuple[Kernel, Mapping[str, Any]]]:
    """Each kernel of a backend with each case of its op that it accepts."""
    for op in OPS.values():
        for kernel in op.kernels:
            if kernel.backend != backend:
                continue
            for case in op.cases:
                node = _node(op, case_inputs(op, case), case)[1]
                if not kernel.takes(tokens_of(case)) or lacks(kernel):
                    continue
                if kernel.accepts(node.specs, node.attributes):
                    yield kernel, case


def case_inputs(op: Op, case: Mapping[str, Any]) -> dict[str, StoredTensor | None]:
    """Inputs for a case, the same each time: random normal values, or what the op makes itself."""
    rng = np.random.default_rng(crc32(f"{op.name} {sorted(case.items(), key=str)}".encode()))
    if op.make is not None:
        values = dict(op.make(rng, **case))
    else:
        values = {
            name: rng.standard_normal([case[letter] for letter in letters_of(name)])
            for name in op.inputs
        }
    types = case.get("types", {})
    return {
        name: None if value is None else _store(np.asarray(value), types.get(name))
        for name, value in values.items()
    }


def _store(values: NDArray[Any], kind: Any) -> StoredTensor:
    if kind is None or kind is F32:
        return stored(values.astype(np.float32) if values.dtype.kind == "f" else values)
    return quantize(values.astype(np.float32), kind)


def _node(
    op: Op, inputs: Mapping[str, StoredTensor | None], case: Mapping[str, Any]
) -> tuple[Graph, Node, dict[Tensor, StoredTensor]]:
    graph = Graph("case")
    memory: dict[Tensor, StoredTensor] = {}
    tensors: list[Tensor | None] = []
    for name in op.inputs:
        value = inputs[name]
        if value is None:
            tensors.append(None)
            continue
        role = "state" if name == op.inplace or name in op.writes else "input"
        tensor = graph.tensor(name, value.shape, role, value.type)  # type: ignore[arg-type]
        memory[tensor] = value
        tensors.append(tensor)
    attributes = {name: case[name] for name in op.attributes}
    graph.outputs.append(graph.add(op, *tensors, name="output", **attributes))
    graph.verify()
    return graph, graph.nodes[0], memory


def run_case(kernel: Kernel, case: Mapping[str, Any], backend: KernelBackend) -> Outcome:
    """Runs a kernel on a case. Outputs start as NaN, so that a value left out shows."""
    op = kernel.op
    inputs = case_inputs(op, case)
    return run_inputs(kernel, case, inputs, reference(op, inputs, case), backend)


def reference(
    op: Op, inputs: Mapping[str, StoredTensor | None], case: Mapping[str, Any]
) -> NDArray[np.float64]:
    """What the op means for these inputs, in float64; what it writes besides, one after another."""
    values = {name: None if v is None else _reference_values(v) for name, v in inputs.items()}
    attributes = {name: case[name] for name in op.attributes}
    found = op.reference(**values, **attributes)
    if op.writes:
        return np.concatenate([np.asarray(values, np.float64).reshape(-1) for values in found])
    return np.asarray(found, np.float64)


def run_inputs(
    kernel: Kernel,
    case: Mapping[str, Any],
    inputs: Mapping[str, StoredTensor | None],
    expected: NDArray[np.float64],
    backend: KernelBackend,
    *,
    timed: bool = False,
) -> Outcome:
    """Runs a kernel on inputs whose reference is known, and leaves them as they are.

    timed: runs it once more, now that all is compiled.
    """
    op = kernel.op
    _, node, memory = _node(op, inputs, case)
    if not kernel.accepts(node.specs, node.attributes):
        raise KernelError(f"{kernel.name} does not accept {case}")
    if op.inplace is None:
        memory[node.output] = _poisoned(node)
    else:
        memory[node.output.root] = copied(memory[node.output.root])
    for tensor in node.written[1:]:
        memory[tensor.root] = copied(memory[tensor.root])
    there = {tensor: placed(backend, value) for tensor, value in memory.items()}
    program = backend.program([node], [kernel], there)
    program.submit({})
    program.synchronize()
    result = fetched(backend, there[node.output.root])
    multiplied_in = kernel.options.get("rate", result.type.name)
    computed_in = kernel.options.get("tolerance", multiplied_in)
    values = _values(result)
    if op.writes:
        every = [fetched(backend, there[tensor.root]) for tensor in node.written]
        values = np.concatenate([_values(stored).reshape(-1) for stored in every])
    seconds = backend.run_seconds(program) if timed else 0.0
    return Outcome(values, expected, _allowed(result, expected, computed_in), seconds)


def _reference_values(value: StoredTensor) -> NDArray[Any]:
    is_index = value.type.planes[0].dtype.kind == "i" and value.type.is_plain
    return value.planes[0] if is_index else value.float64()


def copied(value: StoredTensor) -> StoredTensor:
    """The same values in memory of their own."""
    return StoredTensor(value.type, value.shape, tuple(plane.copy() for plane in value.planes))


def placed(backend: KernelBackend, value: StoredTensor) -> Buffer:
    """Values where a backend's kernels read them: as they are on the host, else a copy."""
    if backend.memory == HOST:
        return value
    buffer = backend.allocate(value.type, value.shape)
    backend.write(buffer, value, value.shape)
    return buffer


def fetched(backend: KernelBackend, buffer: Buffer) -> StoredTensor:
    """Values that a backend's kernels wrote, on the host."""
    if backend.memory == HOST:
        return cast(StoredTensor, buffer)
    result = host_memory.allocate(buffer.type, buffer.shape)
    _poison(result)
    backend.read(buffer, result, result.shape)
    return result


def _poisoned(node: Node) -> StoredTensor:
    shape = tuple(size for size in node.output.shape if isinstance(size, int))
    output = host_memory.allocate(node.output.type, shape)
    _poison(output)
    return output


def _poison(output: StoredTensor) -> None:
    """NaN as float, −1 as int8."""
    for plane in output.planes:
        plane.view(np.uint8).fill(0xFF)


def _values(result: StoredTensor) -> NDArray[np.float64]:
    """What was computed; NaN where sums that are stored beside the values are not theirs."""
    values = result.float64()
    if result.type is Q8_S:
        q, _, sums = result.planes
        halves = q.astype(np.int64).reshape(*sums.shape, 16)
        wrong = np.repeat(halves.sum(axis=-1) != sums, 16, axis=-1)
        values[wrong.reshape(values.shape)] = np.nan
    return values


def _allowed(
    result: StoredTensor, reference: NDArray[np.float64], computed_in: str
) -> NDArray[np.float64] | float:
    if computed_in in TOLERANCE:
        finite = np.abs(reference[np.isfinite(reference)])
        return TOLERANCE[computed_in] * max(1.0, float(finite.max(initial=0.0)))
    # A value half-way between two steps may be rounded to either.
    scales = result.planes[1].astype(np.float64) * (1 + 1e-6)
    return np.repeat(scales, result.type.block_width(result.shape[-1]), axis=-1)
