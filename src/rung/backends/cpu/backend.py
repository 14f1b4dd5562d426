"""The CPU backend: host memory, Numba kernels, a team of threads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rung.backends.base import Backend, Compiling
from rung.backends.cpu import cache, machine
from rung.backends.cpu.program import CpuProgram
from rung.backends.cpu.team import Team
from rung.errors import BackendError, KernelError
from rung.graph.ir import Graph, Node, Tensor
from rung.ops import load_kernels
from rung.registry import OPS, check_pins, select
from rung.simd.target import host
from rung.storage import StorageType, StoredTensor

_ALIGNMENT = 64


class CpuBackend(Backend):
    """The processor's cores. `threads` None takes the physical cores this process may use."""

    name = "cpu"

    def __init__(self, threads: int | None = None) -> None:
        host()
        load_kernels("cpu")
        check_pins(OPS.values())
        self.team = Team(machine.default_threads() if threads is None else threads)

    def describe(self) -> dict[str, Any]:
        return machine.describe() | {
            "threads": self.team.threads,
            "kernel cache": str(cache.folder()),
        }

    def supports(self, node: Node) -> bool:
        try:
            select(node.op, self.name, node.specs, node.attributes)
        except KernelError:
            return False
        return True

    def allocate(self, kind: StorageType, shape: tuple[int, ...]) -> StoredTensor:
        try:
            planes = tuple(
                _aligned(plane_shape, plane.dtype)
                for plane_shape, plane in zip(kind.plane_shapes(shape), kind.planes, strict=True)
            )
        except (MemoryError, ValueError):
            size = kind.size_bytes(shape) / 2**20
            raise BackendError(
                f"not enough memory for {size:,.0f} MiB ({kind.name} {list(shape)}); "
                "a smaller --context needs less"
            ) from None
        return StoredTensor(kind, shape, planes)

    def compile(
        self,
        graph: Graph,
        nodes: Sequence[Node],
        memory: Mapping[Tensor, StoredTensor],
        *,
        on_compile: Compiling | None = None,
    ) -> CpuProgram:
        kernels = [select(n.op, self.name, n.specs, n.attributes) for n in nodes]
        return CpuProgram(self.team, nodes, kernels, memory, on_compile)

    def close(self) -> None:
        self.team.close()


def _aligned(shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> np.ndarray[Any, Any]:
    """Zeroed memory that begins on a cache line; the system provides pages as they are touched."""
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    raw = np.zeros(size + _ALIGNMENT, np.uint8)
    skip = -raw.ctypes.data % _ALIGNMENT
    return raw[skip : skip + size].view(dtype).reshape(shape)
