"""Products in mixed precision on AMX: the third rung of mixed.py's ladders.

c = a · b in 32×32 sums, 2×2 tiles that stay in registers while a run of the depth passes, and then
wait in c for the next. Both factors are rounded as they are copied: a into rows of 32 values
(simd/bfloat_rows.py), b into strips of pairs (simd/pairs.py), each tile a kilobyte of its own. A
step of 32 of the depth loads four tiles for four products, half of what the nearest cache can give.

Weights are read once, and with a few hundred tokens memory takes about as long for that as tiles
for the products; rounding and packing would come on top. So all three run at once: while a panel
of weights is multiplied the next is packed, a tile now and then, and lines of the one after it are
asked for. The gradient of weights does so with columns of dy, and asks for the place of its next
sums. Each output is summed in the order of the depth, whatever the part it falls in.
"""

# T tokens, K input width, N output width; c = a · b: M rows, X columns, D depth; R×X sums at a time

import numpy as np
from numba.extending import register_jitable

from rung.ops.linear.cpu.mixed import rung
from rung.ops.linear.cpu.outer import copy_rows
from rung.ops.linear.mixed import linear_bf16, linear_bf16_backward_w, linear_bf16_backward_x
from rung.registry import Split
from rung.simd.amx import tiles_close
from rung.simd.bfloat_rows import columns_turned, row_rounded
from rung.simd.bfloat_tiles import (
    BLOCK,
    PANEL,
    bfloat_tiles_open,
    grid_begin,
    grid_end,
    sums_multiply,
)
from rung.simd.blocks import RUN
from rung.simd.finish import finish
from rung.simd.lanes import LANES, fill, store
from rung.simd.memory import aligned_floats, prefetch_line
from rung.simd.pairs import pairs_of_columns, pairs_of_rows
from rung.simd.spans import span
from rung.simd.tile_instructions import TILE

NEEDS = ("amx-tile", "amx-bf16")

# A run of the depth: a panel of it is 48 kB, and the sums of GPT-2's 768 never leave their tiles.
DEPTH = 768
# Rows of a that are copied at once: 768 kB with such a run, of the 2 MB of a second-level cache.
TALL = 512
# The gradient of weights: tokens that make a run; values of x that are copied at once, 1.5 MB; rows
# of dyᵀ that pass by together.
LONG = 1024
ROOM = 768 * LONG
ROWS = 128
# Rows that are asked for ahead of the one that is copied.
AHEAD = 4


@register_jitable
def _steps(values):
    return (values + RUN - 1) // RUN


@register_jitable
def _strips(rows):
    """Strips of 32 rows or columns, the last one perhaps not full."""
    return (max(rows, 0) + PANEL - 1) // PANEL


@register_jitable
def _tiles(count, steps):
    """Room for so many tiles, side by side, at each step of the depth."""
    return aligned_floats(count * steps * TILE * LANES)


@register_jitable
def _copy_rows(a_MD, top, end, first, values, a):
    """Two tiles of rows at each step, 32 rows of a after the other; the last one again beyond."""
    each = _steps(values) * 2 * BLOCK
    for m in range(top, end, PANEL):
        for r in range(PANEL):
            row = min(m + r, end - 1)
            for d in range(0, values, RUN):
                prefetch_line(a_MD, row + AHEAD, first + d)
                prefetch_line(a_MD, row + AHEAD, first + d + LANES)
                at = (m - top) // PANEL * each + d * PANEL + r * RUN
                row_rounded(a_MD, row, first + d, min(RUN, values - d), a, at)


# A job is what becomes tiles next: source, its first column or row x, how many of them, where its
# run of the depth begins, how long that is, and where tiles go, each of them with its number.


@register_jitable
def _tile_of_rows(job, number):
    """Of b = wᵀ: sixteen rows of w, the last one again beyond the width; strip after strip."""
    w_XD, x, width, first, values, to_KX = job
    strip, step = divmod(number, _steps(values))
    d, count = first + step * RUN, min(RUN, values - step * RUN)
    pairs_of_rows(w_XD, x + strip * LANES, x + width - 1, d, count, to_KX, number * TILE, 0)


@register_jitable
def _tile_of_columns(job, number):
    """Of b = w: sixteen columns of it, zeros beyond the width and the depth; strip after strip."""
    w_DX, x, width, first, values, to_KX = job
    strip, step = divmod(number, _steps(values))
    last, count = first + values - 1, width - strip * LANES
    for pair in range(TILE):
        d, row = first + step * RUN + 2 * pair, number * TILE + pair
        if d <= last:
            pairs_of_columns(w_DX, d, last, x + strip * LANES, count, to_KX, row, 0)
        else:
            store(to_KX, row, 0, fill(np.float32(0)))


@register_jitable
def _tile_turned(job, number):
    """Of a = dyᵀ: sixteen columns of dy, zeros beyond; in the order of _copy_rows."""
    dy_DM, m, width, first, values, to = job
    pair, step = divmod(number // 2, _steps(values))
    x = pair * PANEL + number % 2 * LANES
    d, last = first + step * RUN, first + values - 1
    columns_turned(dy_DM, d, last, m + x, width - x, to, number * BLOCK)


@register_jitable
def _begin_job(pace, tiles, steps):
    """A new job of so many tiles, to be done in so many steps: done, of how many, due, steps."""
    pace[0], pace[1], pace[2], pace[3] = 0, tiles, 0, steps


@register_jitable
def _do_share(copy_tile, job, pace):
    """One step's share of a job."""
    pace[2] += pace[1]
    while pace[2] >= pace[3]:
        pace[2] -= pace[3]
        copy_tile(job, pace[0])
        pace[0] += 1


@register_jitable
def _do_rest(copy_tile, job, pace):
    while pace[0] < pace[1]:
        copy_tile(job, pace[0])
        pace[0] += 1


@register_jitable
def _ask(array, coming, step):
    """Asks for a share of what comes later: 32 values of some rows, others at each step."""
    row, column, down, along, rows = coming
    for r in range(rows):
        prefetch_line(array, row + step * down + r, column + step * along)
        prefetch_line(array, row + step * down + r, column + step * along + LANES)


@register_jitable
def _run(factors, c_MX, m, x, fresh, asked, copy_tile, job, pace):
    a, a_at, b, b_at, steps = factors
    array, coming, other, coming_too = asked
    grid_begin(c_MX, m, x, fresh)
    for step in range(steps):
        at = b_at + step * BLOCK
        sums_multiply(a, a_at + step * 2 * BLOCK, b, at, at + steps * BLOCK, True)
        _ask(array, coming, step)
        _ask(other, coming_too, step)
        _do_share(copy_tile, job, pace)
    grid_end(c_MX, m, x)


@register_jitable
def _sums(factors, c_MX, place, fresh, edge_RX, asked, copy_tile, job, pace):
    """c[m : m + rows, x : x + width] (+)= a · b, 32 rows and columns at most."""
    m, x, rows, width = place
    if rows >= PANEL and width >= PANEL:
        _run(factors, c_MX, m, x, fresh, asked, copy_tile, job, pace)
        return
    rows, width = min(rows, PANEL), min(width, PANEL)
    if not fresh:
        copy_rows(c_MX, m, x, edge_RX, 0, 0, rows, width)
    _run(factors, edge_RX, 0, 0, fresh, asked, copy_tile, job, pace)
    copy_rows(edge_RX, 0, 0, c_MX, m, x, rows, width)


@register_jitable
def _after(x, first, begin, beyond):
    """Which panel follows that of column x in the run of the depth from `first` on."""
    return (x + PANEL, first) if x + PANEL < beyond else (begin, first + DEPTH)


@register_jitable
def _product(part, parts, a_MD, w, copy_tile, by_rows, b_X, r_MX, c_MX):
    """c = a · b + b_X + r: units are panels of b by TALL rows of a.

    copy_tile makes the tiles of b; by_rows: they come from rows of w.
    """
    D, (M, X) = a_MD.shape[1], c_MX.shape
    panels = _strips(X)
    start, stop = span(part, parts, panels * ((M + TALL - 1) // TALL), 1)
    if start >= stop:
        return
    deepest = _steps(min(D, DEPTH))
    size = 2 * deepest * BLOCK
    a = _tiles(2 * _strips(min(M, TALL)), deepest).view(np.uint16)
    pairs_SKX = _tiles(4, deepest).reshape(2, 2 * deepest * TILE, LANES)
    b = pairs_SKX.reshape(-1).view(np.uint16)
    edge_RX = aligned_floats(PANEL * PANEL).reshape(PANEL, PANEL)
    pace = np.zeros(4, np.int64)
    bfloat_tiles_open()
    for block in range(start // panels, (stop - 1) // panels + 1):
        top, end = block * TALL, min(block * TALL + TALL, M)
        begin = max(start - block * panels, 0) * PANEL
        beyond = min(min(stop - block * panels, panels) * PANEL, X)
        strips = _strips(end - top)
        share = (PANEL + strips - 1) // strips  # rows of w that each strip asks for, of 32
        rows = (end - top) * PANEL // (beyond - begin) + 1  # of a, that each panel asks for
        share_of_a = (rows + strips - 1) // strips
        slot = 0
        _begin_job(pace, 2 * _steps(min(DEPTH, D)), 1)
        job = w, begin, min(PANEL, beyond - begin), 0, min(DEPTH, D), pairs_SKX[slot]
        _do_rest(copy_tile, job, pace)
        for first in range(0, D, DEPTH):
            values = min(DEPTH, D - first)
            steps = _steps(values)
            _copy_rows(a_MD, top, end, first, values, a)
            for x in range(begin, beyond, PANEL):
                width = min(PANEL, beyond - x)
                next_x, depth = _after(x, first, begin, beyond)
                later_x, later = _after(next_x, depth, begin, beyond)
                length, wanted = max(min(DEPTH, D - depth), 0), share if later < D else 0
                job = w, next_x, min(PANEL, beyond - next_x), depth, length, pairs_SKX[1 - slot]
                _begin_job(pace, 2 * _steps(length), strips * steps)
                for strip in range(strips):
                    at = strip * share
                    if by_rows:
                        of_w = later_x + at, later, 0, RUN, wanted
                    else:
                        of_w = later + at, later_x, RUN, 0, wanted
                    row = top + (x - begin) // PANEL * rows + strip * share_of_a
                    of_a = row, first + DEPTH, 0, RUN, share_of_a if first + DEPTH < D else 0
                    m = top + strip * PANEL
                    factors = a, strip * steps * 2 * BLOCK, b, slot * size, steps
                    place, asked = (m, x, end - m, width), (w, of_w, a_MD, of_a)
                    _sums(factors, c_MX, place, first == 0, edge_RX, asked, copy_tile, job, pace)
                _do_rest(copy_tile, job, pace)
                slot = 1 - slot
                if first + DEPTH >= D:
                    finish(c_MX[top:end], b_X, r_MX[top:end], x, x + width)
    tiles_close()


def _tiles_of_bfloat(op, split):
    return rung(op, 3, split, why="AMX tiles of bfloat16", needs=NEEDS)


@_tiles_of_bfloat(linear_bf16, Split("TN", TALL * PANEL, per_thread=1))
def linear_bf16_amx(part, parts, x_TK, w_NK, b_N, r_TN, y_TN):
    _product(part, parts, x_TK, w_NK, _tile_of_rows, True, b_N, r_TN, y_TN)


@_tiles_of_bfloat(linear_bf16_backward_x, Split("TK", TALL * PANEL, per_thread=1))
def linear_bf16_backward_x_amx(part, parts, dy_TN, w_NK, r_TK, dx_TK):
    none = np.empty(0, np.float32)
    _product(part, parts, dy_TN, w_NK, _tile_of_columns, False, none, r_TK, dx_TK)


@_tiles_of_bfloat(linear_bf16_backward_w, Split("N", PANEL, per_thread=1))
def linear_bf16_backward_w_amx(part, parts, dw_NK, dy_TN, x_TK, add):
    T, K = x_TK.shape
    start, stop = span(part, parts, dw_NK.shape[0], PANEL)
    if start >= stop:
        return
    if T == 0:
        if not add:
            dw_NK[start:stop] = 0
        return
    deepest = _steps(min(T, LONG))
    wide = min(ROOM // (deepest * RUN), K + PANEL - 1) // PANEL * PANEL
    x_KX = _tiles(wide // LANES, deepest).reshape(-1, LANES)
    b = x_KX.reshape(-1).view(np.uint16)
    size = ROWS // LANES * deepest * BLOCK
    dy = _tiles(ROWS // LANES * 2, deepest).view(np.uint16)
    edge_RX = aligned_floats(PANEL * PANEL).reshape(PANEL, PANEL)
    pace = np.zeros(4, np.int64)
    bfloat_tiles_open()
    for left in range(0, K, wide):
        right = min(left + wide, K)
        panels = _strips(right - left)
        for t in range(0, T, LONG):
            values = min(LONG, T - t)
            steps = _steps(values)
            _begin_job(pace, 2 * panels * steps, 1)
            _do_rest(_tile_of_columns, (x_TK, left, right - left, t, values, x_KX), pace)
            slot = 0
            _begin_job(pace, 2 * _strips(min(ROWS, stop - start)) * steps, 1)
            job = dy_TN, start, stop - start, t, values, dy[:size]
            _do_rest(_tile_turned, job, pace)
            share = (PANEL + steps - 1) // steps  # rows of the next sums to ask for, of 32
            share_of_dy = (PANEL + panels - 1) // panels
            for block in range(start, stop, ROWS):
                end = min(block + ROWS, stop)
                coming, later = block + ROWS, block + 2 * ROWS
                own, other = slot * size, (1 - slot) * size
                job = dy_TN, coming, stop - coming, t, values, dy[other : other + size]
                turned = 2 * _strips(min(ROWS, stop - coming)) * steps
                _begin_job(pace, turned, _strips(end - block) * panels * steps)
                for n in range(block, end, PANEL):
                    a_at = own + (n - block) // PANEL * steps * 2 * BLOCK
                    for k in range(left, right, PANEL):
                        panel = (k - left) // PANEL
                        factors = dy, a_at, b, panel * 2 * steps * BLOCK, steps
                        row, column = (n, k + PANEL) if k + PANEL < right else (n + PANEL, left)
                        of_dw = row, column, share, 0, share
                        wanted = share_of_dy if later < stop else 0
                        of_dy = t + panel * share_of_dy, later + n - block, RUN, 0, wanted
                        place, asked = (n, k, end - n, right - k), (dw_NK, of_dw, dy_TN, of_dy)
                        fresh = t == 0 and not add
                        _sums(factors, dw_NK, place, fresh, edge_RX, asked, _tile_turned, job, pace)
                _do_rest(_tile_turned, job, pace)
                slot = 1 - slot
    tiles_close()
