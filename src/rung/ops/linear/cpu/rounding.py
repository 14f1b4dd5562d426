"""Rounding activations to int8, for products in integers.

quantize          in the groups of the weights: 1 value by value; 2 sixteen lanes at a time.
quantize_blocks   in blocks of 32, with sums of each 16: 1 value by value; 3 sixteen at a time.
"""

# T tokens, K width

import numpy as np
from numba.extending import register_jitable

from rung.ops.linear.op import quantize, quantize_blocks
from rung.registry import Split
from rung.simd.lanes import (
    LANES,
    absolute,
    fill,
    largest,
    load,
    maximum,
    nearest,
    store_int8,
)
from rung.simd.memory import aligned_floats
from rung.simd.rounding import BLOCK, WORK, inverse_of, round_blocks, round_blocks_naive, step_of
from rung.simd.spans import span


@quantize.kernel("cpu", 1, why="group by group, value by value", split=Split("T"))
def quantize_naive(part, parts, x_TK, y_TK, group):
    q_TK, scales = y_TK
    T, K = x_TK.shape
    start, stop = span(part, parts, T, 1)
    for t in range(start, stop):
        for g in range(K // group):
            largest_x = np.float32(0)
            for k in range(g * group, (g + 1) * group):
                largest_x = max(largest_x, abs(x_TK[t, k]))
            scale = step_of(largest_x)
            inverse = inverse_of(scale)
            scales[t, g] = scale
            for k in range(g * group, (g + 1) * group):
                q_TK[t, k] = np.int8(np.rint(x_TK[t, k] * inverse))


@quantize.kernel(
    "cpu",
    2,
    why="sixteen lanes at a time",
    when=lambda group: group % LANES == 0,
    split=Split("T"),
)
def quantize_lanes(part, parts, x_TK, y_TK, group):
    q_TK, scales = y_TK
    T, K = x_TK.shape
    start, stop = span(part, parts, T, 1)
    for t in range(start, stop):
        for g in range(K // group):
            most = fill(np.float32(0))
            for k in range(g * group, (g + 1) * group, LANES):
                most = maximum(most, absolute(load(x_TK, t, k)))
            scale = step_of(largest(most))
            inverse = fill(inverse_of(scale))
            scales[t, g] = scale
            for k in range(g * group, (g + 1) * group, LANES):
                store_int8(q_TK, t, k, nearest(load(x_TK, t, k) * inverse))


_BLOCKS = Split("TK", BLOCK, per_thread=1)


@register_jitable
def _row_of_blocks(x_TK, y_TK, start, stop):
    """Blocks start … stop − 1 of all tokens as the only row of x, and all of y as one row."""
    q_TK, scales, sums = y_TK
    x_1K = x_TK.reshape(-1)[start * BLOCK : stop * BLOCK].reshape(1, (stop - start) * BLOCK)
    return x_1K, (q_TK.reshape(1, -1), scales.reshape(1, -1), sums.reshape(1, -1))


@quantize_blocks.kernel("cpu", 1, why="block by block, value by value", split=_BLOCKS)
def quantize_blocks_naive(part, parts, x_TK, y_TK):
    start, stop = span(part, parts, y_TK[1].size, 1)
    x_1K, y_1K = _row_of_blocks(x_TK, y_TK, start, stop)
    round_blocks_naive(x_1K, y_1K, 0, start, stop - start)


# A block takes 7.4 ns; with a scale at a time, as in version 2, 21.5 (Zen 4, 1 core, 256 tokens
# of 2048 values).
@quantize_blocks.kernel("cpu", 3, why="the scales of sixteen blocks in a vector", split=_BLOCKS)
def quantize_blocks_runs(part, parts, x_TK, y_TK):
    start, stop = span(part, parts, y_TK[1].size, 1)
    x_1K, y_1K = _row_of_blocks(x_TK, y_TK, start, stop)
    work_XL = aligned_floats(WORK).reshape(WORK // LANES, LANES)
    round_blocks(x_1K, y_1K, 0, start, stop - start, work_XL)
