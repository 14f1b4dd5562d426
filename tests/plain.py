"""A decoder in plain float64 NumPy, written from the formulas and from nothing else of Rung.

T tokens of one sequence, D width, H query heads, G key/value heads.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rung.models.config import Config

Array = NDArray[np.float64]


def logits(config: Config, weights: Mapping[str, Any], ids: list[int]) -> Array:
    """Logits [T, V] of a whole sequence, every token seeing those before it."""
    w = {name: tensor.float64() for name, tensor in weights.items()}
    x = w["token_embd.weight"][ids]
    if config.rope is None:
        x = x + w["position_embd.weight"][: len(ids)]
    for layer in range(config.n_layers):
        block = f"blk.{layer}"
        x = x + _attention(config, w, block, _norm(config, w, f"{block}.attn_norm", x))
        x = x + _mlp(config, w, block, _norm(config, w, f"{block}.ffn_norm", x))
    x = _norm(config, w, "output_norm", x)
    head = "token_embd.weight" if config.tied_output else "output.weight"
    return x @ w[head].T


def _norm(config: Config, w: Mapping[str, Array], name: str, x: Array) -> Array:
    if config.norm == "layer":
        x = x - x.mean(-1, keepdims=True)
    y = x / np.sqrt((x**2).mean(-1, keepdims=True) + config.norm_eps) * w[f"{name}.weight"]
    return y + w[f"{name}.bias"] if config.norm == "layer" else y


def _linear(w: Mapping[str, Array], name: str, x: Array) -> Array:
    return x @ w[f"{name}.weight"].T + w.get(f"{name}.bias", 0.0)


def _rotate(config: Config, x_THD: Array) -> Array:
    if config.rope is None:
        return x_THD
    T, _, D = x_THD.shape
    angles = np.arange(T)[:, None] * config.rope.base ** (-np.arange(0, D, 2) / D)
    turn = np.exp(1j * angles)[:, None, :]
    if config.rope.layout == "interleaved":
        pairs = (x_THD[..., 0::2] + 1j * x_THD[..., 1::2]) * turn
        return np.stack([pairs.real, pairs.imag], -1).reshape(x_THD.shape)
    pairs = (x_THD[..., : D // 2] + 1j * x_THD[..., D // 2 :]) * turn
    return np.concatenate([pairs.real, pairs.imag], -1)


def _attention(config: Config, w: Mapping[str, Array], block: str, x: Array) -> Array:
    T, H, G, D = len(x), config.n_heads, config.n_kv_heads, config.head_dim
    q = _rotate(config, _linear(w, f"{block}.attn_q", x).reshape(T, H, D))
    k = _rotate(config, _linear(w, f"{block}.attn_k", x).reshape(T, G, D)).repeat(H // G, 1)
    v = _linear(w, f"{block}.attn_v", x).reshape(T, G, D).repeat(H // G, 1)
    scores = np.einsum("thd,shd->hts", q, k) / math.sqrt(D)
    scores[:, np.triu(np.ones((T, T), bool), 1)] = -np.inf
    p = np.exp(scores - scores.max(-1, keepdims=True))
    y = np.einsum("hts,shd->thd", p / p.sum(-1, keepdims=True), v)
    return _linear(w, f"{block}.attn_output", y.reshape(T, H * D))


def _mlp(config: Config, w: Mapping[str, Array], block: str, x: Array) -> Array:
    up = _linear(w, f"{block}.ffn_up", x)
    if config.mlp == "swiglu":
        gate = _linear(w, f"{block}.ffn_gate", x)
        hidden = gate / (1 + np.exp(-gate)) * up
    else:
        hidden = up / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (up + 0.044715 * up**3)))
    return _linear(w, f"{block}.ffn_down", hidden)
