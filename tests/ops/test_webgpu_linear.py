"""Products on a GPU at sizes that the op's cases do not reach: several tiles, weights in parts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from gpu import require_gpu
from rung.backends.webgpu import memory
from rung.backends.webgpu.backend import WebGpuBackend
from rung.backends.webgpu.program import GpuProgram
from rung.bench.kernels.check import run_case
from rung.graph.ir import Graph
from rung.ops import load_kernels
from rung.ops.linear.gradient import linear_backward_w, linear_backward_x
from rung.ops.linear.op import linear
from rung.ops.linear.webgpu import gradient_tiles
from rung.registry import Kernel, Op
from rung.storage import F32, StoredTensor, quantize, storage_type, stored
from rung.wgsl.types import in_units, unit_of

load_kernels("webgpu")
LADDER = {k.version: k for k in linear.kernels if (k.backend, k.form) == ("webgpu", "i8")}
BACKWARD = {
    kernel.name: kernel
    for op in (linear_backward_x, linear_backward_w)
    for kernel in op.kernels
    if kernel.backend == "webgpu"
}
TYPES = ("f32", "f16", "bf16", "i8", "i8_g32", "q8_0", "q4_0", "q4_k", "q5_k", "q6_k")


@pytest.fixture(scope="module")
def gpu() -> Iterator[WebGpuBackend]:
    require_gpu()
    backend = WebGpuBackend()
    yield backend
    backend.close()


def _error(gpu: WebGpuBackend, kernel: Kernel | None, kind: str, T: int, N: int, K: int) -> float:
    """The greatest error as a share of the greatest value; all else as the backend chooses it."""
    rng = np.random.default_rng(T * N + K)
    x_TK = rng.standard_normal((T, K)).astype(np.float32)
    b_N = rng.standard_normal(N).astype(np.float32)
    w_NK = quantize(rng.standard_normal((N, K)).astype(np.float32), kind)
    graph = Graph("product")
    inputs = {
        graph.tensor("x", (T, K), "input", F32): stored(x_TK),
        graph.tensor("w", (N, K), "input", w_NK.type): w_NK,
        graph.tensor("b", (N,), "input", F32): stored(b_N),
    }
    output = graph.add(linear, *inputs, name="y")
    placed = {}
    for tensor, value in inputs.items():
        placed[tensor] = gpu.allocate(value.type, value.shape)
        gpu.write(placed[tensor], value, value.shape)
    y_TN = StoredTensor(F32, (T, N), (np.full((T, N), np.nan, np.float32),))
    placed[output.root] = gpu.allocate(F32, (T, N))
    gpu.write(placed[output.root], y_TN, (T, N))
    program = GpuProgram(
        gpu.gpu,
        graph.nodes,
        placed,
        lambda node, tokens: kernel if kernel is not None else gpu.kernel(node, tokens),
    )
    program.submit({})
    gpu.read(placed[output.root], y_TN, (T, N))
    expected = x_TK.astype(np.float64) @ w_NK.float64().T + b_N
    return float(np.max(np.abs(y_TN.float64() - expected)) / np.max(np.abs(expected)))


# One token; two passes of few; tiles of 32 with four teams; tiles of 64; both with edges.
@pytest.mark.parametrize(("T", "N"), [(1, 70), (13, 9), (40, 70), (70, 140)])
@pytest.mark.parametrize("kind", TYPES)
def test_kernels_that_are_chosen(gpu: WebGpuBackend, kind: str, T: int, N: int) -> None:
    assert _error(gpu, None, kind, T, N, 512) < 1e-5


@pytest.mark.parametrize("version", LADDER)
def test_weights_in_parts(
    gpu: WebGpuBackend, version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = LADDER[version]
    if gpu.lacks(kernel):
        pytest.skip(f"this GPU has no {gpu.lacks(kernel)}")
    small = replace(gpu.gpu.features, binding_bytes=64 * 256)
    monkeypatch.setattr(gpu.gpu, "features", small)
    assert len(memory.allocate(gpu.gpu, storage_type("i8"), (150, 256)).parts) == 3
    low, high = kernel.options.get("tokens", (1, 20))
    assert _error(gpu, kernel, "i8", min(high, low + 4), 150, 256) < 1e-5


# Rows of 96 and of 37 values: whole vectors or not; the last part has some rows alone.
@pytest.mark.parametrize("K", [96, 37])
@pytest.mark.parametrize("name", BACKWARD)
def test_gradients_in_parts(
    gpu: WebGpuBackend, name: str, K: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = BACKWARD[name]
    monkeypatch.setattr(gpu.gpu, "features", replace(gpu.gpu.features, binding_bytes=64 * 4 * K))
    assert len(memory.allocate(gpu.gpu, F32, (150, K)).parts) == 3
    case = {"T": 13, "N": 150, "K": K}
    options = [{"residual": True}, {}] if kernel.op is linear_backward_x else [{"add": True}]
    for option in options:
        assert run_case(kernel, case | option, gpu).ok


# Whole fours and not; the edges of tiles, and several of them along every dimension.
@pytest.mark.parametrize("sizes", [(150, 140, 260), (133, 131, 131)])
@pytest.mark.parametrize("count", [1, 40, 130, 300, 600, 1100])
@pytest.mark.parametrize("op", [linear_backward_x, linear_backward_w])
def test_gradients_in_tiles_of_each_size(
    gpu: WebGpuBackend,
    op: Op,
    count: int,
    sizes: tuple[int, int, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kernel = next(k for k in op.kernels if (k.backend, k.version) == ("webgpu", 2))
    tile = gradient_tiles.tile_of(64, 64 * count, gpu.gpu.features)
    monkeypatch.setattr(gradient_tiles, "tile_of", lambda *_: tile)
    case = dict(zip("TNK", sizes, strict=True))
    assert run_case(kernel, case | {"add": False}, gpu).ok


def test_units_hold_whole_vectors() -> None:
    for name in TYPES:
        kind = storage_type(name)
        assert unit_of(kind) % 4 == 0
        assert in_units(kind, 2 * unit_of(kind))
        assert not in_units(kind, unit_of(kind) + 2)
    assert not in_units(storage_type("i8_g4"), 64)
