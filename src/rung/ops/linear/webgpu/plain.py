"""Linear as anyone would write it first: one thread an output, any storage type of weights."""

from __future__ import annotations

from typing import Any

from rung.ops.linear.op import linear
from rung.ops.linear.webgpu.forms import FORMS, kernels, unit_names
from rung.storage import F32
from rung.wgsl import Call, Dispatch, ceil_div, spread
from rung.wgsl.types import form_of, type_constants

_THREADS = 64


def naive(call: Call) -> Dispatch:
    """Each thread goes through one row of weights and one of activations, value by value."""
    kind = call.spec("w_NK").type
    return Dispatch(
        "naive.wgsl",
        lambda tokens: spread(ceil_div(call.size("N") * tokens, _THREADS)),
        {"THREADS": _THREADS, **type_constants(kind)},
    )


def _register(form: str) -> None:
    def accepts(x_TK: Any, w_NK: Any) -> bool:
        return x_TK.type is F32 and form_of(w_NK.type) == form

    linear.kernel("webgpu", 1, form=form, why="one thread an output", when=accepts, parts="w_NK")(
        naive
    )


for _form in FORMS:
    _register(_form)


@kernels(2, why="16 bytes of weights at once", workgroup=64)
def vector(call: Call) -> Dispatch:
    """Each thread goes through its rows a unit at a time: packed weights times vectors."""
    return Dispatch(
        "vector.wgsl",
        lambda tokens: spread(ceil_div(call.size("N") * tokens, call.workgroup)),
        {"THREADS": call.workgroup, **unit_names(call)},
    )


@kernels(3, why="one workgroup a row: neighbours read what lies together", workgroup=64)
def row(call: Call) -> Dispatch:
    """Threads of a workgroup share a row; a grid of rows and tokens."""
    return Dispatch(
        "row.wgsl",
        lambda tokens: spread(call.size("N"), z=tokens),
        {"THREADS": call.workgroup, **unit_names(call)},
    )
