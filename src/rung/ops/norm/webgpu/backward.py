"""Gradients of norms on a GPU: every sum has one owner and one order."""

# T tokens, D width

from __future__ import annotations

from rung.ops.norm.gradient import norm_backward_w, norm_backward_x, norm_statistics
from rung.wgsl import Call, Dispatch, ceil_div, spread

_THREADS = 64
_COLUMNS, _LANES = 32, 8
_ROWS = 64
"""Rows of a part: the 1,024 of a small batch then keep 16 workgroups for each 32 columns busy."""


@norm_statistics.kernel("webgpu", 1, why="one workgroup a token")
def statistics(call: Call) -> Dispatch:
    """Threads of a workgroup sum one token, then its squared differences from the mean."""
    return Dispatch("statistics.wgsl", spread, {"THREADS": _THREADS})


@norm_backward_x.kernel("webgpu", 1, why="one workgroup a token")
def backward_x(call: Call) -> Dispatch:
    """Both means in one pass over the token, then its gradient."""
    return Dispatch("backward_x.wgsl", spread, {"THREADS": _THREADS})


@norm_backward_w.kernel("webgpu", 1, why="one thread a column")
def backward_w(call: Call) -> Dispatch:
    """Each thread goes down a column."""
    groups = ceil_div(call.size("D"), _THREADS)
    return Dispatch("backward_w.wgsl", lambda tokens: (groups, 1, 1), {"THREADS": _THREADS})


@norm_backward_w.kernel("webgpu", 2, why="rows in parts, then the sum of the parts")
def backward_w_in_parts(call: Call) -> list[Dispatch]:
    """As many workgroups as there are parts of rows for each few columns."""
    width = call.size("D")
    scratch = {"column_parts": lambda tokens: max(1, ceil_div(tokens, _ROWS)) * width * 4}
    shape = {"COLUMNS": _COLUMNS, "LANES": _LANES, "ROWS": _ROWS}
    return [
        Dispatch(
            "backward_w_parts.wgsl",
            lambda tokens: (ceil_div(width, _COLUMNS), ceil_div(tokens, _ROWS), 1),
            shape,
            scratch,
        ),
        Dispatch(
            "backward_w_total.wgsl",
            lambda tokens: (ceil_div(width, _THREADS), 1, 1),
            {"THREADS": _THREADS, "ROWS": _ROWS},
            scratch,
        ),
    ]
