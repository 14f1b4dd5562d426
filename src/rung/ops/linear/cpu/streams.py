"""Decoding with int8 activations (q8_s): four far-apart rows of weights at a time, read in place.

The rows that a thread computes are four runs of neighbors. One row of each run meets the
activations at a time, so memory is read as four long streams, which the processor foresees. On one
Zen 4 core that keeps up with 42 GB/s of q8_0, 26 of q4_0, 21 of q4_k and q5_k, and 28 of q6_k; two
of them share 36 GB/s of memory.

An output is one float32 sum over units of weights (32, in q6_k 16) in order of k, whatever the
number of tokens: fma(Σ q·qx, (scale of w)·(scale of x), sum), then minus the minimum's share.
"""

# T tokens, K input width, N output width

import numpy as np
from numba.extending import register_jitable

from rung.simd.group_dots import (
    group_dot,
    group_load,
    group_store,
    group_stream,
    group_sums_load,
    group_values,
    group_zeros,
)
from rung.simd.memory import LINE_BYTES, align_stack, prefetch_line
from rung.simd.target import host

ROWS = 4
TOKENS = 8  # that meet a group of weights while it is in registers; their rows fit the cache


@register_jitable
def streamed_product(x_TK, w_NK, y_TN, start, stop, FORMAT):
    """y[:, start : stop] = x · wᵀ for weights of a format, a literal of simd/groups.py."""
    T = y_TN.shape[0]
    if T == 1:
        _one_token(x_TK, w_NK, y_TN, start, stop, FORMAT)
        return
    totals = np.empty((TOKENS, ROWS), np.float32)
    for first in range(0, T, TOKENS):
        _few_tokens(x_TK, w_NK, y_TN, first, min(first + TOKENS, T), start, stop, totals, FORMAT)


@register_jitable
def _sets(start, stop):
    """How many sets of four rows make up start … stop, and how far apart their rows are."""
    size = stop - start
    run = size // ROWS
    if run == 0:
        return size, run
    return run + (size % ROWS > 0), run


# Bytes ahead of each stream that memory is asked for. On Emerald Rapids, 2 cores, q8_0 came at
# 27 GB/s without asking, at 31, 33, 33.5 and 33.5 when asked 512, 1024, 2048 and 4096 bytes ahead.
# AMD's processors foresee the streams by themselves: Zen 4 was 5 % slower for asking.
_ASKS = not host().processor.startswith("znver")
_AHEAD = 2048


@register_jitable
def _ask_ahead(w_NK, n, stride, offset, size):
    """Asks for what the four streams will read soon; beyond a row lies the next of its run."""
    if not _ASKS:
        return
    for r in range(ROWS):
        for line in range(0, size, LINE_BYTES):
            prefetch_line(w_NK, n + r * stride, offset + _AHEAD + line)


@register_jitable
def _one_token(x_TK, w_NK, y_TN, start, stop, FORMAT):
    """y[0, start : stop], sums in registers."""
    align_stack()
    blocks = x_TK[0].shape[1] // group_values(FORMAT)
    fours = blocks // 4 * 4 if group_values(FORMAT) == 32 else 0
    size = w_NK.shape[1] // blocks
    sets, run = _sets(start, stop)
    for number in range(sets):
        n, stride = start + number, run
        if number == run and run > 0:
            # The last four rows once more, of which the first were done: to the same bits.
            n, stride = stop - ROWS, 1
        total = group_zeros()
        for index in range(0, fours, 4):
            _ask_ahead(w_NK, n, stride, index * size, 4 * size)
            total = group_stream(total, w_NK, n, stride, x_TK, 0, index, 4, FORMAT)
        for index in range(fours, blocks):
            if fours == 0:
                _ask_ahead(w_NK, n, stride, index * size, size)
            total = group_stream(total, w_NK, n, stride, x_TK, 0, index, 1, FORMAT)
        group_store(total, y_TN, 0, n, stride)


@register_jitable
def _few_tokens(x_TK, w_NK, y_TN, first, end, start, stop, totals, FORMAT):
    """y[first : end, start : stop], each group of weights unpacked once for all tokens."""
    align_stack()
    blocks = x_TK[0].shape[1] // group_values(FORMAT)
    fours = blocks // 4 * 4 if group_values(FORMAT) == 32 else 0
    sets, run = _sets(start, stop)
    for number in range(sets):
        n, stride = start + number, run
        if number == run and run > 0:
            n, stride = stop - ROWS, 1
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
