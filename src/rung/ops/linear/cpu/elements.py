"""Products of float32 with weights that are one element each: float16, bfloat16, int8 by rows.

f16, bf16  1 the triple loop; 2 the tiles of f32, each vector converted as it is loaded.
i8         the same, and each output times its row's scale at the end: int8pack_mm.
"""

# T tokens, K input width, N output width

import numpy as np
from numba.extending import register_jitable

from rung.ops.linear.cpu.common import COLUMNS, OUTPUTS, finish, tiled_product
from rung.ops.linear.op import linear
from rung.simd.elements import element
from rung.simd.spans import span
from rung.storage import BF16, F16, F32, I8


def _is_f16(x_TK, w_NK):
    return x_TK.type is F32 and w_NK.type is F16


def _is_bf16(x_TK, w_NK):
    return x_TK.type is F32 and w_NK.type is BF16


def _is_i8(x_TK, w_NK):
    return x_TK.type is F32 and w_NK.type is I8


@register_jitable
def _plain_product(x_TK, w_NK, y_TN, start, stop):
    T, K = x_TK.shape
    for t in range(T):
        for n in range(start, stop):
            y = np.float32(0)
            for k in range(K):
                y += x_TK[t, k] * element(w_NK, n, k)
            y_TN[t, n] = y


@linear.kernel("cpu", 1, form="f16", why="the triple loop", when=_is_f16, split=OUTPUTS)
@linear.kernel("cpu", 1, form="bf16", why="the triple loop", when=_is_bf16, split=OUTPUTS)
def linear_halves_naive(part, parts, x_TK, w_NK, b_N, r_TN, y_TN):
    start, stop = span(part, parts, y_TN.shape[1], COLUMNS)
    _plain_product(x_TK, w_NK, y_TN, start, stop)
    finish(y_TN, b_N, r_TN, start, stop)


@linear.kernel(
    "cpu", 2, form="f16", why="tiles, converted in registers", when=_is_f16, split=OUTPUTS
)
@linear.kernel(
    "cpu", 2, form="bf16", why="tiles, converted in registers", when=_is_bf16, split=OUTPUTS
)
def linear_halves_tiles(part, parts, x_TK, w_NK, b_N, r_TN, y_TN):
    start, stop = span(part, parts, y_TN.shape[1], COLUMNS)
    tiled_product(x_TK, w_NK, y_TN, start, stop)
    finish(y_TN, b_N, r_TN, start, stop)


@register_jitable
def _scale_outputs(y_TN, scales, start, stop):
    """y[:, start : stop] *= each output's scale."""
    for t in range(y_TN.shape[0]):
        for n in range(start, stop):
            y_TN[t, n] *= scales[n, 0]


@linear.kernel("cpu", 1, form="i8", why="the triple loop", when=_is_i8, split=OUTPUTS)
def linear_i8_naive(part, parts, x_TK, w_NK, b_N, r_TN, y_TN):
    q_NK, scales = w_NK
    start, stop = span(part, parts, y_TN.shape[1], COLUMNS)
    _plain_product(x_TK, q_NK, y_TN, start, stop)
    _scale_outputs(y_TN, scales, start, stop)
    finish(y_TN, b_N, r_TN, start, stop)


@linear.kernel("cpu", 2, form="i8", why="tiles, widened in registers", when=_is_i8, split=OUTPUTS)
def linear_i8_tiles(part, parts, x_TK, w_NK, b_N, r_TN, y_TN):
    q_NK, scales = w_NK
    start, stop = span(part, parts, y_TN.shape[1], COLUMNS)
    tiled_product(x_TK, q_NK, y_TN, start, stop)
    _scale_outputs(y_TN, scales, start, stop)
    finish(y_TN, b_N, r_TN, start, stop)
