"""Rounding to int8: every version computes the same bits, whatever the values."""

from __future__ import annotations

import numpy as np
import pytest

from rung.backends.cpu.backend import CpuBackend
from rung.bench.kernels.check import reference, run_inputs
from rung.bench.kernels.targets import find_op, ladder, load_backend
from rung.storage import stored

load_backend("cpu")
T, K = 7, 160  # 35 blocks: two vectors of scales, and a rest
CASE = {"T": T, "K": K}


def _values() -> np.ndarray:
    """Random values; blocks of zeros, of the smallest numbers, of halves and of great numbers."""
    x_TK = np.random.default_rng(3).standard_normal((T, K)).astype(np.float32)
    x_TK[0, :32] = 0
    x_TK[1, 32:64] *= np.float32(1e-39)
    x_TK[2, 64:96] *= np.float32(1e-37)
    x_TK[3, :32] = np.arange(-127, 129, 8)[:32] + 0.5
    x_TK[3, 0] = 127
    x_TK[4] *= np.float32(1e37)
    x_TK[6, -1] = -4000
    return x_TK


@pytest.mark.parametrize("threads", [1, 5])
def test_versions_of_quantize_blocks_have_the_same_bits(threads: int) -> None:
    op = find_op("quantize_blocks")
    inputs = {"x_TK": stored(_values())}
    expected = reference(op, inputs, CASE)
    backend = CpuBackend(threads)
    try:
        kernels = ladder(op, "cpu", "")
        results = [run_inputs(k, CASE, inputs, expected, backend).result for k in kernels]
    finally:
        backend.close()
    assert len(results) > 1
    assert not np.isnan(results[0]).any()
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])
