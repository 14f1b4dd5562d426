"""Products of one token with subgroups: lanes that run together share rows of weights."""

from __future__ import annotations

from rung.ops.linear.webgpu.forms import kernels
from rung.wgsl import Call, Dispatch, ceil_div, spread
from rung.wgsl.types import unit_constants

_LANES = 64
"""Taken for the lanes of a subgroup where their number is not known: at most too many groups."""


@kernels(4, why="several rows a subgroup", features=("subgroups",), tokens=(1, 1))
def rows(call: Call) -> Dispatch:
    """Each lane keeps a unit of activations in registers and meets it with several rows."""
    threads, rows_each = 64, 4
    subgroups = max(1, threads // (call.features.subgroup_size or _LANES))
    groups = ceil_div(call.size("N"), subgroups * rows_each)
    return Dispatch(
        "subgroups.wgsl",
        lambda tokens: spread(groups),
        {
            "THREADS": threads,
            "ROWS_EACH": rows_each,
            **unit_constants("w_NK", call.spec("w_NK").type),
        },
    )
