"""Norms on a GPU."""

from __future__ import annotations

from typing import Any

from rung.ops.norm.op import head_norm, layer_norm, rms_norm
from rung.storage import F32
from rung.wgsl import Call, Dispatch, spread

_THREADS = 64


def _floats(**specs: Any) -> bool:
    return all(spec is None or spec.type is F32 for spec in specs.values())


@rms_norm.kernel(
    "webgpu", 1, why="one workgroup a token", when=lambda x_TD, w_D: _floats(x=x_TD, w=w_D)
)
def rms(call: Call) -> Dispatch:
    """Threads of a workgroup sum the squares of one token, then scale it."""
    return Dispatch("rms_norm.wgsl", spread, {"THREADS": _THREADS, "HEADS": 1})


@rms_norm.kernel(
    "webgpu",
    2,
    why="four values at a time, more threads a token",
    when=lambda x_TD, w_D: _floats(x=x_TD, w=w_D) and x_TD.shape[-1] % 4 == 0,
)
def rms_vectors(call: Call) -> Dispatch:
    """As rms, with vectors of four."""
    return Dispatch("rms_vectors.wgsl", spread, {"THREADS": 256})


@layer_norm.kernel(
    "webgpu",
    1,
    why="one workgroup a token",
    when=lambda x_TD, w_D, b_D: _floats(x=x_TD, w=w_D, b=b_D),
)
def layer(call: Call) -> Dispatch:
    """Threads of a workgroup sum one token, then its squared differences from the mean."""
    return Dispatch("layer_norm.wgsl", spread, {"THREADS": _THREADS})


@head_norm.kernel(
    "webgpu", 1, why="one workgroup a head", when=lambda x_THD, w_D: _floats(x=x_THD, w=w_D)
)
def head(call: Call) -> Dispatch:
    """As rms_norm, for each head of a token."""
    heads = call.size("H")
    return Dispatch(
        "rms_norm.wgsl",
        lambda tokens: spread(tokens * heads),
        {"THREADS": _THREADS, "HEADS": heads},
    )
