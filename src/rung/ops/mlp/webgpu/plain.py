"""Elementwise ops on a GPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rung.ops.mlp.op import add, geglu, gelu, scale, softcap, swiglu
from rung.registry import Op
from rung.storage import F32
from rung.wgsl import Call, Dispatch, ceil_div, spread

_THREADS = 64
_WIDE = 256


def _register(op: Op, letter: str) -> None:
    """The plain kernel of an op: one thread a value."""

    def values(call: Call) -> Dispatch:
        return Dispatch(
            "elementwise.wgsl",
            lambda tokens: spread(ceil_div(tokens * call.size(letter), _THREADS)),
            {"THREADS": _THREADS, "WIDTH": call.size(letter), op.name.upper(): True},
        )

    op.kernel("webgpu", 1, why="one thread a value")(values)


def _in_fours(*specs: Any) -> bool:
    return all(spec.type is F32 and spec.shape[-1] % 4 == 0 for spec in specs)


def _register_vectors(op: Op, letter: str, when: Callable[..., bool]) -> None:
    """The kernel of an op that takes four values at a time."""

    def values(call: Call) -> Dispatch:
        width = call.size(letter)
        return Dispatch(
            "vectors.wgsl",
            lambda tokens: spread(ceil_div(tokens * width, 4 * _WIDE)),
            {"THREADS": _WIDE, "WIDTH": width, op.name.upper(): True},
        )

    op.kernel("webgpu", 2, why="one thread four values", when=when)(values)


for _op, _letter in (
    (swiglu, "F"),
    (geglu, "F"),
    (gelu, "F"),
    (add, "D"),
    (scale, "D"),
    (softcap, "D"),
):
    _register(_op, _letter)
for _op in (swiglu, geglu):
    _register_vectors(_op, "F", lambda gate_TF, up_TF: _in_fours(gate_TF, up_TF))
_register_vectors(gelu, "F", lambda x_TF: _in_fours(x_TF))
_register_vectors(add, "D", lambda a_TD, b_TD: _in_fours(a_TD, b_TD))
