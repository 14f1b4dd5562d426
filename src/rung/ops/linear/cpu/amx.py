"""Products of many tokens in AMX tiles: int8 by int8, sixteen tokens by sixteen outputs.

The panels are those of panels.py. A tile instruction leaves sums of 32 products in integers; scaled
by both scales they are added to sixteen float32 vectors. On one Emerald Rapids core a block of 32
values takes 7 to 8 ns in tiles and 6 to 9 ns in that addition, and the two hardly overlap: mixed
more finely they took 19 to 23 ns together, in groups of eight blocks 17. So this is about four
times as fast as float32, where tiles alone could be sixteen.
"""

# T tokens, K input width, N output width, B blocks of 32 values

import numpy as np
from numba.extending import register_jitable

from rung.ops.linear.cpu.panels import ahead_of
from rung.simd.amx import GROUP, tiles_add, tiles_close, tiles_multiply, tiles_open
from rung.simd.blocks import RUN
from rung.simd.dots import copy_run
from rung.simd.lanes import LANES, tile_zeros
from rung.simd.memory import LINE_BYTES, prefetch_line
from rung.simd.outputs import outputs_load, outputs_store
from rung.simd.panel_packing import panel_pack
from rung.simd.panels import (
    aligned_bytes,
    aligned_floats,
    aligned_ints,
    panel_factors,
    panel_values,
)
from rung.simd.tile_instructions import TILE


@register_jitable
def _pack_tokens(q_TK, sx, sums, bytes_XK, scales_XB):
    """Tiles of sixteen tokens, block by block, and their scales and scaled sums.

    The last tile begins early enough to be full.
    """
    T, K = q_TK.shape
    B = K // RUN
    for tile in range(len(bytes_XK)):
        first = min(tile * TILE, T - TILE)
        for r in range(TILE):
            for b in range(B):
                copy_run(bytes_XK, tile, (b * TILE + r) * RUN, q_TK, first + r, b * RUN)
        for b in range(B):
            for r in range(TILE):
                t, at = first + r, b * 2 * TILE + r
                scales_XB[tile, at] = sx[t, b]
                whole = np.float32(sums[t, 2 * b] + sums[t, 2 * b + 1])
                scales_XB[tile, at + TILE] = whole * sx[t, b]


@register_jitable
def _group(x, panels, factors, products, partial_XL, y_TN, w_NK, n, count, b, FORMAT):
    """Adds GROUP blocks from b on of all tiles of tokens; sums wait in `partial_XL` for the next.

    Tile instructions run one tile of tokens ahead: a load whose store is still in the store buffer
    would stall.
    """
    x_XK, scales_XB = x
    T, X = y_TN.shape[0], len(x_XK)
    B = x_XK.shape[1] // (RUN * TILE)
    last = b + GROUP == B
    lines = ahead_of(LANES, X * (B // GROUP), w_NK.shape[1])
    line = b // GROUP * X * lines
    tiles_multiply(products, 0, x_XK, 0, panels, b, FORMAT)
    for tile in range(X):
        slot = tile % 2
        for _ in range(lines):
            prefetch_line(w_NK, n + LANES, line * LINE_BYTES)
            line += 1
        if tile + 1 < X:
            tiles_multiply(products, 1 - slot, x_XK, tile + 1, panels, b, FORMAT)
        total = tile_zeros(TILE, 1)
        if b > 0:
            total = outputs_load(total, partial_XL, tile * TILE, X * TILE, 0, LANES, 1)
        total = tiles_add(total, products, slot, scales_XB, tile, factors, b, FORMAT)
        if last:
            # The last tile repeats tokens of the one before it: the same bits again.
            outputs_store(total, y_TN, min(tile * TILE, T - TILE), T, n, count, 1)
        else:
            outputs_store(total, partial_XL, tile * TILE, X * TILE, 0, LANES, 1)


@register_jitable
def amx_product(q_TK, sx, sums, w_NK, y_TN, start, stop, FORMAT):
    """y[:, start : stop] = x · wᵀ without the scales of int8 rows; at least 16 tokens."""
    T, K = q_TK.shape
    B = (K // RUN + GROUP - 1) // GROUP * GROUP  # with blocks of zeros at the end
    X = (T + TILE - 1) // TILE
    panels = aligned_bytes(1, B * RUN * LANES)
    factors = aligned_floats(1, B * panel_factors(FORMAT) * LANES)
    products = aligned_ints(2, 2 * GROUP * TILE * LANES)
    bytes_XK = aligned_bytes(X, B * RUN * TILE)
    scales_XB = aligned_floats(X, B * 2 * TILE)
    partial_XL = aligned_floats(X * TILE, LANES)
    if B * RUN > K:
        panels[:] = 0
        factors[:] = 0
        bytes_XK[:] = 0
        scales_XB[:] = 0
    _pack_tokens(q_TK, sx, sums, bytes_XK, scales_XB)
    x = (bytes_XK, scales_XB)
    tiles_open(FORMAT)
    for n in range(start, stop, LANES):
        for index in range(K // panel_values(FORMAT)):
            panel_pack(panels, factors, 0, w_NK, n, stop - 1, index, FORMAT, 1)
        for b in range(0, B, GROUP):
            _group(x, panels, factors, products, partial_XL, y_TN, w_NK, n, stop - n, b, FORMAT)
    tiles_close()
