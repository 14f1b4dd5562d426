"""attention 3: blocks of rows against pages of keys, in tiles of registers.

Query heads that share a key head, of all tokens of a slot, are rows of one product with its keys
and of one with its values. A page of 64 keys at a time: scores lane by lane, for pages hold keys
side by side; a running maximum and sum for each row; weights times values. (Dao et al.,
FlashAttention, 2022.)

Pages begin at fixed positions, whatever the batch, and each row goes through the same operations
in the same order in whatever tile it stands. A row that shares its tile with rows that see more
passes keys with a weight of 0, which changes no bit. So a prompt gives the bits of its tokens one
by one, and one kernel serves both.

A Zen 4 core, whose limit is 118 GFLOP/s, reaches 91 with heads of 64 values and 100 with 128 (256
tokens after 768, 32 heads over 4, float16), where each head of each token alone reached 16 to 25.
"""

# T tokens, H query heads, G key/value heads, D head width, S slots, C positions
# P pages of L positions; U rows of a block

import math

import numpy as np
from numba import float32, int64
from numba.extending import register_jitable

from rung.ops.attention.cpu.common import HEADS, first_seen, is_cache
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
from rung.simd.memory import aligned_floats, array_at
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
def _mask(scores_UL, r, low, high, cap):
    """Caps the scores of a row and a page; −∞ for keys outside low … high − 1."""
    nothing = fill(np.float32(-np.inf))
    for column in range(0, PAGE, LANES):
        scores = load(scores_UL, r, column)
        if cap > 0:  # the division by it is in the scores already
            scores = fill(cap) * tanh(scores)
        scores = first_lanes(scores, nothing, high - column)
        store(scores_UL, r, column, first_lanes(nothing, scores, low - column))


@register_jitable
def _weigh(rows, scratch, i, count, start, cap):
    """Scores of rows i … i + count − 1 become weights 2^(score − most), which sums take in.

    `most` is a row's greatest score so far; what was before shrinks by 2^(old − new).
    """
    low_U, high_U = rows
    _, _, scores_UL, shrinks_U1, most_U, sums_UL = scratch
    # Row after row in each step, so that the processor overlaps what waits for itself.
    for r in range(count):
        if cap > 0 or low_U[i + r] > start or high_U[i + r] < start + PAGE:
            _mask(scores_UL, r, low_U[i + r] - start, high_U[i + r] - start, cap)
    for r in range(count):
        ab = greater(load(scores_UL, r, 0), load(scores_UL, r, LANES))
        cd = greater(load(scores_UL, r, 2 * LANES), load(scores_UL, r, 3 * LANES))
        new = max(most_U[i + r], greatest(greater(ab, cd)))
        shrinks_U1[r, 0] = most_U[i + r] - new
        most_U[i + r] = new
    store(shrinks_U1, 0, 0, exp2(load(shrinks_U1, 0, 0)))
    for r in range(count):
        most = fill(most_U[i + r])
        sums = fill(np.float32(0))
        for column in range(0, PAGE, LANES):
            weights = exp2(load(scores_UL, r, column) - most)
            store(scores_UL, r, column, weights)
            sums = sums + weights
        before = load(sums_UL, i + r, 0)
        store(sums_UL, i + r, 0, fma(before, fill(shrinks_U1[r, 0]), sums))


def _scores_of(R, C):
    """scores[r] = q[i + r] · k for the first `width` keys of a page, in tiles of R rows."""

    @register_jitable
    def scores(q_UD, i, k_XL, base, D, scores_UL, width):
        for column in range(0, width, LANES * C):
            tile = tile_zeros(R, C)
            for d in range(D):
                keys = grid_load(k_XL, base + d, column, 1, C)
                tile = tile_fma(tile, spread(q_UD, i, d, R), keys)
            grid_store(tile, scores_UL, 0, column, C)

    return scores


def _tile_of(R):
    """The passage of R rows through a page. Numba compiles one for each number it finds here."""
    one, two, four = _scores_of(R, 1), _scores_of(R, 2), _scores_of(R, _COLUMNS)

    @register_jitable
    def tile(rows, scratch, i, k_XL, k_base, v_XD, v_base, page, D, cap, C):
        low_U, high_U = rows
        q_UD, y_UD, scores_UL, shrinks_U1, _, _ = scratch
        start = page * PAGE
        low, high = low_U[i], high_U[i]
        for r in range(1, R):
            low, high = min(low, low_U[i + r]), max(high, high_U[i + r])
        if high <= start or low >= start + PAGE:
            return  # none of the rows sees any of it
        base, width = k_base + page * D, min(high - start, PAGE)
        # As many vectors of keys as are seen, where the page is the last; others stay unread.
        if width <= LANES:
            one(q_UD, i, k_XL, base, D, scores_UL, width)
        elif width <= 2 * LANES:
            two(q_UD, i, k_XL, base, D, scores_UL, width)
        else:
            four(q_UD, i, k_XL, base, D, scores_UL, width)
        _weigh(rows, scratch, i, R, start, cap)
        first, stop = v_base + max(low, start), v_base + min(high, start + PAGE)
        offset = v_base + start
        column = 0
        while column + C * LANES <= D:
            y = grid_load(y_UD, i, column, R, C)
            y = grid_scale(y, spread(shrinks_U1, 0, 0, R))
            for j in range(first, stop):
                values = grid_load(v_XD, j, column, 1, C)
                y = tile_fma(y, spread(scores_UL, 0, j - offset, R), values)
            grid_store(y, y_UD, i, column, C)
            column += C * LANES
        while column < D:
            count = min(LANES, D - column)
            y = grid_load(y_UD, i, column, R, 1)
            y = grid_scale(y, spread(shrinks_U1, 0, 0, R))
            for j in range(first, stop):
                values = tile_load_some(v_XD, j, column, 1, count)
                y = tile_fma(y, spread(scores_UL, 0, j - offset, R), values)
            grid_store(y, y_UD, i, column, 1)
            column += LANES

    return tile


_tile, _tile_of_two, _tile_of_one = _tile_of(_ROWS), _tile_of(2), _tile_of(1)


@register_jitable
def _scratch(memory, D):
    """Queries, outputs, scores, shrinks, maxima and sums of a block of rows, inside `memory`.

    By address: arrays that own nothing are passed on without counting references.
    """
    width = (D + LANES - 1) // LANES * LANES
    at = memory.ctypes.data
    q_UD = array_at(at, (_BLOCK, width), float32)
    y_UD = array_at(at + 4 * _BLOCK * width, (_BLOCK, width), float32)
    at += 8 * _BLOCK * width
    scores_UL = array_at(at, (_ROWS, PAGE), float32)
    sums_UL = array_at(at + 4 * _ROWS * PAGE, (_BLOCK, LANES), float32)
    at += 4 * (_ROWS * PAGE + _BLOCK * LANES)
    shrinks_U1 = array_at(at, (LANES, 1), float32)
    return q_UD, y_UD, scores_UL, shrinks_U1, array_at(at + 4 * LANES, (_BLOCK,), float32), sums_UL


@attention.kernel(
    "cpu",
    3,
    why="rows in tiles against pages of keys",
    when=lambda k_SGPDL, v_SGCD: is_cache(k_SGPDL, v_SGCD) and k_SGPDL.shape[-1] == PAGE,
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
    width = (D + LANES - 1) // LANES * LANES
    memory = aligned_floats(_BLOCK * (2 * width + LANES + 1 + 4) + _ROWS * PAGE + LANES)
    scratch = _scratch(memory, D)
    q_UD, y_UD, _, _, most_U, sums_UL = scratch
    seen = memory.ctypes.data + 4 * (memory.size - 4 * _BLOCK)
    seers = array_at(seen, (_BLOCK,), int64), array_at(seen + 8 * _BLOCK, (_BLOCK,), int64)
    low_U, high_U = seers
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
            whole, paired = count // _ROWS * _ROWS, count // 2 * 2
            k, v = head * P * D, head * C
            for page in range(low // PAGE, (high + PAGE - 1) // PAGE):
                for i in range(0, whole, _ROWS):
                    _tile(seers, scratch, i, k_XL, k, v_XD, v, page, D, cap, columns)
                for i in range(whole, paired, 2):
                    _tile_of_two(seers, scratch, i, k_XL, k, v_XD, v, page, D, cap, columns)
                for i in range(paired, count):
                    _tile_of_one(seers, scratch, i, k_XL, k, v_XD, v, page, D, cap, columns)
            for i in range(count):
                t, h = (row + i) // shared, g * shared + (row + i) % shared
                inverse = fill(np.float32(1) / total(load(sums_UL, i, 0)))
                for d in range(0, D, LANES):
                    y = load(y_UD, i, d) * inverse
                    store_some(y_XD, t * H + h, d, y, min(LANES, D - d))
            row += count
    memory[0] = 0  # a use at the end, which keeps it allocated until here
