"""The WebGPU backend: a GPU's memory and WGSL kernels."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import cache, cached_property
from typing import Any, cast

from rung import env
from rung.backends.base import (
    ALL_FEATURES,
    Buffer,
    Compiling,
    Fetched,
    KernelBackend,
    Launch,
    Origin,
    Program,
    Step,
)
from rung.backends.cpu.caches import last_cache_bytes
from rung.backends.webgpu import adapters
from rung.backends.webgpu import memory as gpu_memory
from rung.backends.webgpu.fusion import chosen
from rung.backends.webgpu.gpu import Gpu
from rung.backends.webgpu.memory import GpuArena, GpuBuffer
from rung.backends.webgpu.opening import FEATURES
from rung.backends.webgpu.program import GpuProgram, tokens_of
from rung.backends.webgpu.speeds import Speeds, measure
from rung.errors import BackendError, KernelError
from rung.graph.ir import Node, Symbol, Tensor, concrete
from rung.ops import load_kernels
from rung.registry import MANY, Cost, Kernel, select
from rung.storage import StorageType, StoredTensor
from rung.wgsl import Features
from rung.wgsl.call import WORKGROUP

NAME = "webgpu"


class WebGpuBackend(KernelBackend):
    """A GPU that --device names.

    find_speeds: tells what it does at most. workgroups: threads of a workgroup by kernel, where
    another number than the kernel's own was measured to be faster.
    Raises BackendError where there is none or it refuses, UsageError for a variable that is wrong.
    """

    name = NAME
    memory = NAME
    whole_places = True

    def __init__(self, device: str = NAME) -> None:
        load_kernels(NAME)
        chosen()  # what RUNG_GPU_FUSE says wrong is told now, and not after the first token
        self.gpu = Gpu(adapters.find(device))
        self.takes_f16 = self.gpu.features.f16
        self.find_speeds: Callable[[Gpu], Speeds] = measure
        self.workgroups: Mapping[str, int] = {}
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
        ranges = {k.tokens for k in node.op.kernels if k.backend == NAME}
        count = max(tokens, 1)  # none are as one: see Kernel.takes
        key = (node.signature, tuple(low <= count <= high for low, high in sorted(ranges)))
        if key not in self._selected:
            try:
                self._selected[key] = self._select(node, tokens)
            except KernelError as error:
                self._selected[key] = str(error)
        found = self._selected[key]
        if isinstance(found, str):
            raise KernelError(found)
        size = self.workgroups.get(found.name)
        if size is None or WORKGROUP not in found.options:
            return found
        return replace(found, options={**found.options, WORKGROUP: size})

    def _select(self, node: Node, tokens: int) -> Kernel:
        def usable(kernel: Kernel) -> bool:
            return kernel.takes(tokens) and not self.lacks(kernel)

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

    @cached_property
    def speeds(self) -> Speeds:
        """What the GPU does at most, from `find_speeds`: measured when somebody first asks."""
        return self.find_speeds(self.gpu)

    def cost_seconds(self, cost: Cost) -> float:
        limits = cost.bytes / self.speeds.copy_gbs, cost.flops / self.speeds.gops["f32"]
        return self.speeds.dispatch_s + max(limits) / 1e9

    def copy_seconds(self, size_bytes: int, *, to_host: bool) -> float:
        if to_host:
            return self.speeds.turn_s + size_bytes / self.speeds.read_gbs / 1e9
        return size_bytes / self.speeds.write_gbs / 1e9

    @property
    def largest_bytes(self) -> int | None:
        return self.gpu.features.binding_bytes

    def free_bytes(self) -> int | None:
        return self.gpu.free_bytes

    def allocate(self, kind: StorageType, shape: tuple[int, ...]) -> GpuBuffer:
        return gpu_memory.allocate(self.gpu, kind, shape)

    def arena(self, size_bytes: int) -> GpuArena:
        return GpuArena(self.gpu.buffer, size_bytes, self.gpu.features.binding_bytes)

    def write(self, target: Buffer, source: StoredTensor, shape: tuple[int, ...]) -> None:
        gpu_memory.write(self.gpu, cast(GpuBuffer, target), source, shape)

    def read(self, source: Buffer, target: StoredTensor, shape: tuple[int, ...]) -> None:
        gpu_memory.read(self.gpu, cast(GpuBuffer, source), target, shape)

    def fetch(self, source: Buffer, shape: tuple[int, ...]) -> Fetched:
        return gpu_memory.fetch(self.gpu, cast(GpuBuffer, source), shape)

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

    def launches(
        self,
        steps: Sequence[Step],
        offsets: Mapping[Tensor, int],
        *,
        most: Mapping[str, int],
        sizes: Mapping[str, int],
        kept: Collection[Tensor],
    ) -> list[Launch]:
        arena = GpuArena(gpu_memory.no_memory, 0, self.gpu.features.binding_bytes)
        nodes = [step.node for step in steps]
        # In the order in which they would be placed: the largest of those that share a place first.
        memory = {
            root: arena.place(root.type, concrete(root.shape, most), offset)
            for root, offset in offsets.items()
        }
        for root in {t.root for n in nodes for t in (*n.tensors, n.output)} - memory.keys():
            shape = concrete(root.shape, most)
            new = gpu_memory.no_memory
            memory[root] = gpu_memory.allocate(self.gpu, root.type, shape, new=new)
        program = GpuProgram(self.gpu, nodes, memory, self.kernel, kept)
        return list(program.launches(sizes))

    def prepare(
        self,
        program: Program,
        sizes: Sequence[Mapping[str, int]],
        on_compile: Compiling | None = None,
    ) -> None:
        cast(GpuProgram, program).prepare(sizes, on_compile)

    @property
    def cache_bytes(self) -> int:
        """As large as those of today's GPUs, for WebGPU does not tell: 60 MB in an H200."""
        return last_cache_bytes() if self.gpu.adapter.kind == "software" else 64 << 20

    @property
    def origin(self) -> Origin:
        """The adapter, what RUNG_GPU_FEATURES says, features in use with the interface below."""
        instructions = (*feature_names(self.gpu), self.gpu.adapter.api)
        return Origin(self.gpu.adapter.name, env.GPU_FEATURES.get() or ALL_FEATURES, instructions)

    def program(
        self, nodes: Sequence[Node], kernels: Sequence[Kernel], memory: Mapping[Tensor, Buffer]
    ) -> GpuProgram:
        chosen = dict(zip(nodes, kernels, strict=True))
        found = cast(Mapping[Tensor, GpuBuffer], memory)
        return GpuProgram(self.gpu, nodes, found, lambda node, tokens: chosen[node])

    def run_seconds(self, program: Program) -> float:
        """By the GPU's own clock, from the first dispatch to the end of the last."""
        assert isinstance(program, GpuProgram)
        if not self.gpu.has_timestamps:
            return super().run_seconds(program)
        return self.gpu.span_ns(program.commands({})) / 1e9

    def close(self) -> None:
        """Gives the device back."""
        self.gpu.close()


def lacking(gpu: Gpu, kernel: Kernel) -> str:
    """A feature of the GPU that a kernel needs and that is not there; or nothing."""
    needed = kernel.options.get("features", ())
    return next((name for name in needed if not gpu.features.has(name)), "")


def lacks_here(kernel: Kernel) -> str:
    """What a kernel needs that the GPU which "webgpu" means has not; or nothing."""
    found = _features_here(env.GPU_FEATURES.get())
    if isinstance(found, str):
        return found
    needed = kernel.options.get("features", ())
    return next((f"this GPU has no {name} in use" for name in needed if not found.has(name)), "")


@cache
def _features_here(chosen: str) -> Features | str:
    """Features with this RUNG_GPU_FEATURES, or why there is no GPU."""
    try:
        gpu = Gpu(adapters.find(NAME))
    except BackendError as error:
        return str(error)
    try:
        return gpu.features
    finally:
        gpu.close()


def feature_names(gpu: Gpu) -> list[str]:
    """Those that make a difference to kernels and that are in use."""
    return [name for name in FEATURES if gpu.features.has(name)]


def describe_all() -> dict[str, dict[str, Any]]:
    """Every adapter by the name that --device takes, or why there is none; for `rung devices`."""
    try:
        found = adapters.adapters() or [adapters.find(NAME)]
    except BackendError as error:
        return {NAME: {"unavailable": str(error)}}
    facts: dict[str, dict[str, Any]] = {}
    for adapter in found:
        name = f"{NAME}:{adapter.index}" if len(found) > 1 else NAME
        try:
            gpu = Gpu(adapter)
        except BackendError as error:
            facts[name] = {"what": f"{adapter.name} ({adapter.kind})", "unavailable": str(error)}
            continue
        facts[name] = describe(gpu)
        gpu.close()
    return facts


def describe(gpu: Gpu) -> dict[str, Any]:
    """What was found, for people."""
    adapter, features = gpu.adapter, gpu.features
    return {
        "what": f"{adapter.name} ({adapter.kind})",
        "API": adapter.api,
        "driver": adapter.driver,
        "features": feature_names(gpu) + ["timestamps"] * gpu.has_timestamps,
        "lanes of a subgroup": features.subgroup_size or "unknown",
        "largest binding bytes": features.binding_bytes,
        "memory of a workgroup bytes": features.workgroup_bytes,
        "most threads of a workgroup": features.invocations,
    }
