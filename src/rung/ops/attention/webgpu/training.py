"""Attention of whole sequences on a GPU. 1 has one workgroup a head of a token.

Backward, what queries get and what keys and values get are two dispatches, each the owner of what
it writes: no value is added to by two workgroups.
"""

from __future__ import annotations

from typing import Any

from rung.ops.attention.training import causal_attention, causal_attention_backward, rope_heads
from rung.storage import F32
from rung.wgsl import Call, Constant, Dispatch, ceil_div, spread

_THREADS = 64


def floats(*specs: Any) -> bool:
    """Whether all are float32."""
    return all(spec.type is F32 for spec in specs)


def _constants(call: Call) -> dict[str, Constant]:
    """The threads of a workgroup, and the scale, which may be a whole number, as a float."""
    return {"THREADS": _THREADS, "scale": float(call.attributes["scale"])}


def _heads(call: Call, heads: str) -> Any:
    """One workgroup a head of a token."""
    count = call.size("B") * call.size(heads)
    return lambda tokens: spread(count * tokens)


@rope_heads.kernel(
    "webgpu",
    1,
    why="one thread a value",
    when=lambda x_TMD, angles_TF: floats(x_TMD, angles_TF),
)
def rotate_heads(call: Call) -> Dispatch:
    """Each value from its pair."""
    each = call.size("M") * call.size("D")
    return Dispatch(
        "rope_heads.wgsl",
        lambda tokens: spread(ceil_div(tokens * each, _THREADS)),
        {"THREADS": _THREADS, "HALF": call.attributes["layout"] == "half"},
    )


@causal_attention.kernel(
    "webgpu",
    1,
    why="one workgroup a head of a token",
    when=lambda qkv_BTMD, lse_BHT: floats(qkv_BTMD, lse_BHT),
)
def causal(call: Call) -> Dispatch:
    """Scores of 64 keys at a time, with a running maximum and sum."""
    return Dispatch("causal.wgsl", _heads(call, "H"), _constants(call))


@causal_attention_backward.kernel(
    "webgpu",
    1,
    why="one workgroup a head of a token, weights again from the log-sum-exp",
    when=lambda dy_BTHD, qkv_BTMD, y_BTHD, lse_BHT: floats(dy_BTHD, qkv_BTMD, y_BTHD, lse_BHT),
)
def causal_backward(call: Call) -> list[Dispatch]:
    """Gradients of queries, then those of keys and values."""
    scratch = {"along_BHT": lambda tokens: call.size("B") * call.size("H") * tokens * 4}
    return [
        Dispatch("causal_queries.wgsl", _heads(call, "H"), _constants(call), scratch),
        Dispatch("causal_keys.wgsl", _heads(call, "G"), _constants(call), scratch),
    ]
