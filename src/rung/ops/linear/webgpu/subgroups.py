"""Products of few tokens with subgroups: lanes that run together share rows of weights."""

from __future__ import annotations

from rung.ops.linear.webgpu.forms import kernels, unit_names
from rung.wgsl import Call, Dispatch, ceil_div, spread

FEW = 11
"""Tokens up to which weights that are read once count for more than tiles."""


def _dispatch(call: Call, rows: int, tokens_each: int) -> Dispatch:
    groups = ceil_div(call.size("N"), rows)
    return Dispatch(
        "subgroups.wgsl",
        lambda tokens: spread(groups, z=ceil_div(tokens, tokens_each)),
        {
            "THREADS": call.workgroup,
            "EACH": rows,
            "TOKENS": tokens_each,
            "SEVERAL": tokens_each > 1,
            **unit_names(call),
        },
    )


@kernels(
    4,
    why="several rows a workgroup, sums by subgroups",
    features=("subgroups",),
    tokens=(1, 1),
    workgroup=128,
)
def rows(call: Call) -> Dispatch:
    """Each lane keeps a unit of activations in registers and meets it with several rows.

    Few rows leave processors idle unless each workgroup has fewer of them.
    """
    return _dispatch(call, 4 if call.size("N") >= 4096 else 2 if call.size("N") >= 1536 else 1, 1)


@kernels(
    6,
    why="several tokens meet weights that are read once",
    features=("subgroups",),
    tokens=(2, FEW),
    workgroup=128,
)
def several(call: Call) -> Dispatch:
    """As `rows`, where each lane decodes its unit of weights once for up to 8 tokens."""
    each = next(count for count in (2, 4, 6, 8) if call.tokens <= count or count == 8)
    return _dispatch(call, 2, 6 if call.tokens > 8 else each)
