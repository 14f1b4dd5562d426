"""Products of activations rounded to int8 (q8_s) that know two ways: few tokens, and many.

Few tokens read the weights as streams (streams.py). Many take them past in panels (panels.py), or
in AMX tiles (amx.py). An output's float32 operations are the same and in the same order in all
three, so a token's result does not depend on the batch it stands in.
"""

# T tokens, K input width, N output width

from numba.extending import register_jitable

from rung.ops.linear.cpu.amx import amx_product
from rung.ops.linear.cpu.common import COLUMNS, OUTPUTS, finish
from rung.ops.linear.cpu.integers import SIMPLE, SUPER, each_form
from rung.ops.linear.cpu.panels import panel_product
from rung.ops.linear.cpu.streams import streamed_product
from rung.ops.linear.op import linear
from rung.simd.panels import INT8_ROWS
from rung.simd.spans import span
from rung.simd.tile_instructions import TILE
from rung.storage import I8, Q8_S

# From so many tokens on panels are faster than streams. 2048×2048 weights of q8_0 in memory with 2,
# 4, 6 and 8 tokens took 103, 195, 251 and 295 µs by streams, 251, 252, 248 and 315 by panels; q4_k
# 112, 223, 339 and 475 by streams, 303, 385, 365 and 453 by panels (Zen 4, 2 cores).
_MANY = 8
_TILES = ("amx-tile", "amx-int8")


@register_jitable
def _by_panels(x_TK, w_NK, y_TN, start, stop, FORMAT):
    q_TK, scales, sums = x_TK
    if q_TK.shape[0] >= _MANY:
        panel_product(q_TK, scales, sums, w_NK, y_TN, start, stop, FORMAT)
    else:
        streamed_product(x_TK, w_NK, y_TN, start, stop, FORMAT)


@register_jitable
def _by_tiles(x_TK, w_NK, y_TN, start, stop, FORMAT):
    q_TK, scales, sums = x_TK
    if q_TK.shape[0] >= TILE:
        amx_product(q_TK, scales, sums, w_NK, y_TN, start, stop, FORMAT)
    else:
        _by_panels(x_TK, w_NK, y_TN, start, stop, FORMAT)


@each_form(SIMPLE, 4, "panels of sixteen outputs for many tokens")
@each_form(SUPER, 3, "panels of sixteen outputs for many tokens")
def linear_blocks_q8s_panels(part, parts, x_TK, w_NK, b_N, r_TN, y_TN, FORMAT):
    start, stop = span(part, parts, y_TN.shape[1], COLUMNS)
    _by_panels(x_TK, w_NK, y_TN, start, stop, FORMAT)
    finish(y_TN, b_N, r_TN, start, stop)


@each_form(SIMPLE, 5, "AMX tiles for many tokens", needs=_TILES)
@each_form(SUPER, 4, "AMX tiles for many tokens", needs=_TILES)
def linear_blocks_q8s_tiles(part, parts, x_TK, w_NK, b_N, r_TN, y_TN, FORMAT):
    start, stop = span(part, parts, y_TN.shape[1], COLUMNS)
    _by_tiles(x_TK, w_NK, y_TN, start, stop, FORMAT)
    finish(y_TN, b_N, r_TN, start, stop)


def _is_i8(x_TK, w_NK):
    return x_TK.type is Q8_S and w_NK.type is I8


@register_jitable
def _finish_rows(y_TN, scales, b_N, r_TN, start, stop):
    """y[:, start : stop] · each row's scale + b + r"""
    for t in range(y_TN.shape[0]):
        for n in range(start, stop):
            y_TN[t, n] *= scales[n, 0]
    finish(y_TN, b_N, r_TN, start, stop)


@linear.kernel(
    *("cpu", 3),
    form="i8_q8s",
    why="panels of sixteen outputs for many tokens",
    when=_is_i8,
    split=OUTPUTS,
)
def linear_i8_q8s_panels(part, parts, x_TK, w_NK, b_N, r_TN, y_TN):
    rows_NK, scales = w_NK
    start, stop = span(part, parts, y_TN.shape[1], COLUMNS)
    _by_panels(x_TK, rows_NK, y_TN, start, stop, INT8_ROWS)
    _finish_rows(y_TN, scales, b_N, r_TN, start, stop)


@linear.kernel(
    *("cpu", 4),
    form="i8_q8s",
    why="AMX tiles for many tokens",
    when=_is_i8,
    needs=_TILES,
    split=OUTPUTS,
)
def linear_i8_q8s_tiles(part, parts, x_TK, w_NK, b_N, r_TN, y_TN):
    rows_NK, scales = w_NK
    start, stop = span(part, parts, y_TN.shape[1], COLUMNS)
    _by_tiles(x_TK, rows_NK, y_TN, start, stop, INT8_ROWS)
    _finish_rows(y_TN, scales, b_N, r_TN, start, stop)
