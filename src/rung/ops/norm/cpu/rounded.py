"""Norms that end in int8, for products in integers: the norm's row stays in the nearest cache.

One thread a token, as without rounding. 1 value by value; 2 sixteen lanes at a time.
"""

# T tokens, D width, B blocks

import numpy as np

from rung.ops.norm.cpu.plain import layer_row, layer_row_naive, rms_row, rms_row_naive
from rung.ops.norm.op import layer_norm_rounded, rms_norm_rounded
from rung.registry import Split
from rung.simd.lanes import LANES
from rung.simd.memory import aligned_floats
from rung.simd.rounding import BLOCK, WORK, round_blocks, round_blocks_naive
from rung.simd.spans import span

_ROWS = Split("T")


@rms_norm_rounded.kernel("cpu", 1, why="the formula, value by value", split=_ROWS)
def rms_norm_rounded_naive(part, parts, x_TD, w_D, y_TD, eps):
    T, D = x_TD.shape
    row_1D = np.empty((1, D), np.float32)
    start, stop = span(part, parts, T, 1)
    for t in range(start, stop):
        rms_row_naive(x_TD, t, w_D, row_1D, 0, eps)
        round_blocks_naive(row_1D, y_TD, t, 0, D // BLOCK)


@rms_norm_rounded.kernel("cpu", 2, why="sixteen lanes at a time", split=_ROWS)
def rms_norm_rounded_lanes(part, parts, x_TD, w_D, y_TD, eps):
    T, D = x_TD.shape
    memory = aligned_floats(D + WORK)
    row_1D, work_XL = memory[:D].reshape(1, D), memory[D:].reshape(WORK // LANES, LANES)
    w_1D = w_D.reshape(1, D)
    start, stop = span(part, parts, T, 1)
    for t in range(start, stop):
        rms_row(x_TD, t, w_1D, row_1D, 0, eps)
        round_blocks(row_1D, y_TD, t, 0, D // BLOCK, work_XL)


@layer_norm_rounded.kernel("cpu", 1, why="the formula, value by value", split=_ROWS)
def layer_norm_rounded_naive(part, parts, x_TD, w_D, b_D, y_TD, eps):
    T, D = x_TD.shape
    row_1D = np.empty((1, D), np.float32)
    start, stop = span(part, parts, T, 1)
    for t in range(start, stop):
        layer_row_naive(x_TD, t, w_D, b_D, row_1D, 0, eps)
        round_blocks_naive(row_1D, y_TD, t, 0, D // BLOCK)


@layer_norm_rounded.kernel("cpu", 2, why="sixteen lanes at a time", split=_ROWS)
def layer_norm_rounded_lanes(part, parts, x_TD, w_D, b_D, y_TD, eps):
    T, D = x_TD.shape
    memory = aligned_floats(D + WORK)
    row_1D, work_XL = memory[:D].reshape(1, D), memory[D:].reshape(WORK // LANES, LANES)
    w_1D, b_1D = w_D.reshape(1, D), b_D.reshape(1, D)
    start, stop = span(part, parts, T, 1)
    for t in range(start, stop):
        layer_row(x_TD, t, w_1D, b_1D, row_1D, 0, eps)
        round_blocks(row_1D, y_TD, t, 0, D // BLOCK, work_XL)
