"""Functions of vectors against float64."""

from __future__ import annotations

import numpy as np
from numba import njit

from rung.simd.functions import exp2
from rung.simd.lanes import LANES, load, store


def test_exp2_of_what_is_not_positive() -> None:
    @njit
    def apply(x_1K, y_1K):  # type: ignore[no-untyped-def]
        for k in range(0, x_1K.shape[1], LANES):
            store(y_1K, 0, k, exp2(load(x_1K, 0, k)))

    x = -np.abs(np.linspace(0, 125, 1 << 16, dtype=np.float32)).reshape(1, -1)
    y = np.empty_like(x)
    apply(x, y)
    exact = 2.0 ** x.astype(np.float64)
    assert np.abs(y / exact - 1).max() < 2 * 2.0**-23
    ends = np.array([[0, -1, -126, -1e9, -3e38, -np.inf, np.nan] + [0.0] * 9], np.float32)
    y = np.empty_like(ends)
    apply(ends, y)
    assert np.array_equal(y[0, :7], np.float32([1, 0.5, 0, 0, 0, 0, np.nan]), equal_nan=True)
