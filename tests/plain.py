"""A decoder in plain float64 NumPy, written from the formulas and from nothing else of Rung.

T tokens of one sequence, D width, H query heads, G key/value heads, E pairs that turn.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rung.models.config import Config, Rope

Array = NDArray[np.float64]


def logits(
    config: Config, weights: Mapping[str, Any], ids: list[int], *, context: int | None = None
) -> Array:
    """Logits [T, V] of a whole sequence, every token seeing those before it.

    context: the length that the model is planned for; None is its own.
    """
    w = {name: tensor.float64() for name, tensor in weights.items()}
    context = config.context_length if context is None else context
    x = w["token_embd.weight"][ids] * config.embedding_scale
    if config.rope is None:
        x = x + w["position_embd.weight"][: len(ids)]
    for layer in range(config.n_layers):
        block = f"blk.{layer}"
        y = _attention(config, w, layer, _norm(config, w, f"{block}.attn_norm", x), context)
        if config.post_norms:
            y = _norm(config, w, f"{block}.post_attention_norm", y)
        x = x + y
        y = _mlp(config, w, block, _norm(config, w, f"{block}.ffn_norm", x))
        if config.post_norms:
            y = _norm(config, w, f"{block}.post_ffw_norm", y)
        x = x + y
    x = _norm(config, w, "output_norm", x)
    head = "token_embd.weight" if config.tied_output else "output.weight"
    return _capped(x @ w[head].T, config.output_softcap)


def _capped(x: Array, cap: float | None) -> Array:
    return x if cap is None else cap * np.tanh(x / cap)


def _norm(config: Config, w: Mapping[str, Array], name: str, x: Array) -> Array:
    if config.norm == "layer":
        x = x - x.mean(-1, keepdims=True)
    y = x / np.sqrt((x**2).mean(-1, keepdims=True) + config.norm_eps) * w[f"{name}.weight"]
    return y + w[f"{name}.bias"] if config.norm == "layer" else y


def _linear(w: Mapping[str, Array], name: str, x: Array) -> Array:
    return x @ w[f"{name}.weight"].T + w.get(f"{name}.bias", 0.0)


def wavelengths(rope: Rope, context: int) -> Array:
    """Positions in which each pair makes a whole turn [E], pair by pair."""
    E = rope.dims // 2
    long = context > rope.original_context and rope.long_factors is not None
    factors = (rope.long_factors if long else rope.factors) or (1.0,) * E
    lengths = [2 * math.pi * rope.base ** (e / E) * factors[e] for e in range(E)]
    return np.array([_stretched(rope, e, length) for e, length in enumerate(lengths)])


def _stretched(rope: Rope, pair: int, length: float) -> float:
    """A wavelength under the named scaling."""
    if rope.scaling == "none":
        return length
    slow = length * rope.factor
    if rope.scaling == "linear":
        return slow
    if rope.scaling == "llama3":
        longest = rope.original_context / rope.low_freq_factor
        shortest = rope.original_context / rope.high_freq_factor
        if length < shortest:
            return length
        if length > longest:
            return slow
        # Linear in the number of turns, original / length.
        span = rope.high_freq_factor - rope.low_freq_factor
        share = (rope.original_context / length - rope.low_freq_factor) / span
    else:
        ends = [
            rope.dims / 2 * math.log(rope.original_context / (2 * math.pi * beta), rope.base)
            for beta in (rope.beta_fast, rope.beta_slow)
        ]
        first, last = max(math.floor(ends[0]), 0), min(math.ceil(ends[1]), rope.dims - 1)
        if first == last:
            share = 1.0 if pair <= first else 0.0
        else:
            share = 1 - min(max((pair - first) / (last - first), 0.0), 1.0)
    return 1 / (share / length + (1 - share) / slow)


def _rotate(rope: Rope | None, x_THD: Array, context: int) -> Array:
    if rope is None:
        return x_THD
    T, E = len(x_THD), rope.dims // 2
    turned, kept = x_THD[..., : rope.dims], x_THD[..., rope.dims :]
    angles = 2 * math.pi * np.arange(T)[:, None] / wavelengths(rope, context)
    turn = rope.attention_factor * np.exp(1j * angles)[:, None, :]
    if rope.layout == "interleaved":
        pairs = (turned[..., 0::2] + 1j * turned[..., 1::2]) * turn
        result = np.stack([pairs.real, pairs.imag], -1).reshape(turned.shape)
    else:
        pairs = (turned[..., :E] + 1j * turned[..., E:]) * turn
        result = np.concatenate([pairs.real, pairs.imag], -1)
    return np.concatenate([result, kept], -1)


def _attention(config: Config, w: Mapping[str, Array], layer: int, x: Array, context: int) -> Array:
    T, H, G, D = len(x), config.n_heads, config.n_kv_heads, config.head_dim
    block = f"blk.{layer}"
    slides = config.sliding_window is not None
    if config.sliding_layers:
        slides = slides and config.sliding_layers[layer]
    rope = config.local_rope if slides and config.local_rope is not None else config.rope
    q = _linear(w, f"{block}.attn_q", x).reshape(T, H, D)
    k = _linear(w, f"{block}.attn_k", x).reshape(T, G, D)
    if config.qk_norm:
        q = _norm(config, w, f"{block}.attn_q_norm", q)
        k = _norm(config, w, f"{block}.attn_k_norm", k)
    q = _rotate(rope, q, context)
    k = _rotate(rope, k, context).repeat(H // G, 1)
    v = _linear(w, f"{block}.attn_v", x).reshape(T, G, D).repeat(H // G, 1)
    scale = 1 / math.sqrt(D) if config.attention_scale is None else config.attention_scale
    scores = _capped(np.einsum("thd,shd->hts", q, k) * scale, config.attention_softcap)
    distance = np.arange(T)[:, None] - np.arange(T)
    scores[:, distance < 0] = -np.inf
    if slides:
        scores[:, distance >= config.sliding_window] = -np.inf
    p = np.exp(scores - scores.max(-1, keepdims=True))
    y = np.einsum("hts,shd->thd", p / p.sum(-1, keepdims=True), v)
    return _linear(w, f"{block}.attn_output", y.reshape(T, H * D))


def _mlp(config: Config, w: Mapping[str, Array], block: str, x: Array) -> Array:
    up = _linear(w, f"{block}.ffn_up", x)
    if config.mlp == "gelu":
        hidden = _gelu(up)
    else:
        gate = _linear(w, f"{block}.ffn_gate", x)
        hidden = (gate / (1 + np.exp(-gate)) if config.mlp == "swiglu" else _gelu(gate)) * up
    return _linear(w, f"{block}.ffn_down", hidden)


def _gelu(x: Array) -> Array:
    return x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
