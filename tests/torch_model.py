"""The decoder in PyTorch, from a Config and weights by name: what gradients are compared with."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from rung.models.config import Config
from rung.models.rope import rope_frequencies

Weights = Mapping[str, torch.Tensor]


def parameters(weights: Mapping[str, NDArray[np.float32]]) -> dict[str, torch.Tensor]:
    """Weights as leaves that collect gradients."""
    return {name: torch.tensor(values, requires_grad=True) for name, values in weights.items()}


def _norm(config: Config, weights: Weights, name: str, x: torch.Tensor) -> torch.Tensor:
    w = weights[f"{name}.weight"]
    if config.norm == "layer":
        b = weights[f"{name}.bias"]
        return functional.layer_norm(x, (config.dim,), w, b, config.norm_eps)
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + config.norm_eps) * w


def _linear(weights: Weights, name: str, x: torch.Tensor) -> torch.Tensor:
    return functional.linear(x, weights[f"{name}.weight"], weights.get(f"{name}.bias"))


def _turn(config: Config, x_BHTD: torch.Tensor) -> torch.Tensor:
    rope = config.rope
    if rope is None:
        return x_BHTD
    frequencies = torch.tensor(rope_frequencies(rope, config.context_length))
    angles = torch.arange(x_BHTD.shape[2])[:, None] * frequencies
    cos, sin = angles.cos().float(), angles.sin().float()
    E = rope.dims // 2
    if rope.layout == "half":
        first, second = x_BHTD[..., :E], x_BHTD[..., E : 2 * E]
    else:
        first, second = x_BHTD[..., 0 : 2 * E : 2], x_BHTD[..., 1 : 2 * E : 2]
    turned = first * cos - second * sin, first * sin + second * cos
    half = rope.layout == "half"
    whole = torch.cat(turned, -1) if half else torch.stack(turned, -1).flatten(-2)
    return torch.cat([whole, x_BHTD[..., 2 * E :]], -1)


def _attention(config: Config, weights: Weights, block: str, x: torch.Tensor) -> torch.Tensor:
    B, T, _ = x.shape

    def heads(name: str) -> torch.Tensor:
        flat = _linear(weights, f"{block}.attn_{name}", x)
        return flat.view(B, T, -1, config.head_dim).transpose(1, 2)

    q, k, v = _turn(config, heads("q")), _turn(config, heads("k")), heads("v")
    y = functional.scaled_dot_product_attention(
        q, k, v, is_causal=True, enable_gqa=True, scale=config.attention_scale or None
    )
    return _linear(weights, f"{block}.attn_output", y.transpose(1, 2).reshape(B, T, -1))


def _feed_forward(config: Config, weights: Weights, block: str, x: torch.Tensor) -> torch.Tensor:
    up = _linear(weights, f"{block}.ffn_up", x)
    if config.mlp == "gelu":
        hidden = functional.gelu(up, approximate="tanh")
    else:
        hidden = functional.silu(_linear(weights, f"{block}.ffn_gate", x)) * up
    return _linear(weights, f"{block}.ffn_down", hidden)


def mean_loss(
    config: Config, weights: Weights, tokens_BT: torch.Tensor, targets_BT: torch.Tensor
) -> torch.Tensor:
    """The mean cross-entropy over targets; those of -1 do not count."""
    x = functional.embedding(tokens_BT, weights["token_embd.weight"]) * config.embedding_scale
    if config.rope is None:
        x = x + weights["position_embd.weight"][: tokens_BT.shape[1]]
    for layer in range(config.n_layers):
        block = f"blk.{layer}"
        attended = _attention(
            config, weights, block, _norm(config, weights, f"{block}.attn_norm", x)
        )
        if config.post_norms:
            attended = _norm(config, weights, f"{block}.post_attention_norm", attended)
        x = x + attended
        fed = _feed_forward(config, weights, block, _norm(config, weights, f"{block}.ffn_norm", x))
        if config.post_norms:
            fed = _norm(config, weights, f"{block}.post_ffw_norm", fed)
        x = x + fed
    x = _norm(config, weights, "output_norm", x)
    head = weights["token_embd.weight" if config.tied_output else "output.weight"]
    logits = functional.linear(x, head)
    return functional.cross_entropy(
        logits.flatten(0, 1), targets_BT.flatten().long(), ignore_index=-1
    )
