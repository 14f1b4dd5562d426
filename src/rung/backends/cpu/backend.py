"""The CPU backend: host memory, Numba kernels, a team of threads."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast

from rung import env
from rung.backends import NAMES, host_memory
from rung.backends.base import ALL_FEATURES, Buffer, Compiling, KernelBackend, Origin, Step
from rung.backends.cpu import cache, machine
from rung.backends.cpu.caches import last_cache_bytes
from rung.backends.cpu.program import CpuProgram
from rung.backends.cpu.team import Team
from rung.errors import KernelError
from rung.graph.ir import Node, Tensor
from rung.ops import load_kernels
from rung.registry import OPS, Kernel, check_pins, select
from rung.simd.target import host
from rung.storage import StorageType, StoredTensor


class TeamBackend(KernelBackend):
    """A backend on host memory whose kernels run on the CPU's team of threads."""

    def __init__(self) -> None:
        # Kernels by kinds of nodes, or why there is none: an error that is kept would keep all that
        # was in use where it was raised.
        self._selected: dict[object, Kernel | str] = {}

    def kernel(self, node: Node) -> Kernel:
        """The kernel for a node. Raises KernelError where there is none."""
        found = self._look_up(node)
        if isinstance(found, str):
            raise KernelError(found)
        return found

    def _look_up(self, node: Node) -> Kernel | str:
        key = node.signature
        if key not in self._selected:
            try:
                self._selected[key] = self._select(node)
            except KernelError as error:
                self._selected[key] = str(error)
        return self._selected[key]

    def kernel_name(self, node: Node) -> str | None:
        return self.kernel(node).name

    def _select(self, node: Node) -> Kernel:
        found = select(
            node.op, self.name, node.specs, node.attributes, usable=lambda k: not self.lacks(k)
        )
        return self.bound(found)

    def bound(self, kernel: Kernel) -> Kernel:
        """The kernel with what this process has to tell it, such as addresses of functions."""
        return kernel

    def supports(self, node: Node) -> bool:
        return not isinstance(self._look_up(node), str)

    @property
    @abstractmethod
    def identity(self) -> str:
        """What its measured rates hold for: threads, or a library and its version."""

    @property
    @abstractmethod
    def team(self) -> Team:
        """The threads that run its kernels."""

    @property
    def threads(self) -> int:
        return self.team.threads

    @property
    def cache_bytes(self) -> int:
        return last_cache_bytes()

    @property
    def origin(self) -> Origin:
        return host_origin()

    def allocate(self, kind: StorageType, shape: tuple[int, ...]) -> StoredTensor:
        return host_memory.allocate(kind, shape)

    def arena(self, size_bytes: int) -> host_memory.HostArena:
        return host_memory.HostArena.of(size_bytes)

    def write(self, target: Buffer, source: StoredTensor, shape: tuple[int, ...]) -> None:
        host_memory.copy_values(cast(StoredTensor, target), source, shape)

    def read(self, source: Buffer, target: StoredTensor, shape: tuple[int, ...]) -> None:
        host_memory.copy_values(target, cast(StoredTensor, source), shape)

    def compile(
        self,
        steps: Sequence[Step],
        memory: Mapping[Tensor, Buffer],
        *,
        kept: Collection[Tensor] | None = None,
        on_compile: Compiling | None = None,
    ) -> CpuProgram:
        kernels = [cast(TeamBackend, step.backend).kernel(step.node) for step in steps]
        nodes = [step.node for step in steps]
        stored = cast(Mapping[Tensor, StoredTensor], memory)
        return CpuProgram(self.team, nodes, kernels, stored, on_compile)

    def program(
        self, nodes: Sequence[Node], kernels: Sequence[Kernel], memory: Mapping[Tensor, Buffer]
    ) -> CpuProgram:
        stored = cast(Mapping[Tensor, StoredTensor], memory)
        return CpuProgram(self.team, nodes, [self.bound(k) for k in kernels], stored, None)


def host_origin() -> Origin:
    """What measurements on this processor hold for."""
    features = tuple(machine.notable_features())
    return Origin(machine.processor_name(), host().chosen or ALL_FEATURES, features)


def threads_identity(threads: int) -> str:
    """What the CPU's rates hold for: how many threads there were to choose from."""
    return f"{threads} threads"


class CpuBackend(TeamBackend):
    """The processor's cores.

    threads: None takes the physical cores this process may use. threads_batch: for more than one
    token at once; None takes as many. allowed: how many there were to choose from.
    """

    name = "cpu"

    def __init__(
        self,
        threads: int | None = None,
        threads_batch: int | None = None,
        *,
        allowed: int | None = None,
    ) -> None:
        super().__init__()
        host()
        # RUNG_PIN may name kernels of any backend.
        for name in NAMES if env.PIN.get() else ("cpu",):
            load_kernels(name)
        check_pins(OPS.values())
        threads = machine.default_threads() if threads is None else threads
        self._team = Team(threads, threads_batch)
        self._allowed = threads if allowed is None else allowed

    @property
    def identity(self) -> str:
        return threads_identity(self._allowed)

    @property
    def team(self) -> Team:
        return self._team

    def describe(self) -> dict[str, Any]:
        return machine.describe() | {
            "threads": self.team.threads,
            "threads for batches": self.team.batch,
            "kernel cache": str(cache.folder()),
        }

    def close(self) -> None:
        self.team.close()
