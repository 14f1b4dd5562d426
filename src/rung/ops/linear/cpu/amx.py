"""Products of many tokens in AMX tiles: int8 by int8, sixteen tokens by sixteen outputs.

The panels are those of panels.py. A tile instruction leaves sums of 32 products in integers; scaled
by both scales they are added to sixteen float32 vectors, which stay in registers over a chunk of K.
That addition, three operations a vector, is what bounds it: 24 cycles where the tile takes 16.
"""

# T tokens, K input width, N output width, B blocks of 32 values

import numpy as np
from numba.extending import register_jitable

from rung.simd.amx import TILE, tiles_add, tiles_close, tiles_multiply, tiles_open
from rung.simd.blocks import RUN
from rung.simd.lanes import LANES, tile_zeros
from rung.simd.panels import (
    aligned_bytes,
    aligned_floats,
    aligned_ints,
    outputs_load,
    outputs_store,
    panel_factors,
    panel_pack,
    panel_values,
)

# 1,024 values of a panel and of sixteen tokens are 16 kB each, beside 4 kB of factors and products.
_CHUNK = 1024 // RUN
_SLOTS = 4  # products that wait between the tiles and the float32 sums


@register_jitable
def _scaled_sums(sx, sums, T, B, FORMAT):
    """[T, B]: each block's sum of x, scaled, for weights with offsets; nothing for others."""
    if panel_factors(FORMAT) < 2:
        return np.empty((1, 1), np.float32)
    offsets = np.empty((T, B), np.float32)
    for t in range(T):
        for b in range(B):
            offsets[t, b] = np.float32(sums[t, 2 * b] + sums[t, 2 * b + 1]) * sx[t, b]
    return offsets


@register_jitable
def _tile_over(tile, products, x, t, panels, factors, first, end, FORMAT):
    """tile + x[t : t + 16] · panel over blocks first … end, products two blocks ahead of sums."""
    q_TK, sx, offsets = x
    even = first + (end - first) // 2 * 2
    if first < even:
        tiles_multiply(products, 0, q_TK, t, panels, 0, first, 2, FORMAT)
    for b in range(first, even, 2):
        slot = (b - first) % _SLOTS
        if b + 2 < even:
            tiles_multiply(products, 2 - slot, q_TK, t, panels, 0, b + 2, 2, FORMAT)
        tile = tiles_add(tile, products, slot, sx, offsets, t, factors, 0, b, FORMAT)
        tile = tiles_add(tile, products, slot + 1, sx, offsets, t, factors, 0, b + 1, FORMAT)
    if even < end:
        tiles_multiply(products, 0, q_TK, t, panels, 0, even, 1, FORMAT)
        tile = tiles_add(tile, products, 0, sx, offsets, t, factors, 0, even, FORMAT)
    return tile


@register_jitable
def amx_product(q_TK, sx, sums, w_NK, y_TN, start, stop, FORMAT):
    """y[:, start : stop] = x · wᵀ without the scales of int8 rows; at least 16 tokens."""
    T, K = q_TK.shape
    B = K // RUN
    panels = aligned_bytes(1, K * LANES)
    factors = aligned_floats(1, B * panel_factors(FORMAT) * LANES)
    products = aligned_ints(2 * _SLOTS, TILE * LANES)
    x = (q_TK, sx, _scaled_sums(sx, sums, T, B, FORMAT))
    tiled = T // TILE * TILE
    tiles_open(FORMAT)
    for n in range(start, stop, LANES):
        for index in range(K // panel_values(FORMAT)):
            panel_pack(panels, factors, 0, w_NK, n, stop - 1, index, FORMAT, 1)
        count = stop - n
        for first in range(0, B, _CHUNK):
            end = min(first + _CHUNK, B)
            for t in range(0, tiled, TILE):
                tile = tile_zeros(TILE, 1)
                if first > 0:
                    tile = outputs_load(tile, y_TN, t, n, count, TILE, 1)
                tile = _tile_over(tile, products, x, t, panels, factors, first, end, FORMAT)
                outputs_store(tile, y_TN, t, n, count, 1)
        if tiled < T:
            # The last tokens again with those before them: the same bits a second time.
            t = T - TILE
            tile = tile_zeros(TILE, 1)
            tile = _tile_over(tile, products, x, t, panels, factors, 0, B, FORMAT)
            outputs_store(tile, y_TN, t, n, count, 1)
    tiles_close()
