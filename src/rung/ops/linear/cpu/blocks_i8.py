"""Products of int8 activations with GGUF's simple blocks: q8_0 and q4_0 by x in groups of 32.

1 the triple loop; 2 tiles of integer dot products, two blocks at a time.
"""

# T tokens, K input width, N output width; R×C tile of tokens × outputs

import numpy as np
from numba.extending import register_jitable

from rung.ops.linear.cpu.common import COLUMNS, OUTPUTS, add_bias, in_tiles
from rung.ops.linear.op import linear
from rung.simd.block_dots import block_bytes, block_scales
from rung.simd.blocks import FORMATS, RUN, prefetch_blocks
from rung.simd.dots import BYTES, bytes_load, bytes_load_some, scales_load, tile_dot
from rung.simd.lanes import tile_store, tile_zeros
from rung.simd.spans import span
from rung.simd.weights import weight


def _takes(form):
    return lambda x_TK, w_NK: x_TK.type.name == "i8_g32" and w_NK.type.name == form


def _each_form(version, why):
    """Registers one kernel for both formats, compiled for each."""

    def register(function):
        for form in ("q8_0", "q4_0"):
            linear.kernel(
                "cpu",
                version,
                form=f"{form}_i8g",
                why=why,
                when=_takes(form),
                constants={"FORMAT": lambda w_NK: FORMATS[w_NK.type.name]},
                split=OUTPUTS,
            )(function)
        return function

    return register


@_each_form(1, "the triple loop")
def linear_blocks_i8g_naive(part, parts, x_TK, w_NK, b_N, y_TN, FORMAT):
    q_TK, scales = x_TK
    T, K = q_TK.shape
    start, stop = span(part, parts, y_TN.shape[1], COLUMNS)
    for t in range(T):
        for n in range(start, stop):
            y = np.float32(0)
            for k in range(K):
                y += np.float32(q_TK[t, k]) * scales[t, k // RUN] * weight(w_NK, n, k, FORMAT)
            y_TN[t, n] = y
    add_bias(y_TN, b_N, start, stop)


@register_jitable
def _tile_dots(x_TK, w_NK, y_TN, t, n, R, C, FORMAT):
    """y[t : t+R, n : n+C] from integer products of two blocks, scaled block by block."""
    q_TK, scales = x_TK
    blocks = q_TK.shape[1] // RUN
    even = blocks // 2 * 2
    tile = tile_zeros(R, C)
    for index in range(0, even, 2):
        k = index * RUN
        if R == 1:
            # In order and one tile ahead, as in i8g.py.
            prefetch_blocks(w_NK, n + C, C * index, C, FORMAT)
            prefetch_blocks(w_NK, n + C, C * index + C, C, FORMAT)
        tile = tile_dot(
            tile,
            bytes_load(q_TK, t, k, R),
            block_bytes(w_NK, n, index, C, 2, FORMAT),
            scales_load(scales, t, k, R, RUN, BYTES),
            block_scales(w_NK, n, index, C, 2, FORMAT),
        )
    if even < blocks:
        k = even * RUN
        tile = tile_dot(
            tile,
            bytes_load_some(q_TK, t, k, R, RUN),
            block_bytes(w_NK, n, even, C, 1, FORMAT),
            scales_load(scales, t, k, R, RUN, RUN),
            block_scales(w_NK, n, even, C, 1, FORMAT),
        )
    tile_store(tile, y_TN, t, n, C)


@_each_form(2, "tiles of integer dot products")
def linear_blocks_i8g_dots(part, parts, x_TK, w_NK, b_N, y_TN, FORMAT):
    start, stop = span(part, parts, y_TN.shape[1], COLUMNS)
    in_tiles(_tile_dots, x_TK, w_NK, y_TN, start, stop, FORMAT)
    add_bias(y_TN, b_N, start, stop)
