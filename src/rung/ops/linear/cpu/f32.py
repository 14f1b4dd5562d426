"""Products of float32 with float32: 1 the triple loop, 2 sixteen lanes along K, 3 tiles."""

# T tokens, K input width, N output width; R×C tile of tokens × outputs

import numpy as np
from numba.extending import register_jitable

from rung.ops.linear.cpu.common import BLOCK, COLUMNS, NARROW, OUTPUTS, ROWS, add_bias
from rung.ops.linear.op import linear
from rung.simd.lanes import LANES, tile_fma, tile_load, tile_load_some, tile_store, tile_zeros
from rung.simd.memory import prefetch
from rung.simd.spans import span
from rung.storage import F32


def _is_f32(x_TK, w_NK):
    return x_TK.type is F32 and w_NK.type is F32


@linear.kernel("cpu", 1, form="f32", why="the triple loop", when=_is_f32, split=OUTPUTS)
def linear_f32_naive(part, parts, x_TK, w_NK, b_N, y_TN):
    T, K = x_TK.shape
    start, stop = span(part, parts, y_TN.shape[1], COLUMNS)
    for t in range(T):
        for n in range(start, stop):
            y = np.float32(0)
            for k in range(K):
                y += x_TK[t, k] * w_NK[n, k]
            y_TN[t, n] = y
    add_bias(y_TN, b_N, start, stop)


@linear.kernel("cpu", 2, form="f32", why="sixteen lanes along K", when=_is_f32, split=OUTPUTS)
def linear_f32_lanes(part, parts, x_TK, w_NK, b_N, y_TN):
    T = x_TK.shape[0]
    start, stop = span(part, parts, y_TN.shape[1], COLUMNS)
    for t in range(T):
        for n in range(start, stop):
            _tile_f32(x_TK, w_NK, y_TN, t, n, 1, 1)
    add_bias(y_TN, b_N, start, stop)


@register_jitable
def _tile_f32(x_TK, w_NK, y_TN, t, n, R, C):
    """y[t : t+R, n : n+C] by R·C vectors of sums."""
    K = x_TK.shape[1]
    whole = K // LANES * LANES
    tile = tile_zeros(R, C)
    for k in range(0, whole, LANES):
        if R == 1:
            # Four rows read side by side hide from the processor that memory is read in order;
            # asking for it in order, two tiles ahead, brought 11 to 22 GB/s on one Zen 4 core.
            prefetch(w_NK, n + 2 * C, C * k, C)
        tile = tile_fma(tile, tile_load(x_TK, t, k, R), tile_load(w_NK, n, k, C))
    if whole < K:
        x = tile_load_some(x_TK, t, whole, R, K - whole)
        tile = tile_fma(tile, x, tile_load_some(w_NK, n, whole, C, K - whole))
    tile_store(tile, y_TN, t, n, C)


@linear.kernel(
    "cpu", 3, form="f32", why="tiles in registers, tokens in blocks", when=_is_f32, split=OUTPUTS
)
def linear_f32_tiles(part, parts, x_TK, w_NK, b_N, y_TN):
    T = x_TK.shape[0]
    start, stop = span(part, parts, y_TN.shape[1], COLUMNS)
    whole = start + (stop - start) // COLUMNS * COLUMNS
    for block in range(0, T, BLOCK):
        end = min(block + BLOCK, T)
        tiled = block + (end - block) // ROWS * ROWS
        for n in range(start, whole, NARROW):
            for t in range(block, tiled, ROWS):
                _tile_f32(x_TK, w_NK, y_TN, t, n, ROWS, NARROW)
        for n in range(start, whole, COLUMNS):
            for t in range(tiled, end):
                _tile_f32(x_TK, w_NK, y_TN, t, n, 1, COLUMNS)
        for n in range(whole, stop):
            for t in range(block, end):
                _tile_f32(x_TK, w_NK, y_TN, t, n, 1, 1)
    add_bias(y_TN, b_N, start, stop)
