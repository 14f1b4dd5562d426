"""Gradients of products. 1 has one thread an output; each sum has one owner and one order."""

from __future__ import annotations

from typing import Any

from rung.ops.linear.gradient import column_sums, linear_backward_w, linear_backward_x
from rung.storage import F32
from rung.wgsl import Call, Dispatch, ceil_div, spread

_THREADS = 64


def _floats(*specs: Any) -> bool:
    return all(spec is None or spec.type is F32 for spec in specs)


@linear_backward_x.kernel(
    "webgpu",
    1,
    why="one thread an output",
    when=lambda dy_TN, w_NK, r_TK: _floats(dy_TN, w_NK, r_TK),
    parts="w_NK",
)
def backward_x(call: Call) -> Dispatch:
    """Each thread goes through a row of dy and a column of weights."""
    return Dispatch(
        "backward_x.wgsl",
        lambda tokens: spread(ceil_div(call.size("K") * tokens, _THREADS)),
        {"THREADS": _THREADS, "LATER_PART": call.first_row > 0},
    )


@linear_backward_w.kernel(
    "webgpu",
    1,
    why="one thread an output",
    when=lambda dw_NK, dy_TN, x_TK: _floats(dw_NK, dy_TN, x_TK),
    parts="dw_NK",
)
def backward_w(call: Call) -> Dispatch:
    """Each thread goes through a column of dy and one of x."""
    return Dispatch(
        "backward_w.wgsl",
        lambda tokens: spread(ceil_div(call.size("N") * call.size("K"), _THREADS)),
        {"THREADS": _THREADS},
    )


@column_sums.kernel(
    "webgpu", 1, why="one thread a column", when=lambda sums_N, x_TN: _floats(sums_N, x_TN)
)
def sums(call: Call) -> Dispatch:
    """Neighboring threads read what lies together."""
    return Dispatch(
        "column_sums.wgsl",
        lambda tokens: spread(ceil_div(call.size("N"), _THREADS)),
        {"THREADS": _THREADS},
    )
