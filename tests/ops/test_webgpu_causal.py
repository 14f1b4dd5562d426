"""Attention of training on a GPU in tiles of every size, as the memory of a workgroup has room."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from gpu import require_gpu
from rung.backends.webgpu.backend import WebGpuBackend
from rung.bench.kernels.check import run_case
from rung.ops import load_kernels
from rung.ops.attention.training import causal_attention, causal_attention_backward
from rung.ops.attention.webgpu import training_tiles
from rung.registry import Kernel, Op
from rung.wgsl import Features

load_kernels("webgpu")
# Three blocks of 32; heads that share keys; a width that leaves lanes of a page without a column.
CASE = {"B": 2, "T": 75, "M": 8, "H": 4, "D": 36, "scale": 0.2}


@pytest.fixture(scope="module")
def gpu() -> Iterator[WebGpuBackend]:
    require_gpu()
    backend = WebGpuBackend()
    yield backend
    backend.close()


def _tiled(op: Op) -> Kernel:
    return next(k for k in op.kernels if (k.backend, k.version) == ("webgpu", 2))


@pytest.mark.parametrize("tile", training_tiles.TILES, ids=str)
@pytest.mark.parametrize("op", [causal_attention, causal_attention_backward], ids=str)
def test_tiles_of_each_size(
    gpu: WebGpuBackend, op: Op, tile: training_tiles.Tile, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = _tiled(op)
    if tile.size_bytes(CASE["D"], 2, 2, 2) > gpu.gpu.features.workgroup_bytes:
        pytest.skip(f"a workgroup of this GPU has no room for {tile}")
    monkeypatch.setattr(training_tiles, "tile_of", lambda *_: tile)
    assert run_case(kernel, CASE, gpu).ok


def test_gradients_have_the_same_bits_each_time(gpu: WebGpuBackend) -> None:
    kernel = _tiled(causal_attention_backward)
    first, second = (run_case(kernel, CASE, gpu).result for _ in range(2))
    assert np.array_equal(first, second)


def test_the_widest_heads_fit_everywhere() -> None:
    least = Features(workgroup_bytes=16384)
    tile = training_tiles.tile_of(training_tiles.WIDEST, least, 2, 2, 2)
    assert tile.size_bytes(training_tiles.WIDEST, 2, 2, 2) <= 16384
