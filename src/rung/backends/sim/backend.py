"""The made-up device: it computes with the CPU's kernels, on memory that nobody else may touch.

With it every rule of placement can be tested on a machine without any device: it refuses what it is
told to refuse, runs out of memory, and counts what is copied.
"""

from __future__ import annotations

import weakref
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from rung.backends import host_memory
from rung.backends.base import HOST, Backend, Buffer, Compiling, Program, Step
from rung.backends.cpu.backend import TeamBackend
from rung.backends.recording import Recording
from rung.backends.sim.spec import SimSpec
from rung.errors import MemoryLimitError, UsageError
from rung.graph.ir import Node, Tensor
from rung.registry import OPS
from rung.storage import StorageType, StoredTensor, storage_type


@dataclass
class Counters:
    """What a device has been asked to do since they were cleared."""

    writes: int = 0
    written_bytes: int = 0
    reads: int = 0
    read_bytes: int = 0
    submits: int = 0

    def clear(self) -> None:
        """Back to nothing."""
        self.writes = self.written_bytes = self.reads = self.read_bytes = self.submits = 0


@dataclass(frozen=True, eq=False)
class SimBuffer:
    """A tensor on the device. Host code cannot read it: it has no planes."""

    type: StorageType
    shape: tuple[int, ...]
    hidden: StoredTensor

    @property
    def size_bytes(self) -> int:
        """Bytes that it takes."""
        return self.hidden.size_bytes


@dataclass(frozen=True, eq=False)
class SimArena:
    """A piece of the device's memory."""

    hidden: host_memory.HostArena

    @property
    def size_bytes(self) -> int:
        """Its size."""
        return self.hidden.size_bytes

    def place(self, kind: StorageType, shape: tuple[int, ...], offset: int) -> SimBuffer:
        """A tensor at `offset` bytes."""
        return SimBuffer(kind, shape, self.hidden.place(kind, shape, offset))


class SimProgram:
    """A program of the CPU that counts how often it is started."""

    def __init__(self, program: Program, counters: Counters) -> None:
        self._program = program
        self._counters = counters

    def submit(self, sizes: Mapping[str, int], recording: Recording | None = None) -> None:
        """Runs it."""
        self._counters.submits += 1
        self._program.submit(sizes, recording)

    def synchronize(self) -> None:
        """Waits until it has finished."""
        self._program.synchronize()


class SimBackend(Backend):
    """A device as a SimSpec describes it, which computes on a CPU backend's threads."""

    name = "sim"
    memory = "sim"

    def __init__(self, cpu: TeamBackend, spec: SimSpec | None = None) -> None:
        self.spec = spec or SimSpec()
        for name in self.spec.refuse - set(OPS):
            try:
                storage_type(name)
            except KeyError:
                raise UsageError(
                    f"RUNG_SIM: refuse names {name!r}, which is no op and no storage type"
                ) from None
        self.counters = Counters()
        self._cpu = cpu
        self._used = 0

    def describe(self) -> dict[str, Any]:
        return self.spec.describe()

    def supports(self, node: Node) -> bool:
        kinds = {tensor.type.name for tensor in node.tensors}
        refused = node.op.name in self.spec.refuse or not kinds.isdisjoint(self.spec.refuse)
        return not refused and self._cpu.supports(node)

    def accepts(self, memory: str) -> bool:
        return memory == self.memory or (self.spec.reads_host and memory == HOST)

    def wants_offload(self, node: Node, sizes: Mapping[str, int]) -> bool:
        return 0 < self.spec.offload_from <= sizes["T"] and node.op.name == "linear"

    def seconds(self, node: Node, sizes: Mapping[str, int]) -> float:
        cost = node.cost(sizes)
        limits = cost.flops / self.spec.gflops, cost.bytes / self.spec.gbs
        return self.spec.latency_us * 1e-6 + max(limits) / 1e9

    def copy_seconds(self, size_bytes: int, *, to_host: bool) -> float:
        return self.spec.latency_us * 1e-6 + size_bytes / self.spec.copy_gbs / 1e9

    def free_bytes(self) -> int | None:
        return self.spec.memory - self._used if self.spec.memory else None

    def allocate(self, kind: StorageType, shape: tuple[int, ...]) -> SimBuffer:
        size = kind.size_bytes(shape)
        self._take(size)
        buffer = SimBuffer(kind, shape, host_memory.allocate(kind, shape))
        weakref.finalize(buffer, self._give, size)
        return buffer

    def arena(self, size_bytes: int) -> SimArena:
        self._take(size_bytes)
        arena = SimArena(host_memory.HostArena.of(size_bytes))
        weakref.finalize(arena, self._give, size_bytes)
        return arena

    def _take(self, size_bytes: int) -> None:
        if self.spec.memory and self._used + size_bytes > self.spec.memory:
            raise MemoryLimitError(
                f"sim has {self.spec.memory / 2**20:,.1f} MiB, of which "
                f"{self._used / 2**20:,.1f} are in use, and {size_bytes / 2**20:,.1f} more are "
                "needed; --gpu-layers auto takes what fits"
            )
        self._used += size_bytes

    def _give(self, size_bytes: int) -> None:
        self._used -= size_bytes

    def write(self, target: Buffer, source: StoredTensor, shape: tuple[int, ...]) -> None:
        host_memory.copy_values(cast(SimBuffer, target).hidden, source, shape)
        self.counters.writes += 1
        self.counters.written_bytes += target.type.size_bytes(shape)

    def read(self, source: Buffer, target: StoredTensor, shape: tuple[int, ...]) -> None:
        host_memory.copy_values(target, cast(SimBuffer, source).hidden, shape)
        self.counters.reads += 1
        self.counters.read_bytes += source.type.size_bytes(shape)

    def compile(
        self,
        steps: Sequence[Step],
        memory: Mapping[Tensor, Buffer],
        *,
        kept: Collection[Tensor] | None = None,
        on_compile: Compiling | None = None,
    ) -> SimProgram:
        hidden = {tensor: self._own(tensor, buffer) for tensor, buffer in memory.items()}
        theirs = [Step(step.node, self._cpu) for step in steps]
        program = self._cpu.compile(theirs, hidden, kept=kept, on_compile=on_compile)
        return SimProgram(program, self.counters)

    def _own(self, tensor: Tensor, buffer: Buffer) -> StoredTensor:
        if isinstance(buffer, SimBuffer):
            return buffer.hidden
        if not self.spec.reads_host:
            raise AssertionError(f"sim was given {tensor.name} in host memory")
        return cast(StoredTensor, buffer)

    def close(self) -> None:
        """Nothing: the CPU backend owns the threads."""
