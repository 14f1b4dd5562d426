"""attention 3: blocks of rows against pages of keys, in tiles of registers.

Query heads that share a key head, of all tokens of a slot, are rows of one product with its keys
and of one with its values. A page of 64 keys at a time: scores lane by lane, for pages hold keys
side by side; a running maximum and sum for each row; weights times values. (Dao et al.,
FlashAttention, 2022.)

Pages begin at fixed positions, whatever the batch, and each row goes through the same operations
in the same order in whatever tile it stands. A row that shares its tile with rows that see more
passes keys with a weight of 0, which changes no bit. So a prompt gives the bits of its tokens one
by one, and one kernel serves both.

On one Zen 4 core, 32 heads over 4 with 1024 keys: PLACEHOLDER
"""

# T tokens, H query heads, G key/value heads, D head width, S slots, C positions
# P pages of L positions; U rows of a block

import math

import numpy as np
from numba.extending import register_jitable

from rung.ops.attention.cpu.common import HEADS, first_seen
from rung.ops.attention.op import PAGE, attention
from rung.simd.functions import exp2, greater, greatest, tanh
from rung.simd.grids import grid_load, grid_scale, grid_store, spread
from rung.simd.lanes import (
    LANES,
    fill,
    first_lanes,
    fma,
    load,
    store,
    store_some,
    tile_fma,
    tile_load_some,
    tile_zeros,
    total,
)
from rung.simd.memory import aligned_floats
from rung.simd.spans import span
from rung.simd.target import host

# 6×4 accumulators, 4 operands and a spread one are 29 of AVX-512's 32 registers.
_ROWS = 6 if host().vector_registers >= 32 else 2
_COLUMNS = 4 if host().vector_registers >= 32 else 2
# Rows that go through a page while it is in the first-level cache.
_BLOCK = 48

_LOWEST = np.float32(-3e38)  # below any score; finite, so that differences are never NaN
_LOG2_E = math.log2(math.e)


def _value_columns(q_THD):
    """Vectors of values side by side: what divides a head, or nearly."""
    vectors = q_THD.shape[2] // LANES
    return 3 if _COLUMNS == 4 and vectors % 3 == 0 and vectors % 4 else _COLUMNS


@register_jitable
def _page_scores(q_UD, i, k_XL, base, D, scores_UL, R):
    """scores[r] = q[i + r] · k of each key of a page, for R rows."""
    for column in range(0, PAGE, LANES * _COLUMNS):
        tile = tile_zeros(R, _COLUMNS)
        for d in range(D):
            keys = grid_load(k_XL, base + d, column, 1, _COLUMNS)
            tile = tile_fma(tile, spread(q_UD, i, d, R), keys)
        grid_store(tile, scores_UL, 0, column, _COLUMNS)


@register_jitable
def _capped(scores, cap):
    """cap · tanh(scores); the division by the cap is in the scores already."""
    return fill(cap) * tanh(scores)


@register_jitable
def _only(scores, column, low, high):
    """−∞ in place of the scores of keys outside low … high − 1."""
    nothing = fill(np.float32(-np.inf))
    seen = first_lanes(scores, nothing, high - column)
    return first_lanes(nothing, seen, low - column)


@register_jitable
def _mask(scores_UL, r, low, high, cap):
    """Caps the scores of a row and a page, and takes away those of keys it does not see."""
    for column in range(0, PAGE, LANES):
        scores = load(scores_UL, r, column)
        if cap > 0:
            scores = _capped(scores, cap)
        store(scores_UL, r, column, _only(scores, column, low, high))


@register_jitable
def _highest(scores_UL, r):
    """The greatest score of a row."""
    ab = greater(load(scores_UL, r, 0), load(scores_UL, r, LANES))
    cd = greater(load(scores_UL, r, 2 * LANES), load(scores_UL, r, 3 * LANES))
    return greatest(greater(ab, cd))


@register_jitable
def _weigh(scores_UL, r, most, shrink, sums_UL, i):
    """Scores of a row and a page become weights, 2^(score − most), which its sums take in."""
    shift = fill(most)
    a = exp2(load(scores_UL, r, 0) - shift)
    b = exp2(load(scores_UL, r, LANES) - shift)
    c = exp2(load(scores_UL, r, 2 * LANES) - shift)
    d = exp2(load(scores_UL, r, 3 * LANES) - shift)
    store(scores_UL, r, 0, a)
    store(scores_UL, r, LANES, b)
    store(scores_UL, r, 2 * LANES, c)
    store(scores_UL, r, 3 * LANES, d)
    store(sums_UL, i, 0, fma(load(sums_UL, i, 0), fill(shrink), (a + b) + (c + d)))


@register_jitable
def _add_values(y_UD, i, shrinks_U1, weights_UL, v_XD, base, first, keys, D, R, C):
    """y[i + r] = y[i + r] · shrink + Σ_j weights[r, j] · v[base + j], for R rows."""
    column = 0
    while column + C * LANES <= D:
        shrink = spread(shrinks_U1, 0, 0, R)
        tile = grid_scale(grid_load(y_UD, i, column, R, C), shrink)
        for j in range(first, keys):
            values = grid_load(v_XD, base + j, column, 1, C)
            tile = tile_fma(tile, spread(weights_UL, 0, j, R), values)
        grid_store(tile, y_UD, i, column, C)
        column += C * LANES
    while column < D:
        count = min(LANES, D - column)
        shrink = spread(shrinks_U1, 0, 0, R)
        tile = grid_scale(grid_load(y_UD, i, column, R, 1), shrink)
        for j in range(first, keys):
            values = tile_load_some(v_XD, base + j, column, 1, count)
            tile = tile_fma(tile, spread(weights_UL, 0, j, R), values)
        grid_store(tile, y_UD, i, column, 1)
        column += LANES


@register_jitable
def _tile(rows, scratch, i, k_XL, k_base, v_XD, v_base, page, D, cap, R, C):
    """R rows of a block from `i` on go through one page, unless none of them sees any of it."""
    low_U, high_U = rows
    q_UD, y_UD, scores_UL, shrinks_U1, most_U, sums_UL = scratch
    start = page * PAGE
    low, high = low_U[i], high_U[i]
    for r in range(1, R):
        low, high = min(low, low_U[i + r]), max(high, high_U[i + r])
    if high <= start or low >= start + PAGE:
        return
    _page_scores(q_UD, i, k_XL, k_base + page * D, D, scores_UL, R)
    for r in range(R):
        if cap > 0 or low_U[i + r] > start or high_U[i + r] < start + PAGE:
            _mask(scores_UL, r, low_U[i + r] - start, high_U[i + r] - start, cap)
    # Row after row in each step, so that the processor overlaps what waits for itself.
    for r in range(R):
        new = max(most_U[i + r], _highest(scores_UL, r))
        shrinks_U1[r, 0] = most_U[i + r] - new
        most_U[i + r] = new
    store(shrinks_U1, 0, 0, exp2(load(shrinks_U1, 0, 0)))
    for r in range(R):
        _weigh(scores_UL, r, most_U[i + r], shrinks_U1[r, 0], sums_UL, i + r)
    first, keys = max(low - start, 0), min(high - start, PAGE)
    _add_values(
        y_UD, i, shrinks_U1, scores_UL, v_XD, v_base + start, first, keys, D, R, C
    )


@register_jitable
def _scratch(D):
    """What a block of rows needs: queries, outputs, scores, shrinks, maxima and sums."""
    width = (D + LANES - 1) // LANES * LANES
    size = 2 * _BLOCK * width + _ROWS * PAGE + LANES + _BLOCK + _BLOCK * LANES
    memory = aligned_floats(size)
    at = 2 * _BLOCK * width
    q_UD = memory[: _BLOCK * width].reshape(_BLOCK, width)
    y_UD = memory[_BLOCK * width : at].reshape(_BLOCK, width)
    scores_UL = memory[at : at + _ROWS * PAGE].reshape(_ROWS, PAGE)
    at += _ROWS * PAGE
    sums_UL = memory[at : at + _BLOCK * LANES].reshape(_BLOCK, LANES)
    at += _BLOCK * LANES
    most_U = memory[at : at + _BLOCK]
    at += _BLOCK
    return q_UD, y_UD, scores_UL, memory[at : at + LANES].reshape(LANES, 1), most_U, sums_UL


@attention.kernel(
    "cpu",
    3,
    why="rows in tiles against pages of keys",
    constants={"columns": _value_columns},
    split=HEADS,
)
def attention_tiles(
    part, parts, q_THD, k_SGPDL, v_SGCD, pos_T, slot_T, y_THD, scale, window, softcap, columns
):
    T, H, D = q_THD.shape
    S, G, P, _, L = k_SGPDL.shape
    C = v_SGCD.shape[2]
    k_XL, v_XD = k_SGPDL.reshape(S * G * P * D, L), v_SGCD.reshape(S * G * C, D)
    q_XD, y_XD = q_THD.reshape(T * H, D), y_THD.reshape(T * H, D)
    shared = H // G  # query heads of a key head
    # Scores come as powers of two: one multiplication, paid where queries are taken.
    factor = np.float32(scale * _LOG2_E) if softcap == 0 else np.float32(scale / softcap)
    cap = np.float32(softcap * _LOG2_E)
    rows = T * shared
    # Few rows are cut further where there would be fewer blocks than threads.
    block = min(_BLOCK, max(1, rows * G * 4 // parts))
    blocks = (rows + block - 1) // block
    start, stop = span(part, parts, G * blocks, 1)
    if start >= stop:
        return
    scratch = _scratch(D)
    q_UD, y_UD, scores_UL, shrinks_U1, most_U, sums_UL = scratch
    low_U, high_U = np.empty(_BLOCK, np.int64), np.empty(_BLOCK, np.int64)
    for unit in range(start, stop):
        g = unit // blocks
        row = unit % blocks * block
        end = min(row + block, rows)
        while row < end:
            slot = np.int64(slot_T[row // shared])
            low, high = np.int64(C), np.int64(0)
            count = 0
            while row + count < end and slot_T[(row + count) // shared] == slot:
                t, h = (row + count) // shared, g * shared + (row + count) % shared
                low_U[count] = first_seen(np.int64(pos_T[t]), window)
                high_U[count] = np.int64(pos_T[t]) + 1
                low, high = min(low, low_U[count]), max(high, high_U[count])
                most_U[count] = _LOWEST
                store(sums_UL, count, 0, fill(np.float32(0)))
                for d in range(D):
                    q_UD[count, d] = q_XD[t * H + h, d] * factor
                for d in range(0, D, LANES):
                    store(y_UD, count, d, fill(np.float32(0)))
                count += 1
            head = slot * G + g
            whole = count // _ROWS * _ROWS
            for page in range(low // PAGE, (high + PAGE - 1) // PAGE):
                k, v = head * P * D, head * C
                for i in range(0, whole, _ROWS):
                    _tile(
                        (low_U, high_U), scratch, i, k_XL, k, v_XD, v, page, D, cap, _ROWS, columns
                    )
                for i in range(whole, count):
                    _tile((low_U, high_U), scratch, i, k_XL, k, v_XD, v, page, D, cap, 1, columns)
            for i in range(count):
                t, h = (row + i) // shared, g * shared + (row + i) % shared
                inverse = fill(np.float32(1) / total(load(sums_UL, i, 0)))
                for d in range(0, D, LANES):
                    y = load(y_UD, i, d) * inverse
                    store_some(y_XD, t * H + h, d, y, min(LANES, D - d))
            row += count
