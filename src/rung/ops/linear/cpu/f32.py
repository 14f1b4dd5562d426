"""Products of float32 with float32: 1 the triple loop, 2 sixteen lanes along K, 3 tiles."""

# T tokens, K input width, N output width

import numpy as np

from rung.ops.linear.cpu.common import COLUMNS, OUTPUTS, finish, tile_product, tiled_product
from rung.ops.linear.op import linear
from rung.simd.spans import span
from rung.storage import F32


def _is_f32(x_TK, w_NK):
    return x_TK.type is F32 and w_NK.type is F32


@linear.kernel("cpu", 1, form="f32", why="the triple loop", when=_is_f32, split=OUTPUTS)
def linear_f32_naive(part, parts, x_TK, w_NK, b_N, r_TN, y_TN):
    T, K = x_TK.shape
    start, stop = span(part, parts, y_TN.shape[1], COLUMNS)
    for t in range(T):
        for n in range(start, stop):
            y = np.float32(0)
            for k in range(K):
                y += x_TK[t, k] * w_NK[n, k]
            y_TN[t, n] = y
    finish(y_TN, b_N, r_TN, start, stop)


@linear.kernel("cpu", 2, form="f32", why="sixteen lanes along K", when=_is_f32, split=OUTPUTS)
def linear_f32_lanes(part, parts, x_TK, w_NK, b_N, r_TN, y_TN):
    T = x_TK.shape[0]
    start, stop = span(part, parts, y_TN.shape[1], COLUMNS)
    for t in range(T):
        for n in range(start, stop):
            tile_product(x_TK, w_NK, y_TN, t, n, n, 1, 1)
    finish(y_TN, b_N, r_TN, start, stop)


@linear.kernel(
    "cpu", 3, form="f32", why="tiles in registers, tokens in blocks", when=_is_f32, split=OUTPUTS
)
def linear_f32_tiles(part, parts, x_TK, w_NK, b_N, r_TN, y_TN):
    start, stop = span(part, parts, y_TN.shape[1], COLUMNS)
    tiled_product(x_TK, w_NK, y_TN, start, stop)
    finish(y_TN, b_N, r_TN, start, stop)
