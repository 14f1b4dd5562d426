"""Attention as training has it: whole sequences, queries, keys and values in one packed tensor.

A packed tensor holds, for each token, H heads of queries, then G of keys, then G of values. No
T × T matrix is ever kept: the forward pass leaves each row's log-sum-exp, from which the backward
pass has the weights again. (Dao et al., FlashAttention, 2022.)
"""

# B sequences, T tokens of each, H query heads, G key/value heads, D head width
# M = H + 2G heads in a packed tensor; F = 2E cosines and sines

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rung.ops.attention.op import rope
from rung.registry import op

if TYPE_CHECKING:
    from rung.graph.grad import Backward
    from rung.graph.ir import Node, Tensor


def _groups(dims: dict[str, Any]) -> dict[str, Any]:
    return {"G": (dims["M"] - dims["H"]) // 2}


def _unpacked(qkv_BTMD: Any, H: int) -> tuple[Any, Any, Any]:
    """q [B, H, T, D], and k and v of each query head, [B, H, T, D]."""
    G = (qkv_BTMD.shape[2] - H) // 2
    heads = np.moveaxis(qkv_BTMD, 2, 1)
    k, v = (np.repeat(part, H // G, axis=1) for part in (heads[:, H : H + G], heads[:, H + G :]))
    return heads[:, :H], k, v


def _weights(q_BHTD: Any, k_BHTD: Any, scale: float) -> tuple[Any, Any]:
    """softmax(scale · q · kᵀ) over keys up to each query, and the log-sum-exp of each row."""
    T = q_BHTD.shape[2]
    scores = scale * q_BHTD @ np.swapaxes(k_BHTD, -1, -2)
    scores = np.where(np.tri(T, dtype=bool), scores, -np.inf)
    lse_BHT = np.logaddexp.reduce(scores, axis=-1) if T else np.zeros(scores.shape[:3])
    return np.exp(scores - lse_BHT[..., None]), lse_BHT


_CASES = [
    {"B": B, "T": T, "M": H + 2 * G, "H": H, "D": D, "scale": scale}
    for B, T, H, G, D, scale in (
        (1, 1, 1, 1, 8, 0.3),
        (2, 5, 2, 2, 20, 0.25),
        (1, 33, 6, 2, 16, 0.2),
        (3, 70, 2, 1, 64, 0.125),
        (1, 130, 1, 1, 37, 0.1),
        (1, 40, 4, 2, 128, 0.1),
        (1, 0, 2, 1, 8, 1.0),
    )
]


def _make(
    rng: np.random.Generator, *, B: int, T: int, M: int, H: int, D: int, **_: Any
) -> dict[str, Any]:
    return {
        "qkv_BTMD": rng.standard_normal((B, T, M, D)).astype(np.float32),
        "lse_BHT": np.full((B, H, T), np.nan, np.float32),
    }


@op(
    out="y_BTHD",
    writes=("lse_BHT",),
    derived=_groups,
    make=_make,
    flops=lambda B, T, H, D: 2 * B * H * T * (T + 1) * D,
    cases=_CASES,
)
def causal_attention(qkv_BTMD: Any, lse_BHT: Any, *, scale: float) -> Any:
    """y = softmax(scale · q · kᵀ) · v over tokens 0 … t; lse = log Σ exp(scale · q · kᵀ)"""
    q, k, v = _unpacked(qkv_BTMD, lse_BHT.shape[1])
    weights, lse = _weights(q, k, scale)
    return np.moveaxis(weights @ v, 1, 2), lse


def _make_backward(rng: np.random.Generator, *, scale: float, **case: Any) -> dict[str, Any]:
    made = _make(rng, **case)
    wide = {name: values.astype(np.float64) for name, values in made.items()}
    y, lse = causal_attention.reference(**wide, scale=scale)
    return {
        "dy_BTHD": rng.standard_normal(y.shape).astype(np.float32),
        "qkv_BTMD": made["qkv_BTMD"],
        "y_BTHD": np.ascontiguousarray(y, np.float32),
        "lse_BHT": lse.astype(np.float32),
    }


@op(
    out="d_BTMD",
    derived=_groups,
    make=_make_backward,
    flops=lambda B, T, H, D: 5 * B * H * T * (T + 1) * D,
    cases=_CASES,
)
def causal_attention_backward(
    dy_BTHD: Any, qkv_BTMD: Any, y_BTHD: Any, lse_BHT: Any, *, scale: float
) -> Any:
    """dv = pᵀ · dy; ds = p · (dy · vᵀ − Σ_D dy · y); dq = scale · ds · k; dk = scale · dsᵀ · q"""
    B, T, M, D = qkv_BTMD.shape
    H = lse_BHT.shape[1]
    q, k, v = _unpacked(qkv_BTMD, H)
    dy, y = np.moveaxis(dy_BTHD, 2, 1), np.moveaxis(y_BTHD, 2, 1)
    scores = scale * q @ np.swapaxes(k, -1, -2) - lse_BHT[..., None]
    p = np.where(np.tri(T, dtype=bool), np.exp(scores), 0)
    ds = scale * p * (dy @ np.swapaxes(v, -1, -2) - np.sum(dy * y, axis=-1, keepdims=True))
    G = (M - H) // 2
    dk, dv = (
        (np.swapaxes(a, -1, -2) @ b).reshape(B, G, H // G, T, D).sum(axis=2)
        for a, b in ((ds, q), (p, dy))
    )
    return np.moveaxis(np.concatenate([ds @ k, dk, dv], axis=1), 1, 2)


@causal_attention.gradient
def causal_attention_gradient(backward: Backward, node: Node, dy_BTHD: Tensor) -> None:
    """Of queries, keys and values at once."""
    qkv_BTMD, lse_BHT = node.tensors
    scale = node.attributes["scale"]
    backward.give_plain(
        qkv_BTMD,
        lambda name: backward.add(
            causal_attention_backward,
            *(dy_BTHD, qkv_BTMD, node.output, lse_BHT),
            name=name,
            scale=scale,
        ),
    )


def _make_rope(
    rng: np.random.Generator, *, T: int, M: int, D: int, F: int, **_: Any
) -> dict[str, Any]:
    angles = rng.uniform(-9, 9, (T, F // 2))
    return {
        "x_TMD": rng.standard_normal((T, M, D)).astype(np.float32),
        "angles_TF": np.concatenate([np.cos(angles), np.sin(angles)], -1).astype(np.float32),
    }


@op(
    out="y_TMD",
    make=_make_rope,
    flops=lambda T, M, F: 3 * T * M * F,
    cases=[
        {"T": T, "M": M, "D": D, "F": F, "layout": layout, "heads": heads, "inverse": inverse}
        for T, M, D, F, heads in (
            (1, 3, 8, 8, 2),
            (5, 4, 48, 48, 3),
            (3, 3, 6, 4, 2),
            (0, 3, 4, 4, 2),
        )
        for layout in ("interleaved", "half")
        for inverse in (False, True)
    ],
)
def rope_heads(x_TMD: Any, angles_TF: Any, *, layout: str, heads: int, inverse: bool) -> Any:
    """y = rope(x) for the first `heads` heads, x for the others; turned back where `inverse`"""
    E = angles_TF.shape[-1] // 2
    signs = np.concatenate([np.ones(E), np.full(E, -1.0 if inverse else 1.0)])
    turned = rope.reference(x_TMD[:, :heads], angles_TF * signs, layout=layout)
    return np.concatenate([turned, x_TMD[:, heads:]], axis=1)


@rope_heads.gradient
def rope_heads_gradient(backward: Backward, node: Node, dy_TMD: Tensor) -> None:
    """A rotation's transpose is the rotation back."""
    x_TMD, angles_TF = node.tensors
    turned = node.attributes | {"inverse": not node.attributes["inverse"]}
    backward.give_plain(
        x_TMD, lambda name: backward.add(rope_heads, dy_TMD, angles_TF, name=name, **turned)
    )
