"""Products of activations rounded to int8 (q8_s) with weights in blocks, and with int8 rows.

q8_0, q4_0             1 the triple loop; 2 tiles of integer dot products, two blocks at a time;
                       3 streams: four far-apart rows in place (streams.py).
q4_k, q5_k, q6_k, i8   1 the triple loop; 2 the same streams.
"""

# T tokens, K input width, N output width; R×C tile of tokens × outputs

import numpy as np
from numba.extending import register_jitable

from rung.ops.linear.cpu.common import COLUMNS, OUTPUTS, finish, in_tiles
from rung.ops.linear.cpu.streams import streamed_product
from rung.ops.linear.op import linear
from rung.simd.block_dots import block_bytes, block_scales
from rung.simd.blocks import FORMATS, RUN, prefetch_blocks
from rung.simd.dots import BYTES, bytes_load, bytes_load_some, scales_load, tile_dot
from rung.simd.lanes import tile_store, tile_zeros
from rung.simd.spans import span
from rung.simd.weights import weight
from rung.storage import I8, Q8_S

SIMPLE = ("q8_0", "q4_0")
SUPER = ("q4_k", "q5_k", "q6_k")


def each_form(forms, version, why, needs=()):
    """Registers one kernel for several formats of weights, compiled for each.

    needs: features of the processor, by their LLVM names.
    """

    def register(function):
        for form in forms:
            linear.kernel(
                "cpu",
                version,
                form=f"{form}_q8s",
                why=why,
                when=_takes(form),
                needs=needs,
                constants={"FORMAT": lambda w_NK: FORMATS[w_NK.type.name]},
                split=OUTPUTS,
            )(function)
        return function

    return register


def _takes(form):
    return lambda x_TK, w_NK: x_TK.type is Q8_S and w_NK.type.name == form


def _is_i8(x_TK, w_NK):
    return x_TK.type is Q8_S and w_NK.type is I8


@linear.kernel("cpu", 1, form="i8_q8s", why="the triple loop", when=_is_i8, split=OUTPUTS)
def linear_i8_q8s_naive(part, parts, x_TK, w_NK, b_N, r_TN, y_TN):
    qx_TK, sx, _ = x_TK
    qw_NK, sw = w_NK
    T, K = qx_TK.shape
    start, stop = span(part, parts, y_TN.shape[1], COLUMNS)
    for t in range(T):
        for n in range(start, stop):
            y = np.float32(0)
            for k in range(0, K, RUN):
                whole = np.int32(0)
                for i in range(k, k + RUN):
                    whole += np.int32(qx_TK[t, i]) * np.int32(qw_NK[n, i])
                y += np.float32(whole) * sx[t, k // RUN]
            y_TN[t, n] = y * sw[n, 0]
    finish(y_TN, b_N, r_TN, start, stop)


@each_form(SIMPLE + SUPER, 1, "the triple loop")
def linear_blocks_q8s_naive(part, parts, x_TK, w_NK, b_N, r_TN, y_TN, FORMAT):
    q_TK, scales, _ = x_TK
    T, K = q_TK.shape
    start, stop = span(part, parts, y_TN.shape[1], COLUMNS)
    for t in range(T):
        for n in range(start, stop):
            y = np.float32(0)
            for k in range(K):
                y += np.float32(q_TK[t, k]) * scales[t, k // RUN] * weight(w_NK, n, k, FORMAT)
            y_TN[t, n] = y
    finish(y_TN, b_N, r_TN, start, stop)


@register_jitable
def _tile_dots(x_TK, w_NK, y_TN, t, n, R, C, FORMAT):
    """y[t : t+R, n : n+C] from integer products of two blocks, scaled block by block."""
    q_TK, scales, _ = x_TK
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


@each_form(SIMPLE, 2, "tiles of integer dot products")
def linear_blocks_q8s_dots(part, parts, x_TK, w_NK, b_N, r_TN, y_TN, FORMAT):
    start, stop = span(part, parts, y_TN.shape[1], COLUMNS)
    in_tiles(_tile_dots, x_TK, w_NK, y_TN, start, stop, FORMAT)
    finish(y_TN, b_N, r_TN, start, stop)


@each_form(SIMPLE, 3, "streams: four far-apart rows, four blocks at a time")
@each_form(SUPER, 2, "streams: four far-apart rows, a block at a time")
def linear_blocks_q8s_streams(part, parts, x_TK, w_NK, b_N, r_TN, y_TN, FORMAT):
    start, stop = span(part, parts, y_TN.shape[1], COLUMNS)
    streamed_product(x_TK, w_NK, y_TN, start, stop, FORMAT)
    finish(y_TN, b_N, r_TN, start, stop)


@linear.kernel(
    "cpu", 2, form="i8_q8s", why="streams: four far-apart rows", when=_is_i8, split=OUTPUTS
)
def linear_i8_q8s_streams(part, parts, x_TK, w_NK, b_N, r_TN, y_TN):
    qw_NK, sw = w_NK
    start, stop = span(part, parts, y_TN.shape[1], COLUMNS)
    streamed_product(x_TK, qw_NK, y_TN, start, stop, 0)
    for t in range(y_TN.shape[0]):
        for n in range(start, stop):
            y_TN[t, n] *= sw[n, 0]
    finish(y_TN, b_N, r_TN, start, stop)
