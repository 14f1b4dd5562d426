"""Gradients of norms on the CPU: rows for dx, columns for dw, so that each sum has one owner.

1 is the formula, summed in float64; 2 is sixteen lanes at a time. A thread that owns columns goes
through all rows; LLVM's own vectors do that at the speed of the second-level cache.
"""

# T tokens, D width, S statistics of a row: its mean and its scale

import math

import numpy as np
from numba.extending import register_jitable

from rung.ops.norm.gradient import norm_backward_w, norm_backward_x, norm_statistics
from rung.registry import Split
from rung.simd.lanes import (
    LANES,
    fill,
    first_lanes,
    fma,
    load_some,
    store_some,
    total,
)
from rung.simd.spans import span

_ROWS = Split("T")
_LINE = 16  # float32 values of a cache line: no two threads write to one
_COLUMNS = Split("D", _LINE)


@norm_statistics.kernel("cpu", 1, why="the formula, value by value", split=_ROWS)
def norm_statistics_plain(part, parts, x_TD, s_TS, eps, centred):
    T, D = x_TD.shape
    start, stop = span(part, parts, T, 1)
    for t in range(start, stop):
        mean = 0.0
        if centred:
            for d in range(D):
                mean += x_TD[t, d]
            mean /= D
        squares = 0.0
        for d in range(D):
            squares += (x_TD[t, d] - mean) ** 2
        s_TS[t, 0] = mean
        s_TS[t, 1] = 1.0 / math.sqrt(squares / D + eps)


@norm_backward_x.kernel("cpu", 1, why="the formula, value by value", split=_ROWS)
def norm_backward_x_plain(part, parts, dy_TD, x_TD, w_D, s_TS, r_TD, dx_TD, centred):
    T, D = x_TD.shape
    start, stop = span(part, parts, T, 1)
    for t in range(start, stop):
        mean, scale = s_TS[t, 0], s_TS[t, 1]
        gradient, along = 0.0, 0.0
        for d in range(D):
            g = float(dy_TD[t, d] * w_D[d])
            gradient += g
            along += g * float((x_TD[t, d] - mean) * scale)
        shift = np.float32(gradient / D) if centred else np.float32(0)
        slope = np.float32(along / D)
        for d in range(D):
            hat = (x_TD[t, d] - mean) * scale
            dx = scale * (dy_TD[t, d] * w_D[d] - hat * slope - shift)
            dx_TD[t, d] = dx + r_TD[t, d] if len(r_TD) > 0 else dx


@register_jitable
def _row_total(x_TD, t, mean, power):
    """Σ (x − mean) of a row, or Σ (x − mean)² where the power is 2."""
    D = x_TD.shape[1]
    zero, shift = fill(np.float32(0)), fill(mean)
    sums = zero
    for d in range(0, D, LANES):
        count = min(LANES, D - d)
        value = first_lanes(load_some(x_TD, t, d, count) - shift, zero, count)
        sums = fma(value, value, sums) if power == 2 else sums + value
    return total(sums)


@norm_statistics.kernel("cpu", 2, why="sixteen lanes at a time, the mean first", split=_ROWS)
def norm_statistics_lanes(part, parts, x_TD, s_TS, eps, centred):
    T, D = x_TD.shape
    start, stop = span(part, parts, T, 1)
    for t in range(start, stop):
        mean = np.float32(0)
        if centred:
            mean = _row_total(x_TD, t, mean, 1) / np.float32(D)
        s_TS[t, 0] = mean
        s_TS[t, 1] = 1.0 / math.sqrt(_row_total(x_TD, t, mean, 2) / D + eps)


@norm_backward_x.kernel("cpu", 2, why="sixteen lanes at a time", split=_ROWS)
def norm_backward_x_lanes(part, parts, dy_TD, x_TD, w_D, s_TS, r_TD, dx_TD, centred):
    T, D = x_TD.shape
    w_1D = w_D.reshape(1, D)
    start, stop = span(part, parts, T, 1)
    for t in range(start, stop):
        mean, scale = fill(s_TS[t, 0]), fill(s_TS[t, 1])
        gradient = along = fill(np.float32(0))
        for d in range(0, D, LANES):
            count = min(LANES, D - d)  # lanes beyond have g = 0
            g = load_some(dy_TD, t, d, count) * load_some(w_1D, 0, d, count)
            gradient = gradient + g
            along = fma(g, (load_some(x_TD, t, d, count) - mean) * scale, along)
        shift = fill(total(gradient) / np.float32(D) if centred else np.float32(0))
        slope = fill(total(along) / np.float32(D))
        for d in range(0, D, LANES):
            count = min(LANES, D - d)
            g = load_some(dy_TD, t, d, count) * load_some(w_1D, 0, d, count)
            hat = (load_some(x_TD, t, d, count) - mean) * scale
            dx = scale * (g - hat * slope - shift)
            if len(r_TD) > 0:
                dx = dx + load_some(r_TD, t, d, count)
            store_some(dx_TD, t, d, dx, count)


@norm_backward_w.kernel("cpu", 1, why="row after row, LLVM's own vectors", split=_COLUMNS)
def norm_backward_w_plain(part, parts, dw_D, dy_TD, x_TD, s_TS, add):
    T, D = x_TD.shape
    start, stop = span(part, parts, D, _LINE)
    if not add:
        for d in range(start, stop):
            dw_D[d] = 0
    for t in range(T):
        mean, scale = s_TS[t, 0], s_TS[t, 1]
        for d in range(start, stop):
            dw_D[d] += dy_TD[t, d] * ((x_TD[t, d] - mean) * scale)
