"""Products of float32 with GGUF's blocks: q8_0, q4_0, q4_k, q5_k, q6_k, each a form of its own.

1 the triple loop, each weight by its formula. 2 blocks unpacked into lanes: for a few tokens in
registers, for many once into a buffer that stays in the cache, from which f32's tiles take them.
Both ways an output is the same sum in the same order, so both give the same bits.
"""

# T tokens, K input width, N output width, B blocks in a row

import numpy as np
from numba.extending import register_jitable

from rung.ops.linear.cpu.common import (
    BLOCK,
    COLUMNS,
    NARROW,
    OUTPUTS,
    ROWS,
    finish,
    tile_product,
)
from rung.ops.linear.op import linear
from rung.simd.blocks import FORMATS, block_values, prefetch_blocks, tile_blocks, unpack_block
from rung.simd.lanes import tile_store, tile_zeros
from rung.simd.spans import span
from rung.simd.weights import weight
from rung.storage import F32


def _takes(form):
    return lambda x_TK, w_NK: x_TK.type is F32 and w_NK.type.name == form


def _each_form(version, why):
    """Registers one kernel for every format, compiled for each."""

    def register(function):
        for form in FORMATS:
            linear.kernel(
                "cpu",
                version,
                form=form,
                why=why,
                when=_takes(form),
                constants={"FORMAT": lambda w_NK: FORMATS[w_NK.type.name]},
                split=OUTPUTS,
            )(function)
        return function

    return register


@_each_form(1, "the triple loop")
def linear_blocks_naive(part, parts, x_TK, w_NK, b_N, r_TN, y_TN, FORMAT):
    T, K = x_TK.shape
    start, stop = span(part, parts, y_TN.shape[1], COLUMNS)
    for t in range(T):
        for n in range(start, stop):
            y = np.float32(0)
            for k in range(K):
                y += x_TK[t, k] * weight(w_NK, n, k, FORMAT)
            y_TN[t, n] = y
    finish(y_TN, b_N, r_TN, start, stop)


@_each_form(2, "blocks unpacked into lanes, once for many tokens")
def linear_blocks_lanes(part, parts, x_TK, w_NK, b_N, r_TN, y_TN, FORMAT):
    T = x_TK.shape[0]
    start, stop = span(part, parts, y_TN.shape[1], COLUMNS)
    if T < ROWS:
        _few_tokens(x_TK, w_NK, y_TN, start, stop, FORMAT)
    else:
        for block in range(0, T, BLOCK):
            _many_tokens(x_TK, w_NK, y_TN, block, min(block + BLOCK, T), start, stop, FORMAT)
    finish(y_TN, b_N, r_TN, start, stop)


@register_jitable
def _few_tokens(x_TK, w_NK, y_TN, start, stop, FORMAT):
    whole = start + (stop - start) // COLUMNS * COLUMNS
    for t in range(x_TK.shape[0]):
        for n in range(start, whole, COLUMNS):
            _tile_from_blocks(x_TK, w_NK, y_TN, t, n, COLUMNS, FORMAT)
        for n in range(whole, stop):
            _tile_from_blocks(x_TK, w_NK, y_TN, t, n, 1, FORMAT)


@register_jitable
def _tile_from_blocks(x_TK, w_NK, y_TN, t, n, C, FORMAT):
    """y[t, n : n+C], weights unpacked in registers."""
    tile = tile_zeros(1, C)
    for index in range(x_TK.shape[1] // block_values(FORMAT)):
        # In order and two tiles ahead, as in common.py.
        prefetch_blocks(w_NK, n + 2 * C, C * index, C, FORMAT)
        tile = tile_blocks(tile, x_TK, t, w_NK, n, index, FORMAT)
    tile_store(tile, y_TN, t, n, C)


@register_jitable
def _many_tokens(x_TK, w_NK, y_TN, first, end, start, stop, FORMAT):
    """y[first : end, start : stop], a few rows of weights unpacked at a time."""
    K = x_TK.shape[1]
    tiled = first + (end - first) // ROWS * ROWS
    rows_CK = np.empty((COLUMNS, K), np.float32)
    for n in range(start, stop, COLUMNS):
        count = min(COLUMNS, stop - n)
        for c in range(count):
            for index in range(K // block_values(FORMAT)):
                unpack_block(rows_CK, c, w_NK, n + c, index, FORMAT)
        if count < COLUMNS:
            for c in range(count):
                for t in range(first, end):
                    tile_product(x_TK, rows_CK, y_TN, t, n + c, c, 1, 1)
            continue
        for c in range(0, COLUMNS, NARROW):
            for t in range(first, tiled, ROWS):
                tile_product(x_TK, rows_CK, y_TN, t, n + c, c, ROWS, NARROW)
        for t in range(tiled, end):
            tile_product(x_TK, rows_CK, y_TN, t, n, 0, 1, COLUMNS)
