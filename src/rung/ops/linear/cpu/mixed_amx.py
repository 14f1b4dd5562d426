"""Products in mixed precision on AMX: the third rung of mixed.py's ladders.

c = a · b in 32×32 sums, 2×2 tiles that stay in registers while a run of the depth passes, and then
wait in c for the next. Both factors are rounded as they are copied: a into rows of 32 values
(simd/bfloat_rows.py), b into strips of pairs (simd/pairs.py), each tile a kilobyte of its own. A
step of 32 of the depth loads four tiles for four products, half of what the nearest cache can give.

Weights are read once, and that is as slow as their products: 32×32 of them are 4 kB, which memory
gives one core in about 200 ns, as long as 16 products of them by 256 tokens take. So what comes
next is asked for meanwhile, a few lines a step: the panel of weights, or a gradient's own place.
Each output is summed in the order of the depth, whatever the part it falls in.
"""

# T tokens, K input width, N output width; c = a · b: M rows, X columns, D depth; R×X sums at a time

import numpy as np
from numba.extending import register_jitable

from rung.ops.linear.cpu.outer import copy_rows
from rung.ops.linear.cpu.strips import copy_columns_along, copy_rows_along
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


@register_jitable
def _strip_of_columns(b_DX, x, width, first, values, to_KX, row):
    """A strip of at most sixteen columns, with zeros up to a whole step of the depth."""
    copy_columns_along(b_DX, x, min(width, LANES), first, values, to_KX, row, 0)
    for k in range((values + 1) // 2, _steps(values) * TILE):
        store(to_KX, row + k, 0, fill(np.float32(0)))


@register_jitable
def _panel_of_rows(w_NK, n, width, first, values, panel_KX):
    """Columns of wᵀ from n on: rows of w, the last one again beyond the width."""
    for x in range(0, PANEL, LANES):
        strip = x // LANES * _steps(values) * TILE
        copy_rows_along(w_NK, n + x, n + width - 1, first, values, panel_KX, strip, 0)


@register_jitable
def _panel_of_columns(w_NK, k, width, first, values, panel_KX):
    """Columns of w from k on; what lies beyond the width is never looked at."""
    for x in range(0, width, LANES):
        strip = x // LANES * _steps(values) * TILE
        _strip_of_columns(w_NK, k + x, width - x, first, values, panel_KX, strip)


@register_jitable
def _ask(array, coming, step):
    """Asks for a share of what comes next: 32 values of some rows, others at each step."""
    row, column, down, along, rows = coming
    for r in range(rows):
        prefetch_line(array, row + step * down + r, column + step * along)
        prefetch_line(array, row + step * down + r, column + step * along + LANES)


@register_jitable
def _run(a, a_at, b, b_at, steps, c_MX, m, x, fresh, array, coming):
    grid_begin(c_MX, m, x, fresh)
    for step in range(steps):
        at = b_at + step * BLOCK
        sums_multiply(a, a_at + step * 2 * BLOCK, b, at, at + steps * BLOCK, True)
        _ask(array, coming, step)
    grid_end(c_MX, m, x)


@register_jitable
def _sums(a, a_at, b, b_at, steps, c_MX, place, fresh, edge_RX, array, coming):
    """c[m : m + rows, x : x + width] (+)= a · b, 32 rows and columns at most."""
    m, x, rows, width = place
    if rows >= PANEL and width >= PANEL:
        _run(a, a_at, b, b_at, steps, c_MX, m, x, fresh, array, coming)
        return
    rows, width = min(rows, PANEL), min(width, PANEL)
    if not fresh:
        copy_rows(c_MX, m, x, edge_RX, 0, 0, rows, width)
    _run(a, a_at, b, b_at, steps, edge_RX, 0, 0, fresh, array, coming)
    copy_rows(edge_RX, 0, 0, c_MX, m, x, rows, width)


@register_jitable
def _product(part, parts, a_MD, w, copy_panel, down, along, b_X, r_MX, c_MX):
    """c = a · b + b_X + r: units are panels of b by TALL rows of a.

    copy_panel(w, x, width, first, values, panel) gives a panel of b. At each step of the depth that
    lies `down` rows and `along` columns further in w.
    """
    D, (M, X) = a_MD.shape[1], c_MX.shape
    panels = (X + PANEL - 1) // PANEL
    start, stop = span(part, parts, panels * ((M + TALL - 1) // TALL), 1)
    if start >= stop:
        return
    deepest = _steps(min(D, DEPTH))
    a = _tiles((min(M, TALL) + PANEL - 1) // PANEL * 2, deepest).view(np.uint16)
    panel_KX = _tiles(2, deepest).reshape(-1, LANES)
    panel = panel_KX.reshape(-1).view(np.uint16)
    edge_RX = aligned_floats(PANEL * PANEL).reshape(PANEL, PANEL)
    bfloat_tiles_open()
    for block in range(start // panels, (stop - 1) // panels + 1):
        top, end = block * TALL, min(block * TALL + TALL, M)
        begin = max(start - block * panels, 0) * PANEL
        beyond = min(min(stop - block * panels, panels) * PANEL, X)
        strips = (end - top + PANEL - 1) // PANEL
        share = (PANEL + strips - 1) // strips  # rows of what comes next that each asks for
        for first in range(0, D, DEPTH):
            values = min(DEPTH, D - first)
            steps = _steps(values)
            _copy_rows(a_MD, top, end, first, values, a)
            for x in range(begin, beyond, PANEL):
                width = min(PANEL, beyond - x)
                copy_panel(w, x, width, first, values, panel_KX)
                column, depth = (x + PANEL, first) if x + PANEL < beyond else (begin, first + DEPTH)
                row = depth if down > 0 else column
                column = column if down > 0 else depth
                for strip in range(strips):
                    m, at = top + strip * PANEL, strip * steps * 2 * BLOCK
                    place = m, x, end - m, width
                    coming = row + strip * share, column, down, along, share
                    fresh = first == 0
                    _sums(a, at, panel, 0, steps, c_MX, place, fresh, edge_RX, w, coming)
                if first + DEPTH >= D:
                    finish(c_MX[top:end], b_X, r_MX[top:end], x, x + width)
    tiles_close()


def _top(op, split):
    """Registers the kernel below as the top of an op's ladder."""
    return op.kernel(
        "cpu",
        3,
        why="AMX tiles of bfloat16",
        split=split,
        needs=NEEDS,
        rate="bf16",
        tolerance="f32",
    )


@_top(linear_bf16, Split("TN", TALL * PANEL, per_thread=1))
def linear_bf16_amx(part, parts, x_TK, w_NK, b_N, r_TN, y_TN):
    _product(part, parts, x_TK, w_NK, _panel_of_rows, 0, RUN, b_N, r_TN, y_TN)


@_top(linear_bf16_backward_x, Split("TK", TALL * PANEL, per_thread=1))
def linear_bf16_backward_x_amx(part, parts, dy_TN, w_NK, r_TK, dx_TK):
    none = np.empty(0, np.float32)
    _product(part, parts, dy_TN, w_NK, _panel_of_columns, RUN, 0, none, r_TK, dx_TK)


@register_jitable
def _turn_rows(dy_TN, t, values, n, end, dy):
    """Rows of dyᵀ from n on: two tiles at each step, 32 rows after the other."""
    steps = _steps(values)
    for step in range(steps):
        for x in range(n, end, LANES):
            tile = (x - n) // PANEL * steps * 2 + step * 2 + (x - n) // LANES % 2
            count = min(LANES, end - x)
            columns_turned(dy_TN, t + step * RUN, t + values - 1, x, count, dy, tile * BLOCK)


@_top(linear_bf16_backward_w, Split("N", PANEL, per_thread=1))
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
    x = x_KX.reshape(-1).view(np.uint16)
    dy = _tiles(ROWS // LANES, deepest).view(np.uint16)
    edge_RX = aligned_floats(PANEL * PANEL).reshape(PANEL, PANEL)
    bfloat_tiles_open()
    for left in range(0, K, wide):
        right = min(left + wide, K)
        for t in range(0, T, LONG):
            values = min(LONG, T - t)
            steps = _steps(values)
            for k in range(left, right, LANES):
                strip = (k - left) // LANES * steps * TILE
                _strip_of_columns(x_TK, k, right - k, t, values, x_KX, strip)
            share = (PANEL + steps - 1) // steps
            for block in range(start, stop, ROWS):
                end = min(block + ROWS, stop)
                _turn_rows(dy_TN, t, values, block, end, dy)
                for n in range(block, end, PANEL):
                    at = (n - block) // PANEL * steps * 2 * BLOCK
                    for k in range(left, right, PANEL):
                        b_at = (k - left) // LANES * steps * BLOCK
                        place = n, k, end - n, right - k
                        row, column = (n, k + PANEL) if k + PANEL < right else (n + PANEL, left)
                        coming = row, column, share, 0, share
                        fresh = t == 0 and not add
                        _sums(dy, at, x, b_at, steps, dw_NK, place, fresh, edge_RX, dw_NK, coming)
    tiles_close()
