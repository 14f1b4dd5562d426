"""Decoding with int8 activations (q8_s): four far-apart rows of weights at a time, read in place.

The rows that a thread computes are four runs of neighbors. One row of each run meets the
activations at a time, so memory is read as four long streams, which the processor foresees.
"""

# T tokens, K input width, N output width

import numpy as np
from numba.extending import register_jitable

from rung.simd.group_dots import (
    group_dot,
    group_load,
    group_store,
    group_sums_load,
    group_values,
    group_zeros,
)

ROWS = 4
TOKENS = 8  # that meet a group of weights while it is in registers


@register_jitable
def streamed_product(x_TK, w_NK, y_TN, start, stop, FORMAT):
    """y[:, start : stop] = x · wᵀ for weights of a format, a literal of simd/groups.py."""
    T = y_TN.shape[0]
    run = (stop - start) // ROWS
    totals = np.empty((TOKENS, ROWS), np.float32)
    for first in range(0, T, TOKENS):
        end = min(first + TOKENS, T)
        for row in range(run):
            _four_rows(x_TK, w_NK, y_TN, first, end, start + row, run, totals, FORMAT)
        rest = start + run * ROWS
        if rest < stop and run > 0:
            # The last four rows once more, of which the first were done: to the same bits.
            _four_rows(x_TK, w_NK, y_TN, first, end, stop - ROWS, 1, totals, FORMAT)
        elif rest < stop:
            for n in range(rest, stop):
                _four_rows(x_TK, w_NK, y_TN, first, end, n, 0, totals, FORMAT)


@register_jitable
def _four_rows(x_TK, w_NK, y_TN, first, end, n, stride, totals, FORMAT):
    """y[first : end, n + r·stride] for r of 0 to 3."""
    if end - first == 1:
        _one_token(x_TK, w_NK, y_TN, first, n, stride, FORMAT)
        return
    blocks = x_TK[0].shape[1] // group_values(FORMAT)
    fours = blocks // 4 * 4 if group_values(FORMAT) == 32 else 0
    totals[:] = 0
    for index in range(0, fours, 4):
        group = group_load(w_NK, n, stride, index, 4, FORMAT)
        for t in range(first, end):
            total = group_sums_load(totals, t - first)
            total = group_dot(total, group, x_TK, t, index, 4, FORMAT)
            group_store(total, totals, t - first, 0, 1)
    for index in range(fours, blocks):
        group = group_load(w_NK, n, stride, index, 1, FORMAT)
        for t in range(first, end):
            total = group_sums_load(totals, t - first)
            total = group_dot(total, group, x_TK, t, index, 1, FORMAT)
            group_store(total, totals, t - first, 0, 1)
    for t in range(first, end):
        group_store(group_sums_load(totals, t - first), y_TN, t, n, stride)


@register_jitable
def _one_token(x_TK, w_NK, y_TN, t, n, stride, FORMAT):
    """y[t, n + r·stride] for r of 0 to 3."""
    blocks = x_TK[0].shape[1] // group_values(FORMAT)
    fours = blocks // 4 * 4 if group_values(FORMAT) == 32 else 0
    total = group_zeros()
    for index in range(0, fours, 4):
        group = group_load(w_NK, n, stride, index, 4, FORMAT)
        total = group_dot(total, group, x_TK, t, index, 4, FORMAT)
    for index in range(fours, blocks):
        group = group_load(w_NK, n, stride, index, 1, FORMAT)
        total = group_dot(total, group, x_TK, t, index, 1, FORMAT)
    group_store(total, y_TN, t, n, stride)
