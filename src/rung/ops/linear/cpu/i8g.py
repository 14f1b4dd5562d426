"""Products with int8 weights in groups.

i8g       float32 activations: 1 the triple loop; 2 sixteen lanes, widening the weights.
i8g_i8g   both int8: 1 the triple loop; 2 tiles of integer dot products (VNNI, sdot, pmaddwd);
          3 four far-apart runs of rows side by side.
"""

# T tokens, K input width, N output width, G values that share a scale; R×C tile of tokens × outputs

import numpy as np
from numba.extending import register_jitable

from rung.ops.linear.cpu.common import COLUMNS, OUTPUTS, ROWS, finish, in_tiles
from rung.ops.linear.op import linear
from rung.simd.dots import BYTES, bytes_load, bytes_load_some, scales_load, tile_dot
from rung.simd.lanes import LANES, fill, tile_fma, tile_load, tile_store, tile_zeros, total
from rung.simd.memory import prefetch
from rung.simd.spans import span
from rung.storage import F32


def _grouped(spec):
    return spec.type.name.startswith("i8_g")


def _is_i8g(x_TK, w_NK):
    return x_TK.type is F32 and _grouped(w_NK)


def _is_i8g_i8g(x_TK, w_NK):
    return _grouped(x_TK) and x_TK.type is w_NK.type


def _lanes_hold_groups(x_TK, w_NK):
    """Groups of 16·n float lanes."""
    return _is_i8g(x_TK, w_NK) and w_NK.type.block % LANES == 0


def _dots_hold_groups(x_TK, w_NK):
    """64 bytes hold whole groups of at least four, or groups hold whole runs of 64 bytes."""
    G = w_NK.type.block
    return _is_i8g_i8g(x_TK, w_NK) and (G % BYTES == 0 or G in (4, 8, 16, 32))


# ── float32 activations ──────────────────────────────────────────────────────────────────────────


@linear.kernel("cpu", 1, form="i8g", why="the triple loop", when=_is_i8g, split=OUTPUTS)
def linear_i8g_naive(part, parts, x_TK, w_NK, b_N, r_TN, y_TN):
    q_NK, scales = w_NK
    T, K = x_TK.shape
    G = K // scales.shape[1]
    start, stop = span(part, parts, y_TN.shape[1], COLUMNS)
    for t in range(T):
        for n in range(start, stop):
            y = np.float32(0)
            for k in range(K):
                y += x_TK[t, k] * np.float32(q_NK[n, k]) * scales[n, k // G]
            y_TN[t, n] = y
    finish(y_TN, b_N, r_TN, start, stop)


@register_jitable
def _row_i8g(x_TK, q_NK, scales, t, n, G):
    """One output: a vector of sums a group, scaled and added up."""
    K = x_TK.shape[1]
    sums = fill(np.float32(0))
    for g in range(K // G):
        tile = tile_zeros(1, 1)
        for k in range(g * G, (g + 1) * G, LANES):
            tile = tile_fma(tile, tile_load(x_TK, t, k, 1), tile_load(q_NK, n, k, 1))
        sums = sums + tile[0] * fill(scales[n, g])
    return total(sums)


@linear.kernel(
    "cpu",
    2,
    form="i8g",
    why="int8 lanes widened to float32",
    when=_lanes_hold_groups,
    split=OUTPUTS,
)
def linear_i8g_lanes(part, parts, x_TK, w_NK, b_N, r_TN, y_TN):
    q_NK, scales = w_NK
    T, K = x_TK.shape
    G = K // scales.shape[1]
    start, stop = span(part, parts, y_TN.shape[1], COLUMNS)
    for n in range(start, stop):
        for t in range(T):
            y_TN[t, n] = _row_i8g(x_TK, q_NK, scales, t, n, G)
    finish(y_TN, b_N, r_TN, start, stop)


# ── int8 activations ─────────────────────────────────────────────────────────────────────────────


@linear.kernel("cpu", 1, form="i8g_i8g", why="the triple loop", when=_is_i8g_i8g, split=OUTPUTS)
def linear_i8g_i8g_naive(part, parts, x_TK, w_NK, b_N, r_TN, y_TN):
    qx_TK, sx = x_TK
    qw_NK, sw = w_NK
    T, K = qx_TK.shape
    G = K // sw.shape[1] if K else 1
    start, stop = span(part, parts, y_TN.shape[1], COLUMNS)
    for t in range(T):
        for n in range(start, stop):
            y = np.float32(0)
            for g in range(K // G):
                whole = np.int32(0)
                for k in range(g * G, (g + 1) * G):
                    whole += np.int32(qx_TK[t, k]) * np.int32(qw_NK[n, k])
                y += np.float32(whole) * (sx[t, g] * sw[n, g])
            y_TN[t, n] = y
    finish(y_TN, b_N, r_TN, start, stop)


@register_jitable
def _tile_dots(x, w, y_TN, t, n, R, C, G):
    """y[t : t+R, n : n+C] from integer products of 64 bytes, scaled a group at a time."""
    qx_TK, sx = x
    qw_NK, sw = w
    K = qx_TK.shape[1]
    whole = K // BYTES * BYTES
    tile = tile_zeros(R, C)
    for k in range(0, whole, BYTES):
        if R == 1:
            # Asked for in memory's order, one tile ahead: 11 to 25 GB/s on one Zen 4 core.
            prefetch(qw_NK, n + C, C * k, C)
        tile = tile_dot(
            tile,
            bytes_load(qx_TK, t, k, R),
            bytes_load(qw_NK, n, k, C),
            scales_load(sx, t, k, R, G, BYTES),
            scales_load(sw, n, k, C, G, BYTES),
        )
    if whole < K:
        rest = K - whole
        tile = tile_dot(
            tile,
            bytes_load_some(qx_TK, t, whole, R, rest),
            bytes_load_some(qw_NK, n, whole, C, rest),
            scales_load(sx, t, whole, R, G, rest),
            scales_load(sw, n, whole, C, G, rest),
        )
    tile_store(tile, y_TN, t, n, C)


@linear.kernel(
    "cpu",
    2,
    form="i8g_i8g",
    why="tiles of integer dot products",
    when=_dots_hold_groups,
    constants={"G": lambda w_NK: w_NK.type.block},
    split=OUTPUTS,
)
def linear_i8g_i8g_dots(part, parts, x_TK, w_NK, b_N, r_TN, y_TN, G):
    start, stop = span(part, parts, y_TN.shape[1], COLUMNS)
    in_tiles(_tile_dots, x_TK, w_NK, y_TN, start, stop, G)
    finish(y_TN, b_N, r_TN, start, stop)


@register_jitable
def _streamed_dots(x, w, y_TN, t, start, stop, G):
    """y[t, start : stop] as _tile_dots has it, reading four quarters of the rows side by side."""
    qx_TK, sx = x
    qw_NK, sw = w
    K = qx_TK.shape[1]
    quarter = (stop - start) // COLUMNS
    end = start + quarter * COLUMNS
    qw_CX = qw_NK[start:end].reshape(COLUMNS, quarter * K)
    sw_CX = sw[start:end].reshape(COLUMNS, quarter * sw.shape[1])
    y_CX = y_TN[t, start:end].reshape(COLUMNS, quarter)
    whole = K // BYTES * BYTES
    rest = K - whole
    for row in range(quarter):
        tile = tile_zeros(COLUMNS, 1)
        at = row * K
        for k in range(0, whole, BYTES):
            tile = tile_dot(
                tile,
                bytes_load(qx_TK, t, k, 1),
                bytes_load(qw_CX, 0, at + k, COLUMNS),
                scales_load(sx, t, k, 1, G, BYTES),
                scales_load(sw_CX, 0, at + k, COLUMNS, G, BYTES),
            )
        if rest > 0:
            tile = tile_dot(
                tile,
                bytes_load_some(qx_TK, t, whole, 1, rest),
                bytes_load_some(qw_CX, 0, at + whole, COLUMNS, rest),
                scales_load(sx, t, whole, 1, G, rest),
                scales_load(sw_CX, 0, at + whole, COLUMNS, G, rest),
            )
        tile_store(tile, y_CX, 0, row, 1)
    for n in range(end, stop):
        _tile_dots(x, w, y_TN, t, n, 1, 1, G)


@linear.kernel(
    "cpu",
    3,
    form="i8g_i8g",
    why="four far-apart runs of rows side by side",
    when=_dots_hold_groups,
    constants={"G": lambda w_NK: w_NK.type.block},
    split=OUTPUTS,
)
def linear_i8g_i8g_streams(part, parts, x_TK, w_NK, b_N, r_TN, y_TN, G):
    qx_TK, sx = x_TK
    start, stop = span(part, parts, y_TN.shape[1], COLUMNS)
    T = y_TN.shape[0]
    tiled = T // ROWS * ROWS
    if tiled > 0:
        in_tiles(_tile_dots, (qx_TK[:tiled], sx[:tiled]), w_NK, y_TN[:tiled], start, stop, G)
    for t in range(tiled, T):
        _streamed_dots(x_TK, w_NK, y_TN, t, start, stop, G)
    finish(y_TN, b_N, r_TN, start, stop)
