"""Gradients of products. 1 has one thread an output; each sum has one owner and one order."""

from __future__ import annotations

from typing import Any

from rung.ops.linear.gradient import column_sums, linear_backward_w, linear_backward_x
from rung.registry import MANY
from rung.storage import F32
from rung.wgsl import Call, Dispatch, ceil_div, spread

_THREADS = 64
_RUN = 64
"""The fewest tokens that are worth a run of their own."""
_GROUPS = 256
"""Workgroups that keep a large GPU busy: two for each of an H200's 132 processors."""


def _floats(*specs: Any) -> bool:
    return all(spec is None or spec.type is F32 for spec in specs)


def floats_x(dy_TN: Any, w_NK: Any, r_TK: Any) -> bool:
    """Whether dx is computed of float32 values."""
    return _floats(dy_TN, w_NK, r_TK)


def floats_w(dw_NK: Any, dy_TN: Any, x_TK: Any) -> bool:
    """Whether dw is."""
    return _floats(dw_NK, dy_TN, x_TK)


@linear_backward_x.kernel(
    "webgpu",
    1,
    why="one thread an output",
    when=floats_x,
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
    when=floats_w,
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


@column_sums.kernel(
    "webgpu",
    2,
    why="teams of threads, runs of rows, then the runs",
    when=lambda sums_N, x_TN: _floats(sums_N, x_TN),
    tokens=(_RUN, MANY),
)
def sums_of_runs(call: Call) -> list[Dispatch]:
    """As many runs as keep a large GPU busy."""
    columns, teams = 32, 8
    across = ceil_div(call.size("N"), columns)
    runs = max(1, min(_GROUPS // across, call.tokens // _RUN))
    known = {"COLUMNS": columns, "TEAMS": teams, "EACH": ceil_div(call.tokens, runs)}
    if runs == 1:
        return [Dispatch("column_teams.wgsl", lambda tokens: (across, 1, 1), known)]
    scratch = {"runs": lambda tokens: runs * call.size("N") * 4}
    return [
        Dispatch(
            "column_teams.wgsl",
            lambda tokens: (across, runs, 1),
            known | {"TO_RUNS": True},
            scratch,
        ),
        Dispatch(
            "column_teams.wgsl",
            lambda tokens: (across, 1, 1),
            known | {"EACH": runs, "FROM_RUNS": True},
            scratch,
        ),
    ]
