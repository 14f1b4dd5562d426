"""Gradients of norms on the CPU: rows for dx, columns for dw, so that each sum has one owner.

1 is the formula, summed in float64.
"""

# T tokens, D width, S statistics of a row: its mean and its scale

import math

import numpy as np

from rung.ops.norm.gradient import norm_backward_w, norm_backward_x, norm_statistics
from rung.registry import Split
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
