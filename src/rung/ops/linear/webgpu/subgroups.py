"""Products of few tokens with subgroups: lanes that run together share rows of weights."""

from __future__ import annotations

from rung.ops.linear.webgpu.forms import kernels, unit_names
from rung.wgsl import Call, Dispatch, ceil_div, spread
from rung.wgsl.types import form_of

FEW = 16
"""Tokens up to which weights that are read once are faster than tiles (H200)."""


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

    Rows share what activations cost; fewer workgroups leave processors idle. H200, 4096 int8 values
    a row: 4,096 rows take 8.7 µs in twos and over 9 in fours; 768 of 768 values 3.1 one by one, 3.2
    in twos. Of q4_0, 11,008 rows take 16.9 µs in fours and over 18 in twos.
    """
    count = call.size("N")
    four_bits = form_of(call.spec("w_NK").type) in ("q4_0", "q4_k")
    return _dispatch(call, 1 if count < 1536 else 4 if four_bits and count >= 4096 else 2, 1)


@kernels(
    6,
    why="several tokens meet weights that are read once",
    features=("subgroups",),
    tokens=(2, FEW),
    workgroup=64,
)
def several(call: Call) -> Dispatch:
    """As `rows`, where each lane decodes its units of four rows once for up to 8 tokens."""
    passes = ceil_div(call.tokens, 8)
    return _dispatch(call, 4, ceil_div(ceil_div(call.tokens, passes), 2) * 2)
