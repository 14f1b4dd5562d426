"""Products in mixed precision: 1 the plain loops; 2 pairs of bfloat16 in tiles (3: mixed_amx.py).

The tiles are those of outer.py, each step being two of the depth: both factors are rounded as they
are copied into strips of pairs (simd/pairs.py), 8 rows of one meet 48 columns of the other, and
sums stay in registers, then wait in the output for the next run of the depth. Each output is summed
in the order of the depth, whatever the part it falls in.

256 rows on one Zen 5 core, whose limit is 495 GFLOP/s: y 398 with 3072×768 weights and 338 with
50257×768, dx 359 and 323, dw 435 and 381; in float32, of 245 at most, 190 to 200. To ask memory for
the next panel meanwhile changed nothing.
"""

# T tokens, K input width, N output width; c = a · b: M rows, X columns, D depth; R×C tile

import numpy as np
from numba.extending import register_jitable

from rung.ops.linear.cpu.outer import COLUMNS, PANEL, ROWS, TALL, copy_rows
from rung.ops.linear.mixed import linear_bf16, linear_bf16_backward_w, linear_bf16_backward_x
from rung.registry import Split
from rung.simd.finish import finish
from rung.simd.grids import grid_load, grid_store
from rung.simd.lanes import LANES, tile_zeros
from rung.simd.memory import aligned_floats
from rung.simd.pairs import RUN, bfloat_rounded, pairs_of_columns, pairs_of_rows, tile_dots
from rung.simd.spans import span

NEEDS = ("avx512bf16",)
_LINE = 16  # float32 values of a cache line: no two threads write to one

# A run of the depth: a panel of it is 36 kB.
DEPTH = 384
_PAIRS = DEPTH // 2
# The gradient of weights: x's columns and rows that are copied at once, 768 kB for 512 tokens; rows
# of dyᵀ that pass by together.
WIDE = 16 * PANEL
LONG = 2048
BLOCK = 128


@linear_bf16.kernel("cpu", 1, why="the plain loops", split=Split("N", _LINE))
def linear_bf16_plain(part, parts, x_TK, w_NK, b_N, r_TN, y_TN):
    T, K = x_TK.shape
    start, stop = span(part, parts, y_TN.shape[1], _LINE)
    for t in range(T):
        for n in range(start, stop):
            y = np.float32(0)
            for k in range(K):
                y += bfloat_rounded(x_TK[t, k]) * bfloat_rounded(w_NK[n, k])
            y_TN[t, n] = y
    finish(y_TN, b_N, r_TN, start, stop)


@linear_bf16_backward_x.kernel("cpu", 1, why="the plain loops", split=Split("K", _LINE))
def linear_bf16_backward_x_plain(part, parts, dy_TN, w_NK, r_TK, dx_TK):
    T, N = dy_TN.shape
    start, stop = span(part, parts, dx_TK.shape[1], _LINE)
    for t in range(T):
        for k in range(start, stop):
            dx_TK[t, k] = r_TK[t, k] if len(r_TK) > 0 else np.float32(0)
        for n in range(N):
            for k in range(start, stop):
                dx_TK[t, k] += bfloat_rounded(dy_TN[t, n]) * bfloat_rounded(w_NK[n, k])


@linear_bf16_backward_w.kernel("cpu", 1, why="the plain loops", split=Split("N"))
def linear_bf16_backward_w_plain(part, parts, dw_NK, dy_TN, x_TK, add):
    T, K = x_TK.shape
    start, stop = span(part, parts, dw_NK.shape[0], 1)
    for n in range(start, stop):
        if not add:
            for k in range(K):
                dw_NK[n, k] = 0
        for t in range(T):
            for k in range(K):
                dw_NK[n, k] += bfloat_rounded(dy_TN[t, n]) * bfloat_rounded(x_TK[t, k])


@register_jitable
def _copy_rows_along(from_XD, x, last, first, values, to_KX, row, column):
    """A strip of sixteen rows, whose values lie along the depth."""
    for d in range(0, values, RUN):
        count = min(RUN, values - d)
        pairs_of_rows(from_XD, x, last, first + d, count, to_KX, row + d // 2, column)


@register_jitable
def _copy_columns_along(from_DX, x, width, first, values, to_KX, row, column):
    """Strips of sixteen columns, `width` values in all, whose depth goes from row to row."""
    last = first + values - 1
    for d in range(0, values, 2):
        for strip in range(0, width, LANES):
            count = min(LANES, width - strip)
            at, place = x + strip, column + strip
            pairs_of_columns(from_DX, first + d, last, at, count, to_KX, row + d // 2, place)


@register_jitable
def _run(a_KR, a_row, r, b_KX, b_row, steps, c_MX, m, x, fresh):
    tile = tile_zeros(ROWS, COLUMNS)
    if not fresh:
        tile = grid_load(c_MX, m, x, ROWS, COLUMNS)
    for k in range(steps):
        tile = tile_dots(tile, a_KR, a_row + k, r, grid_load(b_KX, b_row + k, 0, 1, COLUMNS))
    grid_store(tile, c_MX, m, x, COLUMNS)


@register_jitable
def _tiles(a_KR, b_KX, b_row, values, c_MX, m, end, x, width, fresh, edge_RX):
    """c[m : end, x : x + width] (+)= strips a · a panel, over `values` of the depth."""
    steps = (values + 1) // 2
    for top in range(m, end, ROWS):
        strip, r = divmod(top - m, LANES)
        rows = min(ROWS, end - top)
        if rows == ROWS and width == PANEL:
            _run(a_KR, strip * _PAIRS, r, b_KX, b_row, steps, c_MX, top, x, fresh)
        else:
            if not fresh:
                copy_rows(c_MX, top, x, edge_RX, 0, 0, rows, width)
            _run(a_KR, strip * _PAIRS, r, b_KX, b_row, steps, edge_RX, 0, 0, fresh)
            copy_rows(edge_RX, 0, 0, c_MX, top, x, rows, width)


@register_jitable
def _strips(rows):
    """Room for strips of so many rows, a run of the depth."""
    strips = (rows + LANES - 1) // LANES
    return aligned_floats(strips * _PAIRS * LANES).reshape(strips * _PAIRS, LANES)


@register_jitable
def _copy_panel_of_rows(w_NK, n, width, first, values, panel_KX):
    """Columns of wᵀ from n on: rows of w, the last one again beyond the width."""
    for x in range(0, PANEL, LANES):
        _copy_rows_along(w_NK, n + x, n + width - 1, first, values, panel_KX, 0, x)


@register_jitable
def _copy_panel_of_columns(w_NK, k, width, first, values, panel_KX):
    """Columns of w from k on; what lies beyond the width is never looked at."""
    _copy_columns_along(w_NK, k, width, first, values, panel_KX, 0, 0)


@register_jitable
def _product(part, parts, a_MD, w, copy_panel, b_X, r_MX, c_MX):
    """c = a · b + b_X + r: units are panels of b by TALL rows of a.

    copy_panel(w, x, width, first, values, panel) gives a panel of b.
    """
    D, (M, X) = a_MD.shape[1], c_MX.shape
    panels = (X + PANEL - 1) // PANEL
    start, stop = span(part, parts, panels * ((M + TALL - 1) // TALL), 1)
    if start >= stop:
        return
    a_KR = _strips(min(M, TALL))
    panel_KX = aligned_floats(_PAIRS * PANEL).reshape(_PAIRS, PANEL)
    edge_RX = aligned_floats(ROWS * PANEL).reshape(ROWS, PANEL)
    for block in range(start // panels, (stop - 1) // panels + 1):
        top, end = block * TALL, min(block * TALL + TALL, M)
        columns = max(start - block * panels, 0), min(stop - block * panels, panels)
        for first in range(0, D, DEPTH):
            values = min(DEPTH, D - first)
            for m in range(top, end, LANES):
                strip = (m - top) // LANES * _PAIRS
                _copy_rows_along(a_MD, m, end - 1, first, values, a_KR, strip, 0)
            fresh = first == 0
            for x in range(columns[0] * PANEL, min(columns[1] * PANEL, X), PANEL):
                width = min(PANEL, X - x)
                copy_panel(w, x, width, first, values, panel_KX)
                _tiles(a_KR, panel_KX, 0, values, c_MX, top, end, x, width, fresh, edge_RX)
                if first + DEPTH >= D:
                    finish(c_MX[top:end], b_X, r_MX[top:end], x, x + width)


def rung(op, version, split, *, why, needs):
    """Registers the kernel below, which rounds as the op does and sums in float32."""
    return op.kernel(
        "cpu", version, why=why, split=split, needs=needs, rate="bf16", tolerance="f32"
    )


def _pairs(op, split):
    return rung(op, 2, split, why="pairs of bfloat16 in tiles", needs=NEEDS)


@_pairs(linear_bf16, Split("TN", TALL * PANEL, per_thread=1))
def linear_bf16_pairs(part, parts, x_TK, w_NK, b_N, r_TN, y_TN):
    _product(part, parts, x_TK, w_NK, _copy_panel_of_rows, b_N, r_TN, y_TN)


@_pairs(linear_bf16_backward_x, Split("TK", TALL * PANEL, per_thread=1))
def linear_bf16_backward_x_pairs(part, parts, dy_TN, w_NK, r_TK, dx_TK):
    none = np.empty(0, np.float32)
    _product(part, parts, dy_TN, w_NK, _copy_panel_of_columns, none, r_TK, dx_TK)


@_pairs(linear_bf16_backward_w, Split("N", LANES, per_thread=1))
def linear_bf16_backward_w_pairs(part, parts, dw_NK, dy_TN, x_TK, add):
    T, K = x_TK.shape
    start, stop = span(part, parts, dw_NK.shape[0], LANES)
    if start >= stop:
        return
    if T == 0:
        if not add:
            dw_NK[start:stop] = 0
        return
    runs = (min(T, LONG) + DEPTH - 1) // DEPTH
    panels = (min(K, WIDE) + PANEL - 1) // PANEL
    x_KX = aligned_floats(runs * panels * _PAIRS * PANEL).reshape(runs * panels * _PAIRS, PANEL)
    dy_KR = _strips(BLOCK)
    edge_RX = aligned_floats(ROWS * PANEL).reshape(ROWS, PANEL)
    for k in range(0, K, WIDE):
        beyond = min(k + WIDE, K)
        for long in range(0, T, LONG):
            after = min(long + LONG, T)
            row = 0
            for t in range(long, after, DEPTH):
                for x in range(k, beyond, PANEL):
                    width = min(PANEL, beyond - x)
                    _copy_columns_along(x_TK, x, width, t, min(DEPTH, after - t), x_KX, row, 0)
                    row += _PAIRS
            for n in range(start, stop, BLOCK):
                end = min(n + BLOCK, stop)
                row = 0
                for t in range(long, after, DEPTH):
                    values = min(DEPTH, after - t)
                    for strip in range(n, end, LANES):
                        count = min(LANES, end - strip)
                        place = (strip - n) // LANES * _PAIRS
                        _copy_columns_along(dy_TN, strip, count, t, values, dy_KR, place, 0)
                    fresh = t == 0 and not add
                    for x in range(k, beyond, PANEL):
                        width = min(PANEL, beyond - x)
                        _tiles(dy_KR, x_KX, row, values, dw_NK, n, end, x, width, fresh, edge_RX)
                        row += _PAIRS
