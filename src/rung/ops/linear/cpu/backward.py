"""Gradients of products: 1 the plain loops. A thread owns a run of the columns that it writes."""

# T tokens, K input width, N output width

import numpy as np

from rung.ops.linear.gradient import column_sums, linear_backward_w, linear_backward_x
from rung.registry import Split
from rung.simd.spans import span

_LINE = 16  # float32 values of a cache line: no two threads write to one


@linear_backward_x.kernel("cpu", 1, why="the plain loops", split=Split("K", _LINE))
def linear_backward_x_plain(part, parts, dy_TN, w_NK, r_TK, dx_TK):
    T, N = dy_TN.shape
    start, stop = span(part, parts, dx_TK.shape[1], _LINE)
    for t in range(T):
        for k in range(start, stop):
            dx_TK[t, k] = r_TK[t, k] if len(r_TK) > 0 else np.float32(0)
        for n in range(N):
            for k in range(start, stop):
                dx_TK[t, k] += dy_TN[t, n] * w_NK[n, k]


@linear_backward_w.kernel("cpu", 1, why="the plain loops", split=Split("N"))
def linear_backward_w_plain(part, parts, dw_NK, dy_TN, x_TK, add):
    T, K = x_TK.shape
    start, stop = span(part, parts, dw_NK.shape[0], 1)
    for n in range(start, stop):
        if not add:
            for k in range(K):
                dw_NK[n, k] = 0
        for t in range(T):
            for k in range(K):
                dw_NK[n, k] += dy_TN[t, n] * x_TK[t, k]


@column_sums.kernel("cpu", 1, why="row after row, LLVM's own vectors", split=Split("N", _LINE))
def column_sums_plain(part, parts, sums_N, x_TN, add):
    start, stop = span(part, parts, sums_N.shape[0], _LINE)
    if not add:
        for n in range(start, stop):
            sums_N[n] = 0
    for t in range(x_TN.shape[0]):
        for n in range(start, stop):
            sums_N[n] += x_TN[t, n]
