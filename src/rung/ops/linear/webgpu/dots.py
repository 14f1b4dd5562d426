"""Products of one token in whole numbers: dot products of bytes."""

from __future__ import annotations

from rung.ops.linear.webgpu.forms import kernels, unit_names
from rung.wgsl import Call, Dispatch, ceil_div, spread
from rung.wgsl.slices import slices
from rung.wgsl.types import IN_BYTES


@kernels(
    7,
    why="activations in digits, four products of bytes at once",
    forms=IN_BYTES,
    features=("subgroups", "dots"),
    tokens=(1, 1),
)
def dots(call: Call) -> Dispatch:
    """Each activation becomes three digits of a byte, once for the rows of a workgroup."""
    kind, rows = call.spec("w_NK").type, call.size("N")
    cut = slices(kind, call.size("K"), rows, call.features)
    return Dispatch(
        "dots.wgsl",
        lambda tokens: spread(ceil_div(rows, cut.each)),
        {**cut.constants(), **unit_names(call)},
    )
