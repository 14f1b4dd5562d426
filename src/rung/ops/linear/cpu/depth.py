"""Products of many tokens with float weights, a run of K at a time.

Four rows of weights against four of tokens need 8 loads for 16 multiply-adds. Where rows are wide
they come from the second-level cache, 32 bytes a cycle at most, and that is what tiles over whole
rows wait for. So a run of four weight rows stays in the first-level cache while all tokens of a
block pass by, and the sums, sixteen lanes for each output, wait in memory for the next run. The
order of additions is that of tiles over whole rows: the bits are the same.

Weights that are not float32 are converted once for a block of tokens.
"""

# T tokens, K input width, N output width; X sums of a tile after another, L lanes

from numba.extending import register_jitable

from rung.ops.linear.cpu.common import (
    COLUMNS,
    NARROW,
    OUTPUTS,
    ROWS,
    finish,
    streamed_token,
    tile_product,
)
from rung.ops.linear.op import linear
from rung.simd.grids import grid_load, grid_store
from rung.simd.lanes import (
    LANES,
    load,
    load_some,
    store,
    tile_fma,
    tile_load,
    tile_load_some,
    tile_store,
    tile_zeros,
)
from rung.simd.panels import aligned_floats
from rung.simd.spans import span
from rung.storage import BF16, F16, F32

# 256 tokens and 768×768 weights, 2 Zen 4 cores: 188 GFLOP/s with runs of 256, 196 with 512, 211
# with 1024 (tiles over whole rows 167, of 234 at most); 2048×2048 176, 183, 190 (168).
DEPTH = 1024
# Tokens that pass by while a run stays: 5632×2048 weights, which come from memory, once for each
# block, at 184 GFLOP/s with 64, 194 with 128, 192 with 256.
BLOCK = 128
SUMS = ROWS * NARROW


@register_jitable
def deep_product(x_TK, w_NK, y_TN, start, stop, CONVERTS):
    """y[:, start : stop] = x · wᵀ; w is converted to float32 first where CONVERTS is 1."""
    T, K = x_TK.shape
    tiled = T // ROWS * ROWS
    whole = start + (stop - start) // NARROW * NARROW
    sums_XL = aligned_floats(BLOCK // ROWS * SUMS, LANES)
    run_CK = aligned_floats(NARROW, DEPTH)
    for block in range(0, tiled, BLOCK):
        end = min(block + BLOCK, tiled)
        for n in range(start, whole, NARROW):
            for first in range(0, K, DEPTH):
                last = min(first + DEPTH, K)
                if CONVERTS:
                    _convert(w_NK, n, first, last, run_CK)
                    _pass_by(x_TK, run_CK, 0, 0, y_TN, sums_XL, block, end, n, first, last)
                else:
                    _pass_by(x_TK, w_NK, n, first, y_TN, sums_XL, block, end, n, first, last)
        for n in range(whole, stop):
            for t in range(block, end):
                tile_product(x_TK, w_NK, y_TN, t, n, n, 1, 1)
    for t in range(tiled, T):
        streamed_token(x_TK, w_NK, y_TN, t, start, stop)


@register_jitable
def _convert(w_NK, n, first, last, run_CK):
    """Columns first … last of rows n … of weights, as float32 from column 0 on."""
    whole = first + (last - first) // LANES * LANES
    for r in range(NARROW):
        for k in range(first, whole, LANES):
            store(run_CK, r, k - first, load(w_NK, n + r, k))
        if whole < last:
            store(run_CK, r, whole - first, load_some(w_NK, n + r, whole, last - whole))


@register_jitable
def _pass_by(x_TK, w_CK, row, column, y_TN, sums_XL, block, end, n, first, last):
    """Adds columns first … last of K for tokens block … end and NARROW outputs from n on.

    They stand in w from `row` and `column` on.
    """
    K = x_TK.shape[1]
    whole = first + (last - first) // LANES * LANES
    shift = column - first
    for t in range(block, end, ROWS):
        place = (t - block) // ROWS * SUMS
        tile = tile_zeros(ROWS, NARROW)
        if first > 0:
            tile = grid_load(sums_XL, place, 0, SUMS, 1)
        for k in range(first, whole, LANES):
            w = tile_load(w_CK, row, k + shift, NARROW)
            tile = tile_fma(tile, tile_load(x_TK, t, k, ROWS), w)
        if whole < last:
            x = tile_load_some(x_TK, t, whole, ROWS, last - whole)
            tile = tile_fma(tile, x, tile_load_some(w_CK, row, whole + shift, NARROW, last - whole))
        if last == K:
            tile_store(tile, y_TN, t, n, NARROW)
        else:
            grid_store(tile, sums_XL, place, 0, 1)


def _takes(kind):
    return lambda x_TK, w_NK: x_TK.type is F32 and w_NK.type is kind


_WHY = "a run of K at a time, in the first-level cache"


@linear.kernel("cpu", 4, form="f32", why=_WHY, when=_takes(F32), split=OUTPUTS)
def linear_f32_deep(part, parts, x_TK, w_NK, b_N, r_TN, y_TN):
    start, stop = span(part, parts, y_TN.shape[1], COLUMNS)
    deep_product(x_TK, w_NK, y_TN, start, stop, 0)
    finish(y_TN, b_N, r_TN, start, stop)


@linear.kernel("cpu", 3, form="f16", why=_WHY, when=_takes(F16), split=OUTPUTS)
@linear.kernel("cpu", 3, form="bf16", why=_WHY, when=_takes(BF16), split=OUTPUTS)
def linear_halves_deep(part, parts, x_TK, w_NK, b_N, r_TN, y_TN):
    start, stop = span(part, parts, y_TN.shape[1], COLUMNS)
    deep_product(x_TK, w_NK, y_TN, start, stop, 1)
    finish(y_TN, b_N, r_TN, start, stop)
