"""Elementwise ops on a GPU."""

from __future__ import annotations

from rung.ops.mlp.op import add, geglu, gelu, scale, softcap, swiglu
from rung.registry import Op
from rung.wgsl import Call, Dispatch, ceil_div, spread

_THREADS = 64


def _register(op: Op, letter: str) -> None:
    """The plain kernel of an op: one thread a value."""

    def values(call: Call) -> Dispatch:
        return Dispatch(
            "elementwise.wgsl",
            lambda tokens: spread(ceil_div(tokens * call.size(letter), _THREADS)),
            {"THREADS": _THREADS, "WIDTH": call.size(letter), op.name.upper(): True},
        )

    op.kernel("webgpu", 1, why="one thread a value")(values)


for _op, _letter in (
    (swiglu, "F"),
    (geglu, "F"),
    (gelu, "F"),
    (add, "D"),
    (scale, "D"),
    (softcap, "D"),
):
    _register(_op, _letter)
