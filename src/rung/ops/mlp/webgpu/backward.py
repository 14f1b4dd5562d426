"""SwiGLU of two halves of a row, and gradients of activations, on a GPU."""

# T tokens, F hidden width, E = 2F

from __future__ import annotations

from typing import Any

from rung.ops.mlp.gradient import gelu_backward, swiglu_pair, swiglu_pair_backward
from rung.registry import Op
from rung.storage import F32
from rung.wgsl import Call, Dispatch, ceil_div, spread

_THREADS = 64
_WIDE = 256


def _register(op: Op) -> None:
    """The kernels of an op: plain, and by vectors of four of the F values of a token."""

    def dispatch(call: Call, shader: str, threads: int, values: int) -> Dispatch:
        width = call.size("F")
        return Dispatch(
            shader,
            lambda tokens: spread(ceil_div(tokens * width, values * threads)),
            {"THREADS": threads, "HIDDEN": width, op.name.upper(): True},
        )

    def plain(call: Call) -> Dispatch:
        return dispatch(call, "backward.wgsl", _THREADS, 1)

    def vectors(call: Call) -> Dispatch:
        return dispatch(call, "backward_vectors.wgsl", _WIDE, 4)

    op.kernel("webgpu", 1, why="one thread a value")(plain)
    when = _pair_in_fours if "x_TE" in op.inputs else _in_fours
    op.kernel("webgpu", 2, why="one thread four values", when=when)(vectors)


def _in_fours(x_TF: Any) -> bool:
    return x_TF.type is F32 and x_TF.shape[-1] % 4 == 0


def _pair_in_fours(x_TE: Any) -> bool:
    return x_TE.type is F32 and x_TE.shape[-1] % 8 == 0


for _op in (gelu_backward, swiglu_pair, swiglu_pair_backward):
    _register(_op)
