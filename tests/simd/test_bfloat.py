"""bfloat16 on the way out: every rounding case, with and without the processor's instruction."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numba import njit

from rung.simd import bfloat
from rung.simd.bfloat_tiles import bfloat_bits
from rung.simd.target import host
from rung.storage import quantize


def _values() -> np.ndarray:
    """Numbers of every exponent at, half-way between and beside two bfloat16, and a few more."""
    upper = np.arange(0x0080, 0x7F80, 7, dtype=np.uint32) << 16
    bits = np.concatenate([upper + low for low in (0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF)])
    positive = np.concatenate([bits.view(np.float32), np.array([0, np.inf, np.nan], np.float32)])
    return np.concatenate([positive, -positive])


@pytest.mark.parametrize("native", [True, False])
def test_bfloat16_is_rounded_to_nearest_even(monkeypatch: pytest.MonkeyPatch, native: bool) -> None:
    own = host()
    if native and not own.has("avx512bf16"):
        pytest.skip("this processor has no instruction for it")
    if not native:
        without = replace(own, features=own.features - {"avx512bf16"})
        monkeypatch.setattr(bfloat, "host", lambda: without)

    @njit
    def convert(x, y):  # type: ignore[no-untyped-def]
        for k in range(len(x)):
            y[k] = bfloat_bits(x[k])

    x = _values()
    result = np.zeros(len(x), np.uint16)
    convert(x, result)
    expected = quantize(x.reshape(1, -1), "bf16").planes[0][0]
    number = ~np.isnan(x)
    assert np.array_equal(result[number], expected[number])
    assert np.isnan((result.astype(np.uint32) << 16).view(np.float32)[~number]).all()
