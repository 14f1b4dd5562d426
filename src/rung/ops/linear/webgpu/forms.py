"""Registers a kernel once for each storage type of weights that units.wgsl reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rung.ops.linear.op import linear
from rung.storage import F32
from rung.wgsl import Call, Constant, Dispatch
from rung.wgsl.types import DECODED, form_of, in_units, unit_constants

Function = Callable[[Call], Dispatch]

FORMS = (*DECODED, "i8_g")
"""The ladders of linear, one a storage type of weights; i8_g for all i8_gN."""


def kernels(version: int, *, why: str, **options: Any) -> Callable[[Function], Function]:
    """A rung of every ladder of linear: for float32 activations and rows of whole units."""

    def register(function: Function) -> Function:
        for form in FORMS:
            _register(form, version, why, options, function)
        return function

    return register


def unit_names(call: Call) -> dict[str, Constant]:
    """What units.wgsl must know of the weights."""
    return unit_constants("w_NK", call.spec("w_NK").type)


def _register(
    form: str, version: int, why: str, options: dict[str, Any], function: Function
) -> None:
    def accepts(x_TK: Any, w_NK: Any) -> bool:
        return (
            x_TK.type is F32 and form_of(w_NK.type) == form and in_units(w_NK.type, w_NK.shape[-1])
        )

    linear.kernel("webgpu", version, form=form, why=why, when=accepts, parts="w_NK", **options)(
        function
    )
