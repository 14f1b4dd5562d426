"""The WebGPU backend: a GPU's memory and WGSL kernels."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast

from rung.backends.base import Backend, Buffer, Compiling, Step
from rung.backends.webgpu import adapters
from rung.backends.webgpu import memory as gpu_memory
from rung.backends.webgpu.gpu import Gpu
from rung.backends.webgpu.memory import GpuArena, GpuBuffer
from rung.backends.webgpu.program import GpuProgram, tokens_of
from rung.errors import KernelError
from rung.graph.ir import Node, Symbol, Tensor
from rung.ops import load_kernels
from rung.registry import Kernel, select
from rung.storage import StorageType, StoredTensor

NAME = "webgpu"
MANY = 1 << 20
"""Tokens that stand for a long prompt."""


class WebGpuBackend(Backend):
    """A GPU that --device names. Raises BackendError where there is none, or it refuses."""

    name = NAME
    memory = NAME

    def __init__(self, device: str = NAME) -> None:
        load_kernels(NAME)
        self.gpu = Gpu(adapters.find(device))
        self._selected: dict[object, Kernel | str] = {}

    @property
    def runs_ahead(self) -> bool:
        return self.gpu.runs_ahead

    def describe(self) -> dict[str, Any]:
        return describe(self.gpu)

    def lacks(self, kernel: Kernel) -> str:
        """A feature of the GPU that a kernel needs and that is not there; or nothing."""
        return lacking(self.gpu, kernel)

    def kernel(self, node: Node, tokens: int) -> Kernel:
        """The kernel for a node and so many tokens. Raises KernelError where there is none."""
        ranges = {k.options.get("tokens", (1, MANY)) for k in node.op.kernels if k.backend == NAME}
        key = (node.signature, tuple(low <= tokens <= high for low, high in sorted(ranges)))
        if key not in self._selected:
            try:
                self._selected[key] = self._select(node, tokens)
            except KernelError as error:
                self._selected[key] = str(error)
        found = self._selected[key]
        if isinstance(found, str):
            raise KernelError(found)
        return found

    def _select(self, node: Node, tokens: int) -> Kernel:
        def usable(kernel: Kernel) -> bool:
            low, high = kernel.options.get("tokens", (1, MANY))
            return low <= tokens <= high and not self.lacks(kernel)

        return select(node.op, NAME, node.specs, node.attributes, usable=usable)

    def supports(self, node: Node) -> bool:
        tokens = tokens_of(node)
        try:
            for count in (1, MANY) if isinstance(tokens, Symbol) else (max(tokens, 1),):
                self.kernel(node, count)
        except KernelError:
            return False
        return True

    def kernel_name(self, node: Node) -> str | None:
        return self.kernel(node, 1).name

    def allocate(self, kind: StorageType, shape: tuple[int, ...]) -> GpuBuffer:
        return gpu_memory.allocate(self.gpu, kind, shape)

    def arena(self, size_bytes: int) -> GpuArena:
        return GpuArena(self.gpu, size_bytes)

    def write(self, target: Buffer, source: StoredTensor, shape: tuple[int, ...]) -> None:
        gpu_memory.write(self.gpu, cast(GpuBuffer, target), source, shape)

    def read(self, source: Buffer, target: StoredTensor, shape: tuple[int, ...]) -> None:
        gpu_memory.read(self.gpu, cast(GpuBuffer, source), target, shape)

    def compile(
        self,
        steps: Sequence[Step],
        memory: Mapping[Tensor, Buffer],
        *,
        kept: Collection[Tensor] | None = None,
        on_compile: Compiling | None = None,
    ) -> GpuProgram:
        found = cast(Mapping[Tensor, GpuBuffer], memory)
        return GpuProgram(self.gpu, [step.node for step in steps], found, self.kernel, kept)

    def close(self) -> None:
        """Gives the device back."""
        self.gpu.close()


def lacking(gpu: Gpu, kernel: Kernel) -> str:
    """A feature of the GPU that a kernel needs and that is not there; or nothing."""
    needed = kernel.options.get("features", ())
    return next((name for name in needed if not gpu.features.has(name)), "")


def describe(gpu: Gpu) -> dict[str, Any]:
    """What was found, for people."""
    adapter, features = gpu.adapter, gpu.features
    has = [name for name in ("f16", "subgroups", "matrices") if features.has(name)]
    return {
        "what": f"{adapter.name} ({adapter.kind})",
        "API": adapter.api,
        "driver": adapter.driver,
        "features": has + ["timestamps"] * gpu.has_timestamps,
        "lanes of a subgroup": features.subgroup_size or "unknown",
        "largest binding bytes": features.binding_bytes,
        "memory of a workgroup bytes": features.workgroup_bytes,
    }
