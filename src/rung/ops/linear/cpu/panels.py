"""Products of many tokens in integers, from panels of sixteen rows of weights.

A thread packs 16·PANELS rows into panels, which its second-level cache holds, and takes them past
all tokens: packing costs as much as the products of one or two tokens, and the weights in memory
stay as they are in their file. A chunk of K at a time, so that what a tile of tokens reads again
and again is in the first-level cache; partial sums wait in y meanwhile.
"""

# T tokens, K input width, N output width; R×C tile of tokens × panels of 16 outputs

from numba.extending import register_jitable

from rung.simd.blocks import RUN
from rung.simd.lanes import LANES, tile_zeros
from rung.simd.memory import LINE_BYTES, align_stack, prefetch_line
from rung.simd.outputs import outputs_load, outputs_store
from rung.simd.panel_packing import panel_pack
from rung.simd.panel_products import panel_dots
from rung.simd.panels import (
    INT8_ROWS,
    aligned_floats,
    aligned_panels,
    form_of,
    panel_factors,
    panel_inputs,
    panel_values,
)
from rung.simd.target import host

# 6×2 sums in integers, as many in float32, two of weights: 26 of 32 registers. Where sixteen lanes
# take two registers, 4×1: the float32 sums wait in memory then. With 3, 5 and 6 tokens the products
# of one core were 144, 155 and 151 GFLOP/s in q8_0 and 233, 227 and 122 in q4_k, with 4 tokens 147
# and 235 (Zen 4, AVX2, all of it in the first-level cache).
_WIDE = host().vector_registers >= 32
TOKENS = 6 if _WIDE else 4 if form_of(INT8_ROWS).name in ("PAIRS", "MATRICES") else 3
PANELS = 2 if _WIDE else 1

# A chunk of bytes of one panel is 16 kB, of two with half the values as well: half of a first-level
# cache. 256 tokens of q8_0 by AVX2 ran at 119, 130 and 134 GFLOP/s with 256, 512 and 1024 values.
CHUNK = 1024 // PANELS // RUN


@register_jitable
def ahead_of(rows, tiles, row_bytes):
    """Cache lines to ask for with each tile, so that the next rows are there in time."""
    return rows * row_bytes // LINE_BYTES // max(tiles, 1) + 1


@register_jitable
def panel_product(q_TK, sx, sums, w_NK, y_TN, start, stop, FORMAT):
    """y[:, start : stop] = x · wᵀ without the scales of int8 rows."""
    align_stack()
    x_TK = panel_inputs(q_TK, FORMAT)
    T, K = x_TK.shape
    B = K // RUN
    rows = PANELS * LANES
    panels = aligned_panels(PANELS, K, FORMAT)
    factors = aligned_floats(PANELS, B * panel_factors(FORMAT) * LANES)
    tiles = (T + TOKENS - 1) // TOKENS * ((B + CHUNK - 1) // CHUNK)
    lines = ahead_of(rows, tiles, w_NK.shape[1])
    for n in range(start, stop, rows):
        for p in range(PANELS):
            for index in range(K // panel_values(FORMAT)):
                row = n + p * LANES
                panel_pack(panels, factors, p, w_NK, row, stop - 1, index, FORMAT, 0)
        count = stop - n
        line = 0
        for first in range(0, B, CHUNK):
            end = min(first + CHUNK, B)
            for t in range(0, T, TOKENS):
                for _ in range(lines):
                    prefetch_line(w_NK, n + rows, line * LINE_BYTES)
                    line += 1
                tile = tile_zeros(TOKENS, PANELS)
                if first > 0:
                    tile = outputs_load(tile, y_TN, t, T - 1, n, count, PANELS)
                for b in range(first, end):
                    tile = panel_dots(
                        tile, x_TK, sx, sums, t, T - 1, panels, factors, b, PANELS, FORMAT
                    )
                outputs_store(tile, y_TN, t, T - 1, n, count, PANELS)
