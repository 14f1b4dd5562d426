"""Attention of whole sequences, 2: blocks of 64 queries against blocks of 64 keys, in tiles.

Each block is copied to rows of whole vectors, with zeros beyond its tokens and its width, so that
every product runs in full tiles of registers. Forward, softmax goes with a running maximum and sum.
Backward, a thread owns a key head: for each block of keys, all blocks of queries from there on give
their weights again from the log-sum-exp. (Dao, FlashAttention-2, 2023.)

Blocks begin at fixed tokens, so each output is summed in one order, whoever computes it.
"""

# B sequences, T tokens of each, H query heads, G key/value heads, D head width, W whole vectors
# M = H + 2G heads in a packed tensor; U rows of a block, X columns of a product

import math

import numpy as np
from numba.extending import register_jitable

from rung.ops.attention.training import causal_attention, causal_attention_backward
from rung.registry import Split
from rung.simd.grids import grid_load, grid_store, spread, spread_along, transpose
from rung.simd.lanes import (
    LANES,
    exp,
    fill,
    first_lanes,
    fma,
    lane,
    largest,
    load,
    load_some,
    maximum,
    store,
    store_some,
    tile_fma,
    tile_zeros,
    total,
)
from rung.simd.memory import aligned_floats
from rung.simd.spans import span
from rung.simd.target import host

BLOCK = 64

_WIDE = host().vector_registers >= 32
_ROWS = 4 if _WIDE else 2
_COLUMNS = 4 if _WIDE else 2

_LOWEST = np.float32(-3e38)  # below any score; finite, so that differences are never NaN


@register_jitable
def _row_values(a_UX, row, k, R):
    return spread(a_UX, row, k, R)


@register_jitable
def _column_values(a_UX, row, k, R):
    return spread_along(a_UX, k, row, R)


def _product_of(take):
    """c[u, x] (+)= Σ_k a · b[k, x] for `rows` rows, which tiles may go beyond."""

    def tile_of(C):
        @register_jitable
        def tile(a_UX, b_KX, c_UX, row, column, depth, fresh):
            sums = tile_zeros(_ROWS, C)
            if not fresh:
                sums = grid_load(c_UX, row, column, _ROWS, C)
            for k in range(depth):
                values = take(a_UX, row, k, _ROWS)
                sums = tile_fma(sums, values, grid_load(b_KX, k, column, 1, C))
            grid_store(sums, c_UX, row, column, C)

        return tile

    wide, narrow = tile_of(_COLUMNS), tile_of(1)

    @register_jitable
    def product(a_UX, b_KX, c_UX, rows, depth, columns, fresh):
        column = 0
        while column + _COLUMNS * LANES <= columns:
            for row in range(0, rows, _ROWS):
                wide(a_UX, b_KX, c_UX, row, column, depth, fresh)
            column += _COLUMNS * LANES
        while column < columns:
            for row in range(0, rows, _ROWS):
                narrow(a_UX, b_KX, c_UX, row, column, depth, fresh)
            column += LANES

    return product


_rows_product = _product_of(_row_values)  # a[u, k]
_columns_product = _product_of(_column_values)  # a[k, u]


@register_jitable
def _copy_in(x_XD, first, step, count, factor, rows_UW):
    """rows[u] = factor · x[first + u · step], zeros beyond `count` rows and the width."""
    D = x_XD.shape[1]
    f = fill(np.float32(factor))
    for u in range(count):
        for w in range(0, rows_UW.shape[1], LANES):
            values = load_some(x_XD, first + u * step, w, min(LANES, D - w))
            store(rows_UW, u, w, values * f)
    rows_UW[count:] = 0


@register_jitable
def _turn(rows_UW, columns_WU):
    """columns = rowsᵀ"""
    for u in range(0, BLOCK, LANES):
        for w in range(0, rows_UW.shape[1], LANES):
            transpose(rows_UW, u, w, columns_WU, w, u)


@register_jitable
def _copy_out(rows_UW, count, x_XD, first, step):
    """x[first + u · step] = rows[u]"""
    D = x_XD.shape[1]
    for u in range(count):
        for w in range(0, D, LANES):
            store_some(x_XD, first + u * step, w, load(rows_UW, u, w), min(LANES, D - w))


@register_jitable
def _weigh(scores_UX, y_UW, most_U, sums_U, u, seen):
    """A row of scores becomes weights exp(score − most); what was summed before shrinks."""
    lowest = fill(_LOWEST)
    most = lowest
    for x in range(0, BLOCK, LANES):
        scores = first_lanes(load(scores_UX, u, x), lowest, seen - x)
        most = maximum(most, scores)
    before = most_U[u]
    new = max(before, largest(most))
    most_U[u] = new
    shift, zero = fill(new), fill(np.float32(0))
    sums = zero
    for x in range(0, BLOCK, LANES):
        weights = first_lanes(exp(load(scores_UX, u, x) - shift), zero, seen - x)
        store(scores_UX, u, x, weights)
        sums = sums + weights
    shrink = exp(fill(before - new))
    sums_U[u] = sums_U[u] * lane(shrink, 0) + total(sums)
    if before < new:
        for w in range(0, y_UW.shape[1], LANES):
            store(y_UW, u, w, load(y_UW, u, w) * shrink)


@causal_attention.kernel(
    "cpu", 2, why="blocks of queries against blocks of keys", split=Split("BHT", BLOCK)
)
def causal_attention_blocks(part, parts, qkv_BTMD, lse_BHT, y_BTHD, scale):
    B, T, M, D = qkv_BTMD.shape
    H = y_BTHD.shape[2]
    G = (M - H) // 2
    W = (D + LANES - 1) // LANES * LANES
    x_XD, y_XD = qkv_BTMD.reshape(B * T * M, D), y_BTHD.reshape(B * T * H, D)
    blocks = (T + BLOCK - 1) // BLOCK
    start, stop = span(part, parts, B * H * blocks, 1)
    if start >= stop:
        return
    memory = aligned_floats(BLOCK * (4 * W + BLOCK + 2))
    q_UW, k_UW, v_UW = memory[: 3 * BLOCK * W].reshape(3, BLOCK, W)
    rest = memory[3 * BLOCK * W :]
    y_UW, scores_UX = rest[: BLOCK * W].reshape(BLOCK, W), rest[BLOCK * W : BLOCK * (W + BLOCK)]
    scores_UX = scores_UX.reshape(BLOCK, BLOCK)
    most_U, sums_U = rest[BLOCK * (W + BLOCK) :].reshape(2, BLOCK)
    keys_WU = aligned_floats(W * BLOCK).reshape(W, BLOCK)
    for unit in range(start, stop):
        # The last blocks see the most keys: they come first, so that no thread ends with one.
        b, h, i = unit // (H * blocks), unit // blocks % H, blocks - 1 - unit % blocks
        head = H + h * G // H
        first, count = i * BLOCK, min(BLOCK, T - i * BLOCK)
        _copy_in(x_XD, (b * T + first) * M + h, M, count, scale, q_UW)
        y_UW[:] = 0
        most_U[:] = _LOWEST
        sums_U[:] = 0
        for j in range(i + 1):
            key, keys = (b * T + j * BLOCK) * M + head, min(BLOCK, T - j * BLOCK)
            _copy_in(x_XD, key, M, keys, 1.0, k_UW)
            _copy_in(x_XD, key + G, M, keys, 1.0, v_UW)
            _turn(k_UW, keys_WU)
            _rows_product(q_UW, keys_WU, scores_UX, count, D, BLOCK, True)
            for u in range(count):
                _weigh(scores_UX, y_UW, most_U, sums_U, u, u + 1 if j == i else BLOCK)
            _rows_product(scores_UX, v_UW, y_UW, count, keys, W, False)
        for u in range(count):
            inverse = fill(np.float32(1) / sums_U[u])
            for w in range(0, W, LANES):
                store(y_UW, u, w, load(y_UW, u, w) * inverse)
            lse_BHT[b, h, first + u] = most_U[u] + np.float32(math.log(sums_U[u]))
        _copy_out(y_UW, count, y_XD, (b * T + first) * H + h, H)


@register_jitable
def _slopes(scores_UX, slopes_UX, dy_UW, y_XD, row, lse, u, seen):
    """Scores become weights, and slopes ds = weight · (slope − Σ_D dy · y)."""
    D = y_XD.shape[1]
    along = fill(np.float32(0))
    for w in range(0, D, LANES):
        y = load_some(y_XD, row, w, min(LANES, D - w))
        along = fma(load(dy_UW, u, w), y, along)
    shift, level, zero = fill(lse), fill(total(along)), fill(np.float32(0))
    for x in range(0, BLOCK, LANES):
        weights = first_lanes(exp(load(scores_UX, u, x) - shift), zero, seen - x)
        store(scores_UX, u, x, weights)
        store(slopes_UX, u, x, weights * (load(slopes_UX, u, x) - level))


@causal_attention_backward.kernel(
    "cpu", 2, why="blocks of keys against blocks of queries", split=Split("BG")
)
def causal_attention_backward_blocks(
    part, parts, dy_BTHD, qkv_BTMD, y_BTHD, lse_BHT, d_BTMD, scale
):
    B, T, M, D = qkv_BTMD.shape
    H = y_BTHD.shape[2]
    G = (M - H) // 2
    shared = H // G if G > 0 else 0
    W = (D + LANES - 1) // LANES * LANES
    x_XD, d_XD = qkv_BTMD.reshape(B * T * M, D), d_BTMD.reshape(B * T * M, D)
    y_XD, dy_XD = y_BTHD.reshape(B * T * H, D), dy_BTHD.reshape(B * T * H, D)
    blocks = (T + BLOCK - 1) // BLOCK
    start, stop = span(part, parts, B * G, 1)
    if start >= stop:
        return
    memory = aligned_floats(7 * BLOCK * W).reshape(7, BLOCK, W)
    q_UW, k_UW, v_UW, dy_UW, dq_UW, dk_UW, dv_UW = memory
    turned = aligned_floats(2 * BLOCK * W).reshape(2, W, BLOCK)
    keys_WU, values_WU = turned
    scores_UX, slopes_UX = aligned_floats(2 * BLOCK * BLOCK).reshape(2, BLOCK, BLOCK)
    for unit in range(start, stop):
        b, g = unit // G, unit % G
        for j in range(blocks):
            key, keys = (b * T + j * BLOCK) * M + H + g, min(BLOCK, T - j * BLOCK)
            _copy_in(x_XD, key, M, keys, 1.0, k_UW)
            _copy_in(x_XD, key + G, M, keys, 1.0, v_UW)
            _turn(k_UW, keys_WU)
            _turn(v_UW, values_WU)
            _copy_in(x_XD, key, M, keys, scale, k_UW)  # for dq = scale · ds · k
            dk_UW[:] = 0
            dv_UW[:] = 0
            for h in range(g * shared, (g + 1) * shared):
                for i in range(j, blocks):
                    first, count = b * T + i * BLOCK, min(BLOCK, T - i * BLOCK)
                    query, output = first * M + h, first * H + h
                    _copy_in(x_XD, query, M, count, scale, q_UW)
                    _copy_in(dy_XD, output, H, count, 1.0, dy_UW)
                    _rows_product(q_UW, keys_WU, scores_UX, count, D, BLOCK, True)
                    _rows_product(dy_UW, values_WU, slopes_UX, count, D, BLOCK, True)
                    for u in range(count):
                        seen = u + 1 if i == j else keys
                        lse = lse_BHT[b, h, i * BLOCK + u]
                        row = output + u * H
                        _slopes(scores_UX, slopes_UX, dy_UW, y_XD, row, lse, u, seen)
                    _columns_product(scores_UX, dy_UW, dv_UW, keys, count, W, False)
                    _columns_product(slopes_UX, q_UW, dk_UW, keys, count, W, False)
                    if j > 0:
                        _copy_in(d_XD, query, M, count, 1.0, dq_UW)
                    _rows_product(slopes_UX, k_UW, dq_UW, count, keys, W, j == 0)
                    _copy_out(dq_UW, count, d_XD, query, M)
            _copy_out(dk_UW, keys, d_XD, key, M)
            _copy_out(dv_UW, keys, d_XD, key + G, M)
