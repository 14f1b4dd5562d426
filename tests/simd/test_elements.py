"""float16 on the way out: every rounding case, with and without the processor's instruction."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from rung.simd import elements
from rung.simd.elements import put
from rung.simd.lanes import LANES, load, store


def _values() -> np.ndarray:
    """All finite halves, what lies half-way between them and just beside that, and a few more."""
    halves = np.arange(0x7C00, dtype=np.uint16).view(np.float16).astype(np.float32)
    middles = (halves[:-1] + halves[1:]) / 2
    beside = [np.nextafter(middles, np.float32(to)) for to in (0, 1e9)]
    special = np.array([0.0, 1e-8, 2.0**-25, 65519.0, np.nan, 1e-45], np.float32)
    positive = np.concatenate([halves, middles, *beside, special])
    both = np.concatenate([positive, -positive])
    return np.concatenate([both, np.zeros(-len(both) % LANES, np.float32)])


@pytest.mark.parametrize("native", [True, False])
def test_float16_is_rounded_to_nearest_even(monkeypatch: pytest.MonkeyPatch, native: bool) -> None:
    if not native:
        monkeypatch.setattr(elements, "_converts_halves", lambda: False)
    elif not elements._converts_halves():
        pytest.skip("this processor has no instruction for it")

    @njit
    def convert(x_1K, vectors_1K, values_1K):  # type: ignore[no-untyped-def]
        for k in range(0, x_1K.shape[1], LANES):
            store(vectors_1K, 0, k, load(x_1K, 0, k))
        for k in range(x_1K.shape[1]):
            put(values_1K, 0, k, x_1K[0, k])

    x = _values()
    vectors, values = np.zeros((2, 1, len(x)), np.int16)
    convert(x.reshape(1, -1), vectors, values)
    expected = x.astype(np.float16)
    assert np.array_equal(vectors, values)
    assert np.array_equal(vectors[0].view(np.float16), expected, equal_nan=True)
    signs = np.signbit(vectors[0].view(np.float16))
    assert np.array_equal(signs[~np.isnan(x)], np.signbit(x)[~np.isnan(x)])


@pytest.mark.parametrize("native", [True, False])
def test_what_is_beyond_float16_becomes_its_greatest(
    monkeypatch: pytest.MonkeyPatch, native: bool
) -> None:
    if not native:
        monkeypatch.setattr(elements, "_converts_halves", lambda: False)

    @njit
    def convert(x_1K, y_1K):  # type: ignore[no-untyped-def]
        for k in range(x_1K.shape[1]):
            put(y_1K, 0, k, x_1K[0, k])

    x = np.array([[65520.0, 1e30, np.inf, -65536.0, -np.inf]], np.float32)
    y = np.zeros(x.shape, np.int16)
    convert(x, y)
    assert y.view(np.float16).tolist() == [[65504.0, 65504.0, 65504.0, -65504.0, -65504.0]]
