"""Norms on the CPU: one thread a token or head, since a sum over the width is the whole work.

1 is the formula with plain loops, summed in float64. 2 reads sixteen values at a time into one
vector of sums. A row of 4096 values stays in the first-level cache between its two passes.
"""

# T tokens, H heads, D width, X rows of width D

import math

import numpy as np
from numba.extending import register_jitable

from rung.ops.norm.op import head_norm, layer_norm, rms_norm
from rung.registry import Split
from rung.simd.lanes import LANES, fill, fma, load, load_some, store, store_some, total
from rung.simd.spans import span

_ROWS = Split("T")
_HEADS = Split("TH")


@register_jitable
def rms_row_naive(x_XD, t, w_D, y_XD, row, eps):
    """y[row] = the norm of x[t], value by value"""
    D = x_XD.shape[1]
    squares = 0.0
    for d in range(D):
        squares += float(x_XD[t, d]) * float(x_XD[t, d])
    scale = np.float32(1.0 / math.sqrt(squares / D + eps))
    for d in range(D):
        y_XD[row, d] = x_XD[t, d] * scale * w_D[d]


@register_jitable
def _rms_naive(part, parts, x_XD, w_D, y_XD, eps):
    start, stop = span(part, parts, x_XD.shape[0], 1)
    for t in range(start, stop):
        rms_row_naive(x_XD, t, w_D, y_XD, t, eps)


@rms_norm.kernel("cpu", 1, why="the formula, value by value", split=_ROWS)
def rms_norm_naive(part, parts, x_TD, w_D, y_TD, eps):
    _rms_naive(part, parts, x_TD, w_D, y_TD, eps)


@head_norm.kernel("cpu", 1, why="the formula, value by value", split=_HEADS)
def head_norm_naive(part, parts, x_THD, w_D, y_THD, eps):
    T, H, D = x_THD.shape
    _rms_naive(part, parts, x_THD.reshape(T * H, D), w_D, y_THD.reshape(T * H, D), eps)


@register_jitable
def rms_row(x_XD, t, w_1D, y_XD, row, eps):
    """y[row] = the norm of x[t], sixteen lanes at a time"""
    D = x_XD.shape[1]
    whole = D // LANES * LANES
    squares = fill(np.float32(0))
    for d in range(0, whole, LANES):
        value = load(x_XD, t, d)
        squares = fma(value, value, squares)
    if whole < D:
        value = load_some(x_XD, t, whole, D - whole)
        squares = fma(value, value, squares)
    scale = fill(np.float32(1.0 / math.sqrt(total(squares) / D + eps)))
    for d in range(0, whole, LANES):
        store(y_XD, row, d, load(x_XD, t, d) * scale * load(w_1D, 0, d))
    if whole < D:
        rest = D - whole
        value = load_some(x_XD, t, whole, rest) * scale * load_some(w_1D, 0, whole, rest)
        store_some(y_XD, row, whole, value, rest)


@register_jitable
def _rms_lanes(part, parts, x_XD, w_D, y_XD, eps):
    X, D = x_XD.shape
    w_1D = w_D.reshape(1, D)
    start, stop = span(part, parts, X, 1)
    for t in range(start, stop):
        rms_row(x_XD, t, w_1D, y_XD, t, eps)


@rms_norm.kernel("cpu", 2, why="sixteen lanes at a time", split=_ROWS)
def rms_norm_lanes(part, parts, x_TD, w_D, y_TD, eps):
    _rms_lanes(part, parts, x_TD, w_D, y_TD, eps)


@head_norm.kernel("cpu", 2, why="sixteen lanes at a time", split=_HEADS)
def head_norm_lanes(part, parts, x_THD, w_D, y_THD, eps):
    T, H, D = x_THD.shape
    _rms_lanes(part, parts, x_THD.reshape(T * H, D), w_D, y_THD.reshape(T * H, D), eps)


@register_jitable
def layer_row_naive(x_TD, t, w_D, b_D, y_XD, row, eps):
    """y[row] = the norm of x[t], value by value"""
    D = x_TD.shape[1]
    mean = 0.0
    for d in range(D):
        mean += x_TD[t, d]
    mean /= D
    squares = 0.0
    for d in range(D):
        squares += (x_TD[t, d] - mean) ** 2
    scale = 1.0 / math.sqrt(squares / D + eps)
    for d in range(D):
        y_XD[row, d] = np.float32((x_TD[t, d] - mean) * scale) * w_D[d] + b_D[d]


@layer_norm.kernel("cpu", 1, why="the formula, value by value", split=_ROWS)
def layer_norm_naive(part, parts, x_TD, w_D, b_D, y_TD, eps):
    start, stop = span(part, parts, x_TD.shape[0], 1)
    for t in range(start, stop):
        layer_row_naive(x_TD, t, w_D, b_D, y_TD, t, eps)


@register_jitable
def layer_row(x_TD, t, w_1D, b_1D, y_XD, row, eps):
    """y[row] = the norm of x[t], sixteen lanes at a time, the mean first"""
    D = x_TD.shape[1]
    whole = D // LANES * LANES
    sums = fill(np.float32(0))
    for d in range(0, whole, LANES):
        sums = sums + load(x_TD, t, d)
    if whole < D:
        sums = sums + load_some(x_TD, t, whole, D - whole)
    mean = total(sums) / np.float32(D)
    squares = fill(np.float32(0))
    shift = fill(mean)
    for d in range(0, whole, LANES):
        value = load(x_TD, t, d) - shift
        squares = fma(value, value, squares)
    last = np.float32(0)  # lanes beyond the row would count −mean here
    for d in range(whole, D):
        last += (x_TD[t, d] - mean) * (x_TD[t, d] - mean)
    scale = fill(np.float32(1.0 / math.sqrt((total(squares) + last) / D + eps)))
    for d in range(0, whole, LANES):
        value = (load(x_TD, t, d) - shift) * scale * load(w_1D, 0, d)
        store(y_XD, row, d, value + load(b_1D, 0, d))
    if whole < D:
        rest = D - whole
        value = (load_some(x_TD, t, whole, rest) - shift) * scale
        value = value * load_some(w_1D, 0, whole, rest) + load_some(b_1D, 0, whole, rest)
        store_some(y_XD, row, whole, value, rest)


@layer_norm.kernel("cpu", 2, why="sixteen lanes at a time, the mean first", split=_ROWS)
def layer_norm_lanes(part, parts, x_TD, w_D, b_D, y_TD, eps):
    T, D = x_TD.shape
    w_1D, b_1D = w_D.reshape(1, D), b_D.reshape(1, D)
    start, stop = span(part, parts, T, 1)
    for t in range(start, stop):
        layer_row(x_TD, t, w_1D, b_1D, y_TD, t, eps)
