"""Rounding float32 values to int8 in blocks of 32, with the sums of each 16, for other kernels.

Many kernels end in it: what a product reads in integers need not pass through memory as float32.
"""

# K values of a row, L lanes

import numpy as np
from numba.extending import register_jitable

from rung.simd.functions import flushed, greater, greatest, inverse_or_zero
from rung.simd.lanes import (
    LANES,
    absolute,
    fill,
    load,
    nearest,
    store,
    store_int8,
    store_some,
    total,
)

BLOCK = 32
WORK = 2 * LANES
"""Floats that `round_blocks` needs to work in."""

_SMALLEST = np.finfo(np.float32).tiny


@register_jitable
def step_of(largest_x):
    """The step for values up to `largest_x`; 0 where the step would have no float32 inverse."""
    step = largest_x / np.float32(127)
    return step if step >= _SMALLEST else np.float32(0)


@register_jitable
def inverse_of(step):
    """1 / step, or 0 for a step of 0"""
    return np.float32(1) / step if step > 0 else np.float32(0)


@register_jitable
def round_blocks_naive(x_1K, y_TK, t, first, count):
    """Blocks first … first + count − 1 of token t become x rounded, value by value."""
    q_TK, scales, sums = y_TK
    for b in range(count):
        largest_x = np.float32(0)
        for k in range(b * BLOCK, (b + 1) * BLOCK):
            largest_x = max(largest_x, abs(x_1K[0, k]))
        step = step_of(largest_x)
        inverse = inverse_of(step)
        scales[t, first + b] = step
        for half in range(2):
            total_q = np.int32(0)
            for k in range(b * BLOCK + 16 * half, b * BLOCK + 16 * half + 16):
                q = np.int8(np.rint(x_1K[0, k] * inverse))
                q_TK[t, first * BLOCK + k] = q
                total_q += q
            sums[t, 2 * (first + b) + half] = total_q


@register_jitable
def round_blocks(x_1K, y_TK, t, first, count, work_XL):
    """As `round_blocks_naive`, bit for bit: scales of sixteen blocks at a time in one vector."""
    q_TK, scales, sums = y_TK
    for group in range(0, count, LANES):
        blocks = min(LANES, count - group)
        store(work_XL, 0, 0, fill(np.float32(0)))
        for b in range(blocks):
            k = (group + b) * BLOCK
            low, high = absolute(load(x_1K, 0, k)), absolute(load(x_1K, 0, k + LANES))
            work_XL[0, b] = greatest(greater(low, high))
        steps = load(work_XL, 0, 0) / fill(np.float32(127))
        inverses = inverse_or_zero(steps)
        store(work_XL, 1, 0, inverses)
        store_some(scales, t, first + group, flushed(steps), blocks)
        for b in range(blocks):
            k = (group + b) * BLOCK
            inverse = fill(work_XL[1, b])
            low = nearest(load(x_1K, 0, k) * inverse)
            high = nearest(load(x_1K, 0, k + LANES) * inverse)
            store_int8(q_TK, t, first * BLOCK + k, low)
            store_int8(q_TK, t, first * BLOCK + k + LANES, high)
            # Exact: whole numbers far below 2^24.
            sums[t, 2 * (first + group + b)] = np.int32(total(low))
            sums[t, 2 * (first + group + b) + 1] = np.int32(total(high))
