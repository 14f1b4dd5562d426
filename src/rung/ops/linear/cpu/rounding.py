"""Rounding activations to int8, for products in integers.

quantize          in the groups of the weights: 1 value by value; 2 sixteen lanes at a time.
quantize_blocks   in blocks of 32, with sums of each 16: 1 value by value; 2 sixteen lanes.
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
    total,
)
from rung.simd.spans import span

_SMALLEST = np.finfo(np.float32).tiny


@register_jitable
def _scale_of(largest_x):
    """The step for values up to `largest_x`; 0 where the step would have no float32 inverse."""
    scale = largest_x / np.float32(127)
    return scale if scale >= _SMALLEST else np.float32(0)


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
            scale = _scale_of(largest_x)
            inverse = np.float32(1) / scale if scale > 0 else np.float32(0)
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
            scale = _scale_of(largest(most))
            inverse = fill(np.float32(1) / scale if scale > 0 else np.float32(0))
            scales[t, g] = scale
            for k in range(g * group, (g + 1) * group, LANES):
                store_int8(q_TK, t, k, nearest(load(x_TK, t, k) * inverse))


BLOCK = 32
_BLOCKS = Split("TK", BLOCK, per_thread=1)


@quantize_blocks.kernel("cpu", 1, why="block by block, value by value", split=_BLOCKS)
def quantize_blocks_naive(part, parts, x_TK, y_TK):
    q_TK, scales, sums = y_TK
    T, B = scales.shape
    start, stop = span(part, parts, T * B, 1)
    for i in range(start, stop):
        t, b = i // B, i % B
        largest_x = np.float32(0)
        for k in range(b * BLOCK, (b + 1) * BLOCK):
            largest_x = max(largest_x, abs(x_TK[t, k]))
        scale = _scale_of(largest_x)
        inverse = np.float32(1) / scale if scale > 0 else np.float32(0)
        scales[t, b] = scale
        sums[t, 2 * b] = 0
        sums[t, 2 * b + 1] = 0
        for k in range(b * BLOCK, (b + 1) * BLOCK):
            q = np.int8(np.rint(x_TK[t, k] * inverse))
            q_TK[t, k] = q
            sums[t, k // 16] += q


@quantize_blocks.kernel("cpu", 2, why="sixteen lanes at a time", split=_BLOCKS)
def quantize_blocks_lanes(part, parts, x_TK, y_TK):
    q_TK, scales, sums = y_TK
    T, B = scales.shape
    start, stop = span(part, parts, T * B, 1)
    for i in range(start, stop):
        t, b = i // B, i % B
        low, high = load(x_TK, t, b * BLOCK), load(x_TK, t, b * BLOCK + LANES)
        scale = _scale_of(largest(maximum(absolute(low), absolute(high))))
        inverse = fill(np.float32(1) / scale if scale > 0 else np.float32(0))
        scales[t, b] = scale
        low, high = nearest(low * inverse), nearest(high * inverse)
        store_int8(q_TK, t, b * BLOCK, low)
        store_int8(q_TK, t, b * BLOCK + LANES, high)
        # Exact: whole numbers far below 2^24.
        sums[t, 2 * b] = np.int32(total(low))
        sums[t, 2 * b + 1] = np.int32(total(high))
