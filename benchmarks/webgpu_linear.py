"""The ladders of linear on a GPU through WebGPU, beside PyTorch's int8pack_mm and bfloat16 product.

    python benchmarks/webgpu_linear.py

Dispatches of one compute pass, on as many copies of the weights as its caches cannot hold, timed by
the GPU's own clock; the least of five. Before each there is work that brings clocks up: an idle
GPU takes milliseconds for that, and would be measured at a fifth of its speed (H200). Bandwidth is
that of the weights alone, and stands beside that of a copy, reading and writing, in the same run.
PyTorch takes part where it finds CUDA.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rung.backends.webgpu import memory
from rung.backends.webgpu.backend import WebGpuBackend
from rung.backends.webgpu.gpu import Command, Gpu
from rung.backends.webgpu.memory import GpuBuffer
from rung.backends.webgpu.program import GpuProgram
from rung.bench.results import append_rows
from rung.graph.ir import Graph
from rung.ops.linear.op import linear
from rung.registry import Kernel
from rung.storage import F32, StorageType, storage_type
from rung.wgsl.source import Source

VECTORS = [(11008, 4096), (4096, 4096), (2048, 5632), (768, 768), (32000, 4096)]
MATRICES = [(4096, 4096), (11008, 4096)]
TOKENS = (2, 4, 8, 16, 32, 128, 512)
TYPES = ("f32", "f16", "bf16", "i8_g64", "q8_0", "q4_0", "q4_k", "q5_k", "q6_k")
_MOST_OPERATIONS = 1e11
"""More would take the plain kernels too long."""

_BUSY = """\
@compute @workgroup_size(256) fn main(@builtin(global_invocation_id) at: vec3<u32>) {
    var x = f32(at.x);
    for (var i = 0u; i < 40000u; i++) { x = fma(x, 0.999, 0.5); }
    out[at.x & 255u] = x;
}"""
_COPY = """\
@compute @workgroup_size(256) fn main(
    @builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32
) {
    for (var i = 0u; i < 4u; i++) { let at = (group.x * 4u + i) * 256u + lane; out[at] = x[at]; }
}"""


class Bench:
    """A GPU, what warms it up (`busy` dispatches of a few ms each), and how fast it copies."""

    def __init__(self, copies_bytes: int, busy: int) -> None:
        self.backend = WebGpuBackend()
        self.gpu: Gpu = self.backend.gpu
        self.copies_bytes = copies_bytes
        self.rng = np.random.default_rng(0)
        out = self.gpu.buffer(1024)
        text = f"@group(0) @binding(0) var<storage, read_write> out: array<f32>;\n{_BUSY}"
        pipeline = self.gpu.pipeline(Source(text, (("out", "read_write"),)), "busy")
        self._busy = [self.gpu.command(pipeline, [(out, 0, 1024)], (1024, 1, 1), 0)] * busy
        self.copy_gb_per_s = self._copy(min(copies_bytes, 1 << 28))

    def _copy(self, size: int) -> float:
        text = (
            "@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;\n"
            f"@group(0) @binding(1) var<storage, read_write> out: array<vec4<f32>>;\n{_COPY}"
        )
        buffers = [self.gpu.buffer(size) for _ in range(2)]
        pipeline = self.gpu.pipeline(Source(text, (("x", "read"), ("out", "read_write"))), "copy")
        bindings = [(buffer, 0, size) for buffer in buffers]
        command = self.gpu.command(pipeline, bindings, (size // 16 // 1024, 1, 1), 0)
        return 2e-3 * size / self.microseconds([command] * 4)

    def microseconds(self, commands: Sequence[Command]) -> float:
        """Of one command, the least of five passes."""
        return min(self._pass(commands) for _ in range(5)) / len(commands) / 1e3

    def _pass(self, commands: Sequence[Command]) -> float:
        """Nanoseconds of commands in a row; a time after each would hold the next one up."""
        import wgpu
        from wgpu.backends.wgpu_native import ffi, lib

        device = self.gpu.device
        queries = device.create_query_set(type="timestamp", count=2)
        usage = wgpu.BufferUsage.QUERY_RESOLVE | wgpu.BufferUsage.COPY_SRC
        resolved = device.create_buffer(size=256, usage=usage)
        encoder = device.create_command_encoder()
        compute = encoder.begin_compute_pass()
        raw = compute._internal
        for index, command in enumerate([*self._busy, *commands]):
            if index == len(self._busy):
                lib.wgpuComputePassEncoderWriteTimestamp(raw, queries._internal, 0)
            lib.wgpuComputePassEncoderSetPipeline(raw, command.pipeline.raw)
            lib.wgpuComputePassEncoderSetBindGroup(raw, 0, command.raw_group, 0, ffi.NULL)
            lib.wgpuComputePassEncoderDispatchWorkgroups(raw, *command.grid)
        lib.wgpuComputePassEncoderWriteTimestamp(raw, queries._internal, 1)
        compute.end()
        encoder.resolve_query_set(queries, 0, 2, resolved, 0)
        self.gpu.queue.submit([encoder.finish()])
        start, end = self.gpu.read(resolved, 0, 16).view(np.uint64)
        period = lib.wgpuQueueGetTimestampPeriod(self.gpu.queue._internal)
        return float(int(end) - int(start)) * float(period)

    def random(self, kind: StorageType, shape: tuple[int, int]) -> GpuBuffer:
        """Values of a type that are none that a processor treats apart."""
        tensor = memory.allocate(self.gpu, kind, shape)
        for part in tensor.parts:
            for plane, name in zip(part.planes, tensor.names, strict=True):
                words = self.rng.integers(0, 1 << 32, plane.size_bytes // 4 + 1, np.uint32)
                if name in ("scales", "d") or kind.name in ("f32", "f16", "bf16", "q4_k", "q5_k"):
                    words &= np.uint32(0x3C7F3C7F)
                self.gpu.write(plane.buffer, 0, words[: plane.size_bytes // 4])
        return tensor

    def products(self, kind: StorageType, T: int, N: int, K: int) -> Iterator[tuple[Kernel, float]]:
        """Every kernel that takes so many tokens, with its time in µs."""
        graph = Graph("product")
        x, w = (
            graph.tensor("x", (T, K), "input", F32),
            graph.tensor("w", (N, K), "input", kind),
        )
        y = graph.add(linear, x, w, name="y")
        copies = max(1, min(32, self.copies_bytes // kind.size_bytes((N, K))))
        weights = [self.random(kind, (N, K)) for _ in range(copies)]
        placed = {x: self.random(F32, (T, K)), y: memory.allocate(self.gpu, F32, (T, N))}
        node = graph.nodes[0]
        for kernel in linear.kernels:
            low, high = kernel.options.get("tokens", (1, 1 << 20))
            if kernel.backend != "webgpu" or not kernel.accepts(node.specs, node.attributes):
                continue
            if self.backend.lacks(kernel) or not low <= T <= high:
                continue
            if kernel.version < 4 and 2.0 * T * N * K > _MOST_OPERATIONS:
                continue
            programs = [
                GpuProgram(self.gpu, [node], {**placed, w: each}, lambda node, tokens, k=kernel: k)
                for each in weights
            ]
            commands = [command for p in programs for command in p.commands({})]
            count = 40 if T == 1 else max(2, min(20, int(4e11 / (2.0 * T * N * K))))
            yield kernel, self.microseconds([commands[i % copies] for i in range(count)])


def torch_products(T: int, N: int, K: int) -> dict[str, float]:
    """µs of PyTorch's int8pack_mm and of its bfloat16 product on CUDA; nothing without."""
    try:
        import torch
    except ImportError:
        return {}
    if not torch.cuda.is_available():
        return {}
    copies = max(2, (200 << 20) // (N * K) + 1)
    x_TK = torch.randn(T, K, device="cuda", dtype=torch.bfloat16)
    scales_N = torch.ones(N, device="cuda", dtype=torch.bfloat16)
    halves = [torch.randn(N, K, device="cuda").to(torch.bfloat16) for _ in range(copies // 2 + 1)]
    bytes_ = [
        torch.randint(-127, 128, (N, K), device="cuda", dtype=torch.int8) for _ in range(copies)
    ]
    runs: dict[str, Callable[[int], Any]] = {
        "torch bf16": lambda i: x_TK @ halves[i % len(halves)].T,
        "torch int8pack_mm": lambda i: torch._weight_int8pack_mm(
            x_TK, bytes_[i % copies], scales_N
        ),
    }
    found = {}
    for name, run in runs.items():
        times = []
        count = 5 if T > 100 else 20
        for _ in range(6):
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            start.record()
            for i in range(count):
                run(i)
            end.record()
            end.synchronize()
            times.append(1e3 * start.elapsed_time(end) / count)
        found[name] = statistics.median(times[1:])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--small", action="store_true", help="small shapes, to try it out")
    parser.add_argument("--tokens", default=",".join(map(str, TOKENS)), help="of the int8 matrices")
    parser.add_argument("--out", type=Path, help="append rows to this file")
    options = parser.parse_args()
    bench = Bench(1 << 22, 0) if options.small else Bench(200 << 20, 3)
    name = bench.gpu.adapter.name
    print(f"{name}: copies at {bench.copy_gb_per_s:,.0f} GB/s")
    tokens = [int(word) for word in options.tokens.split(",")]
    problems = [("i8", 1, *shape) for shape in VECTORS]
    problems += [(kind, 1, 11008, 4096) for kind in TYPES]
    problems += [("i8", T, *shape) for shape in MATRICES for T in tokens]
    problems += [(kind, T, 4096, 4096) for kind in ("f16", "q4_k") for T in (8, 512)]
    if options.small:
        problems = sorted({(kind, min(T, 20), 96, 256) for kind, T, _, _ in problems})
    rows = []
    for kind, T, N, K in problems:
        size = storage_type(kind).size_bytes((N, K))
        times = {k.name: t for k, t in bench.products(storage_type(kind), T, N, K)}
        if kind == "i8":
            times |= torch_products(T, N, K)
        for what, t in times.items():
            row = {
                "gpu": name,
                "kernel": what,
                "dtype": "bf16" if what == "torch bf16" else kind,
                "shape": {"T": T, "N": N, "K": K},
                "us": round(t, 2),
                "gb_per_s": round((2 * N * K if what == "torch bf16" else size) / t / 1e3, 1),
                "tflop_per_s": round(2 * T * N * K / t / 1e6, 3),
                "copy_gb_per_s": round(bench.copy_gb_per_s, 1),
            }
            rows.append(row)
            share = row["gb_per_s"] / bench.copy_gb_per_s
            print(
                f"T={T:<4}{N:>6} × {K:<5} {what:<24}{t:>10.2f} µs {row['gb_per_s']:>7,.0f} GB/s "
                f"({share:.0%} of a copy) {row['tflop_per_s']:>7.2f} TFLOP/s",
                flush=True,
            )
    if options.out:
        append_rows(options.out, rows)


if __name__ == "__main__":
    main()
