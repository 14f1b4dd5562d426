"""Products of many tokens in AMX tiles of bfloat16, sums in float32.

Weights are expanded to bfloat16, a panel of 32 rows at a time, while they meet the first 32 tokens;
all others then find it in the second-level cache. A step multiplies 2×2 tiles, so that each that is
loaded is used twice. Two Emerald Rapids cores whose tiles alone do 6 to 8 TFLOP/s multiply 256
tokens by 5632×2048 weights at 4.3 where these are expanded before, and at 1.9 to 2.8 as it is.
Tiles of int8, each block with its scales, reach 1.4 to 1.7.
"""

# T tokens, K input width, N output width

import numpy as np
from numba.extending import register_jitable

from rung.ops.linear.cpu.common import COLUMNS, OUTPUTS
from rung.ops.linear.cpu.depth import deep_product
from rung.ops.linear.cpu.integers import SIMPLE, SUPER
from rung.ops.linear.cpu.streams import streamed_product
from rung.ops.linear.op import linear
from rung.simd.amx import tiles_close
from rung.simd.bfloat_tiles import (
    BLOCK,
    ELEMENTS,
    PANEL,
    SUMS,
    bfloat_expand,
    bfloat_tiles_open,
    bfloat_values,
    sums_begin,
    sums_end,
    sums_leave,
    sums_multiply,
)
from rung.simd.blocks import FORMATS, RUN
from rung.simd.finish import finish
from rung.simd.memory import LINE_BYTES, prefetch_line
from rung.simd.panels import INT8_ROWS, aligned_bytes, aligned_floats
from rung.simd.spans import span
from rung.simd.tile_instructions import TILE
from rung.storage import F32, Q8_S
from rung.storage.tiles import LEAST_ROWS

# Blocks of 32 values of a panel that are expanded together: 128 KB, and 1 MB of 256 tokens.
CHUNK = 2048 // RUN
# Wider rows are taken in chunks, for so many panels at a time: 2048×5632 weights of q8_0 by 256
# tokens took 3.7 ms panel by panel on two Emerald Rapids cores, since 3 MB of tokens fit no cache.
GROUP = 16
SEVERAL = 2  # blocks of one row that are expanded together, where each has 32 values


@register_jitable
def _expand(panel, w_NK, n, last, first, b, blocks, FORMAT):
    """Some blocks of 32 rows of weights, from b on, become part of a panel; the next block."""
    step = bfloat_values(FORMAT) // RUN
    index = (first + b) // step
    if step == 1 and b + SEVERAL <= blocks:
        for row in range(PANEL):
            at = (b * PANEL + row) * RUN
            bfloat_expand(panel, at, w_NK, min(n + row, last), index, SEVERAL, FORMAT)
        return b + SEVERAL
    for row in range(PANEL):
        at = (b * PANEL + row) * RUN
        bfloat_expand(panel, at, w_NK, min(n + row, last), index, 1, FORMAT)
    return b + step


@register_jitable
def bfloat_product(tiles_TK, w_NK, scales, b_N, r_TN, y_TN, start, stop, FORMAT):
    """y[:, start : stop] = x · wᵀ · scales + b + r; at least 8 tokens.

    scales are [N, 1], of no size where each weight has its own.
    """
    if start >= stop:
        return
    B = tiles_TK.shape[1] // 2 // RUN
    pairs = (y_TN.shape[0] + 2 * TILE - 1) // (2 * TILE)
    slots = GROUP if B > CHUNK else 1
    panel = aligned_bytes(1, CHUNK * PANEL * RUN * 2).view(np.uint16).reshape(-1)
    sums = aligned_floats(slots, pairs * 4 * SUMS)
    bfloat_tiles_open()
    for group in range(start, stop, GROUP * PANEL):
        end = min(group + GROUP * PANEL, stop)
        for first in range(0, B, CHUNK):
            for n in range(group, end, PANEL):
                own = sums[(n - group) // PANEL % slots]
                coming = _coming(n, first, group, end, B)
                _panel_product(
                    panel, own, tiles_TK, w_NK, n, first, coming, stop, y_TN, r_TN, FORMAT
                )
                if first + CHUNK >= B:
                    for t in range(0, y_TN.shape[0], 2 * TILE):
                        at = t // (2 * TILE) * 4 * SUMS
                        _leave(own, at, y_TN, t, n, stop, scales, b_N, r_TN)
    tiles_close()


@register_jitable
def _coming(n, first, group, end, B):
    """The row and the block at which the panel after this one begins."""
    if n + PANEL < end:
        return n + PANEL, first
    if first + CHUNK < B:
        return group, first + CHUNK
    return end, 0


@register_jitable
def _panel_product(panel, sums, tiles_TK, w_NK, n, first, coming, stop, y_TN, r_TN, FORMAT):
    """sums += x · wᵀ of 32 rows from n on, over CHUNK blocks from block `first` on."""
    T = y_TN.shape[0]
    B = tiles_TK.shape[1] // 2 // RUN
    tokens = tiles_TK.reshape(-1)
    pairs = (T + 2 * TILE - 1) // (2 * TILE)
    blocks = min(CHUNK, B - first)
    leaving = first + blocks == B
    # What memory is asked for meanwhile: the same of the panel after this, a line at a time.
    width, elements = w_NK.shape[1], LINE_BYTES // w_NK.itemsize
    row, column = coming[0], width * coming[1] // B
    beyond = width * min(coming[1] + CHUNK, B) // B
    lines = ((beyond - column) // elements + 1) * PANEL // (pairs * blocks) + 1
    ahead = max(SEVERAL, bfloat_values(FORMAT) // RUN)
    done = 0
    for pair in range(pairs):
        t = 2 * pair * TILE
        sums_begin(sums, pair * 4 * SUMS, first == 0)
        for b in range(blocks):
            # Ahead of the tiles: a load of what was just stored would stall.
            while done <= b + ahead and done < blocks:
                done = _expand(panel, w_NK, n, stop - 1, first, done, blocks, FORMAT)
            x_at = (2 * pair * B + first + b) * BLOCK
            w_at = b * PANEL * RUN
            sums_multiply(panel, w_at, tokens, x_at, x_at + B * BLOCK, t + TILE < T)
            for _ in range(lines):
                if row < coming[0] + PANEL:
                    prefetch_line(w_NK, row, column)
                column += elements
                if column >= beyond:
                    column = width * coming[1] // B
                    row += 1
            if leaving and b < TILE:
                _ask_outputs(y_TN, min(t + 2 * b, T - 1), n)
                _ask_outputs(y_TN, min(t + 2 * b + 1, T - 1), n)
                if len(r_TN) > 0:
                    _ask_outputs(r_TN, min(t + 2 * b, T - 1), n)
                    _ask_outputs(r_TN, min(t + 2 * b + 1, T - 1), n)
        sums_end(sums, pair * 4 * SUMS)


@register_jitable
def _ask_outputs(y_TN, t, n):
    prefetch_line(y_TN, t, n)
    prefetch_line(y_TN, t, n + LINE_BYTES // 4)


@register_jitable
def _leave(sums, at, y_TN, t, m, stop, scales, b_N, r_TN):
    """The sums of 32 outputs from m on and 32 tokens from t on, as far as there are so many."""
    T = y_TN.shape[0]
    for quarter in range(4):
        tile, n = t + quarter % 2 * TILE, m + quarter // 2 * TILE
        if n < stop and tile < T:
            place, tokens = at + quarter * SUMS, min(TILE, T - tile)
            sums_leave(sums, place, y_TN, tile, tokens, n, stop - n, scales, b_N, r_TN)


NEEDS = ("amx-tile", "amx-bf16")
_MANY = LEAST_ROWS


def _takes(form, x_type):
    return lambda x_TK, w_NK, tiles_TK: (
        tiles_TK is not None and x_TK.type is x_type and w_NK.type.name == form
    )


def _register(form, version, x_type, constants):
    """Registers the kernel below as the top of a ladder."""
    return linear.kernel(
        "cpu",
        version,
        form=form if x_type is F32 else f"{form}_q8s",
        why="bfloat16 in AMX tiles for many tokens",
        when=_takes(form, x_type),
        needs=NEEDS,
        constants=constants,
        split=OUTPUTS,
        rate="bf16",
    )


def _each_block_format(function):
    for form in (*SIMPLE, *SUPER):
        version = 6 if form in SIMPLE else 5
        constants = {"FORMAT": lambda w_NK: FORMATS[w_NK.type.name]}
        _register(form, version, Q8_S, constants)(function)
    return function


@_each_block_format
def linear_blocks_q8s_bfloat(part, parts, x_TK, w_NK, b_N, r_TN, tiles_TK, y_TN, FORMAT):
    if y_TN.shape[0] >= _MANY:
        start, stop = span(part, parts, y_TN.shape[1], PANEL)
        none = np.empty((0, 1), np.float32)
        bfloat_product(tiles_TK, w_NK, none, b_N, r_TN, y_TN, start, stop, FORMAT)
        return
    start, stop = span(part, parts, y_TN.shape[1], COLUMNS)
    streamed_product(x_TK, w_NK, y_TN, start, stop, FORMAT)
    finish(y_TN, b_N, r_TN, start, stop)


@_register("i8", 5, Q8_S, {})
def linear_i8_q8s_bfloat(part, parts, x_TK, w_NK, b_N, r_TN, tiles_TK, y_TN):
    rows_NK, scales = w_NK
    if y_TN.shape[0] >= _MANY:
        start, stop = span(part, parts, y_TN.shape[1], PANEL)
        bfloat_product(tiles_TK, rows_NK, scales, b_N, r_TN, y_TN, start, stop, ELEMENTS)
        return
    start, stop = span(part, parts, y_TN.shape[1], COLUMNS)
    streamed_product(x_TK, rows_NK, y_TN, start, stop, INT8_ROWS)
    for t in range(y_TN.shape[0]):
        for n in range(start, stop):
            y_TN[t, n] *= scales[n, 0]
    finish(y_TN, b_N, r_TN, start, stop)


@_register("f16", 4, F32, {})
@_register("bf16", 4, F32, {})
def linear_halves_bfloat(part, parts, x_TK, w_NK, b_N, r_TN, tiles_TK, y_TN):
    if y_TN.shape[0] >= _MANY:
        start, stop = span(part, parts, y_TN.shape[1], PANEL)
        none = np.empty((0, 1), np.float32)
        bfloat_product(tiles_TK, w_NK, none, b_N, r_TN, y_TN, start, stop, ELEMENTS)
        return
    start, stop = span(part, parts, y_TN.shape[1], COLUMNS)
    deep_product(x_TK, w_NK, y_TN, start, stop, 1)
    finish(y_TN, b_N, r_TN, start, stop)
