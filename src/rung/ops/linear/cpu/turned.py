"""linear 5: tiles of outer products, for a number of tokens that is known when a graph is planned.

Panels of w are turned as they are copied, and then a tile needs no sum across lanes (outer.py).
Each output is summed value by value along K, where the other rungs sum by lanes: the bits differ.
So this is for training, whose batches have one size; in inference a token's bits must not depend on
whether it comes in a prompt or alone.

256 tokens, 2 Zen 5 cores: 404 GFLOP/s with 3072×768 weights where version 4 has 312, 385 with
768×3072 (296), 353 with 50257×768 (275).
"""

# T tokens, K input width, N output width; X columns of a panel

import numpy as np
from numba.extending import register_jitable

from rung.ops.linear.cpu.outer import (
    DEPTH,
    PANEL,
    ROWS,
    TALL,
    rows_tile,
    rows_tile_of_one,
)
from rung.ops.linear.op import linear
from rung.registry import Split
from rung.simd.finish import finish
from rung.simd.grids import transpose
from rung.simd.lanes import LANES
from rung.simd.memory import aligned_floats
from rung.simd.spans import span
from rung.storage import F32

# Fewer do not make up for turning panels.
_FEWEST = 64


def _is_known_and_tall(x_TK, w_NK):
    tokens = x_TK.shape[0]
    return x_TK.type is F32 and w_NK.type is F32 and isinstance(tokens, int) and tokens >= _FEWEST


@register_jitable
def _turn_panel(w_NK, n, width, first, steps, panel_KX):
    """panel[k, x] = w[n + x, first + k], zeros beyond the width."""
    for k in range(0, steps, LANES):
        for x in range(0, PANEL, LANES):
            if k + LANES <= steps and x + LANES <= width:
                transpose(w_NK, n + x, first + k, panel_KX, k, x)
                continue
            for row in range(k, min(k + LANES, steps)):
                for column in range(x, x + LANES):
                    value = np.float32(0)
                    if column < width:
                        value = w_NK[n + column, first + row]
                    panel_KX[row, column] = value


@linear.kernel(
    "cpu",
    5,
    form="f32",
    why="w turned into panels, for known numbers of tokens",
    when=_is_known_and_tall,
    split=Split("TN", TALL * PANEL),
)
def linear_f32_turned(part, parts, x_TK, w_NK, b_N, r_TN, y_TN):
    T, K = x_TK.shape
    N = y_TN.shape[1]
    blocks = (T + TALL - 1) // TALL
    start, stop = span(part, parts, (N + PANEL - 1) // PANEL * blocks, 1)
    panel_KX = aligned_floats(DEPTH * PANEL).reshape(DEPTH, PANEL)
    edge_RX = aligned_floats(ROWS * PANEL).reshape(ROWS, PANEL)
    for unit in range(start, stop):
        n, top = unit // blocks * PANEL, unit % blocks * TALL
        width, end = min(PANEL, N - n), min(top + TALL, T)
        whole = top + (end - top) // ROWS * ROWS
        for first in range(0, K, DEPTH):
            steps, fresh = min(DEPTH, K - first), first == 0
            _turn_panel(w_NK, n, width, first, steps, panel_KX)
            for t in range(top, whole, ROWS):
                rows_tile(x_TK, t, first, steps, panel_KX, y_TN, t, n, width, fresh, edge_RX)
            for t in range(whole, end):
                rows_tile_of_one(x_TK, t, first, steps, panel_KX, y_TN, t, n, width, fresh, edge_RX)
        finish(y_TN[top:end], b_N, r_TN[top:end], n, n + width)
