"""Linear as anyone would write it first: one thread an output, any storage type of weights."""

from __future__ import annotations

from typing import Any

from rung.ops.linear.op import linear
from rung.storage import F32
from rung.wgsl import Call, Dispatch, spread
from rung.wgsl.types import DECODED, type_constants

_THREADS = 64


def naive(call: Call) -> Dispatch:
    """Each thread goes through one row of weights and one of activations, value by value."""
    kind = call.spec("w_NK").type
    return Dispatch(
        "naive.wgsl",
        lambda tokens: spread(-(-call.size("N") * tokens // _THREADS)),
        {"THREADS": _THREADS, **type_constants(kind)},
    )


def _register(form: str) -> None:
    def accepts(x_TK: Any, w_NK: Any) -> bool:
        name = w_NK.type.name
        same = name.startswith(form) if form == "i8_g" else name == form
        return x_TK.type is F32 and same

    linear.kernel("webgpu", 1, form=form, why="one thread an output", when=accepts, parts="w_NK")(
        naive
    )


for _form in (*DECODED, "i8_g"):
    _register(_form)
