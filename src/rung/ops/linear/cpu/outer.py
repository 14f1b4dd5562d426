"""Gradients of products as sums of outer products: a value of one times a vector of the other.

dx = dy · w and dw = dyᵀ · x have rows of w and of x as they lie in memory beside each other, so no
lane needs to be summed with another. R × C vectors of sums stay in registers while a run of the
depth passes: a panel of C vectors a step, copied together so that it comes from the nearest caches,
and R values of the other matrix. Sums then wait in the output for the next run. Each output is
summed in the order of the depth, whatever the tile, the run or the part it falls in.

256 rows on 2 Zen 5 cores, whose limit is 490 GFLOP/s: dx 410 with 3072×768 weights and 385 with
50257×768, dw 390 and 335, where the gradient itself, 154 MB, has to be written. Products with the
transpose, which sum lanes at the end (depth.py), reach 370 and 325 there.
"""

# T tokens, K input width, N output width; R×C tile of rows × vectors, X columns of a panel

from numba.extending import register_jitable

from rung.ops.linear.gradient import linear_backward_w, linear_backward_x
from rung.registry import Split
from rung.simd.grids import grid_load, grid_store, spread, spread_along
from rung.simd.lanes import LANES, load, load_some, store, store_some, tile_fma, tile_zeros
from rung.simd.memory import aligned_floats
from rung.simd.spans import span
from rung.simd.target import host

# 8×3 accumulators, 3 operands and a spread one are 28 of AVX-512's 32 registers; batches and widths
# are multiples of 8 and 48 more often than of 6 and 64.
_WIDE = host().vector_registers >= 32
ROWS = 8 if _WIDE else 2
COLUMNS = 3 if _WIDE else 2
PANEL = COLUMNS * LANES

# Steps of the depth for which a panel is copied: 48 kB.
DEPTH = 256
# Rows of dyᵀ that are copied together while x's panels pass by: half a megabyte.
BLOCK = 512


@register_jitable
def _copy_panel(b_KN, first, last, n, width, panel_KX):
    """panel[k − first] = b[k, n : n + width], zeros beyond the width."""
    for k in range(first, last):
        for x in range(0, PANEL, LANES):
            count = min(max(width - x, 0), LANES)
            if count == LANES:
                store(panel_KX, k - first, x, load(b_KN, k, n + x))
            else:
                store(panel_KX, k - first, x, load_some(b_KN, k, n + x, count))


@register_jitable
def copy_rows(from_MN, m, n, to_MN, row, column, rows, width):
    for r in range(rows):
        for x in range(0, width, LANES):
            count = min(width - x, LANES)
            store_some(to_MN, row + r, column + x, load_some(from_MN, m + r, n + x, count), count)


def _tile_of(R, take):
    """c[m : m+R, n : n+X] (+)= a · panel; take(a, row, k, R) gives a's values at step k."""

    @register_jitable
    def run(a, row, step, steps, panel_KX, c_MN, m, n, fresh):
        tile = tile_zeros(R, COLUMNS)
        if not fresh:
            tile = grid_load(c_MN, m, n, R, COLUMNS)
        for k in range(steps):
            values = take(a, row, step + k, R)
            tile = tile_fma(tile, values, grid_load(panel_KX, k, 0, 1, COLUMNS))
        grid_store(tile, c_MN, m, n, COLUMNS)

    @register_jitable
    def tile(a, row, step, steps, panel_KX, c_MN, m, n, width, fresh, edge_RX):
        if width == PANEL:
            run(a, row, step, steps, panel_KX, c_MN, m, n, fresh)
        else:
            if not fresh:
                copy_rows(c_MN, m, n, edge_RX, 0, 0, R, width)
            run(a, row, step, steps, panel_KX, edge_RX, 0, 0, fresh)
            copy_rows(edge_RX, 0, 0, c_MN, m, n, R, width)

    return tile


@register_jitable
def _of_rows(a_MK, row, k, R):
    return spread(a_MK, row, k, R)


@register_jitable
def _of_columns(a_KX, row, k, R):
    """Of rows that were copied side by side: R values a step, from step `row` on."""
    return spread_along(a_KX, row + k, 0, R)


rows_tile, rows_tile_of_one = _tile_of(ROWS, _of_rows), _tile_of(1, _of_rows)
_w_tile = _tile_of(ROWS, _of_columns)


# Rows for which a panel is copied: enough to make little of that, few enough for many threads.
TALL = 512


@linear_backward_x.kernel(
    "cpu", 2, why="outer products in tiles, w in panels", split=Split("TK", TALL * PANEL)
)
def linear_backward_x_outer(part, parts, dy_TN, w_NK, r_TK, dx_TK):
    T, N = dy_TN.shape
    K = dx_TK.shape[1]
    summed = len(r_TK) > 0
    blocks = (T + TALL - 1) // TALL
    start, stop = span(part, parts, (K + PANEL - 1) // PANEL * blocks, 1)
    if start >= stop:
        return
    panel_KX = aligned_floats(DEPTH * PANEL).reshape(DEPTH, PANEL)
    edge_RX = aligned_floats(ROWS * PANEL).reshape(ROWS, PANEL)
    for unit in range(start, stop):
        k, top = unit // blocks * PANEL, unit % blocks * TALL
        width, end = min(PANEL, K - k), min(top + TALL, T)
        whole = top + (end - top) // ROWS * ROWS
        if summed:
            copy_rows(r_TK, top, k, dx_TK, top, k, end - top, width)
        for first in range(0, N, DEPTH):
            steps = min(DEPTH, N - first)
            _copy_panel(w_NK, first, first + steps, k, width, panel_KX)
            fresh = first == 0 and not summed
            for t in range(top, whole, ROWS):
                rows_tile(dy_TN, t, first, steps, panel_KX, dx_TK, t, k, width, fresh, edge_RX)
            for t in range(whole, end):
                rows_tile_of_one(
                    dy_TN, t, first, steps, panel_KX, dx_TK, t, k, width, fresh, edge_RX
                )


@register_jitable
def _copy_block(dy_TN, t, steps, n, rows, block_XR):
    """block[tile · DEPTH + s, r] = dy[t + s, n + ROWS · tile + r], zeros beyond the rows."""
    for s in range(steps):
        for row in range(0, rows, ROWS):
            count = min(ROWS, rows - row)
            values = load_some(dy_TN, t + s, n + row, count)
            store_some(block_XR, row // ROWS * DEPTH + s, 0, values, ROWS)


@linear_backward_w.kernel(
    "cpu",
    2,
    why="outer products in tiles, dy and x in panels",
    split=Split("N", ROWS, per_thread=1),
)
def linear_backward_w_outer(part, parts, dw_NK, dy_TN, x_TK, add):
    T, K = x_TK.shape
    N = dw_NK.shape[0]
    start, stop = span(part, parts, N, ROWS)
    if start >= stop:
        return
    if T == 0:
        if not add:
            dw_NK[start:stop] = 0
        return
    panel_KX = aligned_floats(DEPTH * PANEL).reshape(DEPTH, PANEL)
    block_XR = aligned_floats(BLOCK * DEPTH).reshape(BLOCK // ROWS * DEPTH, ROWS)
    edge_RX = aligned_floats(ROWS * PANEL).reshape(ROWS, PANEL)
    last_RX = aligned_floats(ROWS * PANEL).reshape(ROWS, PANEL)
    for block in range(start, stop, BLOCK):
        rows = min(BLOCK, stop - block)
        whole = rows // ROWS * ROWS
        for t in range(0, T, DEPTH):
            steps = min(DEPTH, T - t)
            fresh = t == 0 and not add
            _copy_block(dy_TN, t, steps, block, rows, block_XR)
            for k in range(0, K, PANEL):
                width = min(PANEL, K - k)
                _copy_panel(x_TK, t, t + steps, k, width, panel_KX)
                for row in range(0, whole, ROWS):
                    place = row // ROWS * DEPTH
                    n = block + row
                    _w_tile(block_XR, place, 0, steps, panel_KX, dw_NK, n, k, width, fresh, edge_RX)
                if whole < rows:  # the last rows, as many as there are
                    n, place = block + whole, whole // ROWS * DEPTH
                    copy_rows(dw_NK, n, k, last_RX, 0, 0, rows - whole, width)
                    _w_tile(
                        block_XR, place, 0, steps, panel_KX, last_RX, 0, 0, PANEL, fresh, edge_RX
                    )
                    copy_rows(last_RX, 0, 0, dw_NK, n, k, rows - whole, width)
