"""Rows of any storage type as float32, in the runs of K that the library is given.

Each takes (rows, w, n, count, k, depth, FORMAT) and writes rows[: count, : depth] =
w[n : n+count, k : k+depth]; k is a multiple of DEPTH.
"""

import numpy as np
from numba.extending import register_jitable

from rung.simd.blocks import block_values, unpack_block_at
from rung.simd.elements import element
from rung.simd.lanes import LANES, fill, load, load_some, store, store_some


@register_jitable
def expand_elements(rows, w_NK, n, count, k, depth, FORMAT):
    """Elements that are values themselves: float16, bfloat16."""
    whole = depth // LANES * LANES
    for r in range(count):
        for column in range(0, whole, LANES):
            store(rows, r, column, load(w_NK, n + r, k + column))
        if whole < depth:
            rest = depth - whole
            store_some(rows, r, whole, load_some(w_NK, n + r, k + whole, rest), rest)


@register_jitable
def expand_rows(rows, w_NK, n, count, k, depth, FORMAT):
    """int8 with a scale for the row: i8."""
    q_NK, scales = w_NK
    whole = depth // LANES * LANES
    for r in range(count):
        scale = fill(scales[n + r, 0])
        for column in range(0, whole, LANES):
            store(rows, r, column, load(q_NK, n + r, k + column) * scale)
        if whole < depth:
            rest = depth - whole
            store_some(rows, r, whole, load_some(q_NK, n + r, k + whole, rest) * scale, rest)


@register_jitable
def expand_groups(rows, w_NK, n, count, k, depth, FORMAT):
    """int8 with a scale for each group: i8_gN, and q8_s, whose sums are not needed."""
    q_NK, scales = w_NK[0], w_NK[1]
    G = q_NK.shape[1] // scales.shape[1]
    if G % LANES == 0:
        for r in range(count):
            column = 0
            while column < depth:
                g = (k + column) // G
                end = min((g + 1) * G - k, depth)
                scale = fill(scales[n + r, g])
                while column < end:
                    store(rows, r, column, load(q_NK, n + r, k + column) * scale)
                    column += LANES
        return
    for r in range(count):
        for column in range(depth):
            value = np.float32(element(q_NK, n + r, k + column))
            rows[r, column] = value * scales[n + r, (k + column) // G]


@register_jitable
def expand_blocks(rows, w_NK, n, count, k, depth, FORMAT):
    """GGUF's blocks, of a literal FORMAT."""
    values = block_values(FORMAT)
    for r in range(count):
        for column in range(0, depth, values):
            unpack_block_at(rows, r, column, w_NK, n + r, (k + column) // values, FORMAT)
