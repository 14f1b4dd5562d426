"""PyTorch's side: a plain Llama forward with a KV cache, weights in bfloat16, products by oneDNN.

T tokens, D width, H query heads, G key/value heads, C positions, E half a head's width.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from rung.bench.models.sides.base import Opened, Setup, TokenSide
from rung.errors import UsageError
from rung.models.config import Config, weight_shapes
from rung.models.rope import rope_frequencies


class TorchSide(TokenSide):
    """A Llama of random weights: with a plain rotation or a stretched one, with biases or without.

    weights: float tensors by name, for a test; None makes random ones, as it is speed that counts.
    """

    def __init__(self, setup: Setup, weights: Mapping[str, Any] | None = None) -> None:
        super().__init__(setup)
        import torch

        check_supported(setup.config)
        torch.set_num_threads(setup.threads)
        start = time.perf_counter()
        self._torch: Any = torch
        self._config = c = setup.config
        self._weights = dict(weights or _random_weights(torch, c, setup.seed))
        cache = (c.n_layers, 2, 1, c.n_kv_heads, setup.context_length, c.head_dim)
        dtype = self._weights["token_embd.weight"].dtype
        self._cache: Any = torch.zeros(cache, dtype=dtype)
        self._cosines, self._sines = self._rotation(setup.context_length, dtype)
        self._ids = torch.tensor(self._tokens)
        self._logits: Any = None
        version = torch.__version__.partition("+")[0]
        name = f"torch {version} {str(dtype).removeprefix('torch.')}"
        load_s = None if weights is None else time.perf_counter() - start
        self.opened = Opened(name=name, load_s=load_s)

    def logits(self, length: int) -> Any:
        """Logits [V] after a prompt of so many of the side's tokens."""
        self.prompt(length)
        return self._logits[0]

    @property
    def tokens(self) -> list[int]:
        """The tokens that it reads, by position."""
        return self._tokens

    def _rotation(self, context_length: int, dtype: Any) -> tuple[Any, Any]:
        """Cosines and sines [C, E]."""
        torch, rope = self._torch, self._config.rope
        assert rope is not None
        frequencies = torch.from_numpy(rope_frequencies(rope, context_length))
        angles = torch.arange(context_length)[:, None] * frequencies[None]
        factor = rope.attention_factor
        return (angles.cos() * factor).to(dtype), (angles.sin() * factor).to(dtype)

    def _read(self, start: int, stop: int) -> None:
        with self._torch.inference_mode():
            self._logits = self._forward(start, stop)

    def _forward(self, start: int, stop: int) -> Any:
        F, w, c = self._torch.nn.functional, self._weights, self._config
        x_TD = w["token_embd.weight"][self._ids[start:stop]] * c.embedding_scale
        for layer in range(c.n_layers):
            x_TD = x_TD + self._attention(layer, self._norm(x_TD, f"blk.{layer}.attn_norm"), start)
            normed = self._norm(x_TD, f"blk.{layer}.ffn_norm")
            gate = F.silu(self._linear(normed, f"blk.{layer}.ffn_gate"))
            hidden = gate * self._linear(normed, f"blk.{layer}.ffn_up")
            x_TD = x_TD + self._linear(hidden, f"blk.{layer}.ffn_down")
        last = self._norm(x_TD[-1:], "output_norm")
        return F.linear(last, w["token_embd.weight" if c.tied_output else "output.weight"])

    def _norm(self, x: Any, name: str) -> Any:
        weight = self._weights[f"{name}.weight"]
        rms_norm: Callable[..., Any] = self._torch.nn.functional.rms_norm
        return rms_norm(x, weight.shape, weight, self._config.norm_eps)

    def _linear(self, x: Any, name: str) -> Any:
        weight, bias = self._weights[f"{name}.weight"], self._weights.get(f"{name}.bias")
        return self._torch.nn.functional.linear(x, weight, bias)

    def _attention(self, layer: int, x_TD: Any, start: int) -> Any:
        T, c, block = len(x_TD), self._config, f"blk.{layer}"
        stop = start + T
        q_HTD, k_GTD, v_GTD = (
            self._linear(x_TD, f"{block}.attn_{name}").view(T, -1, c.head_dim).transpose(0, 1)
            for name in ("q", "k", "v")
        )
        if c.qk_norm:
            q_HTD = self._norm(q_HTD, f"{block}.attn_q_norm")
            k_GTD = self._norm(k_GTD, f"{block}.attn_k_norm")
        keys, values = self._cache[layer]
        keys[0, :, start:stop] = self._turned(k_GTD, start)
        values[0, :, start:stop] = v_GTD
        attend: Callable[..., Any] = self._torch.nn.functional.scaled_dot_product_attention
        y = attend(
            self._turned(q_HTD, start)[None],
            keys[:, :, :stop],
            values[:, :, :stop],
            is_causal=T > 1,  # several tokens are always a prompt, which begins at 0
            enable_gqa=c.n_heads != c.n_kv_heads,
        )
        return self._linear(y[0].transpose(0, 1).reshape(T, -1), f"{block}.attn_output")

    def _turned(self, x_HTD: Any, start: int) -> Any:
        """Heads turned by their positions, in the layout of the model."""
        torch, rope = self._torch, self._config.rope
        assert rope is not None
        stop = start + x_HTD.shape[1]
        cos, sin = self._cosines[start:stop], self._sines[start:stop]
        if rope.layout == "half":
            a, b = x_HTD.chunk(2, dim=-1)
            return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1)
        a, b = x_HTD[..., 0::2], x_HTD[..., 1::2]
        return torch.stack((a * cos - b * sin, b * cos + a * sin), dim=-1).flatten(-2)

    def _forget(self, start: int) -> None:
        """Nothing to do: positions that are read again are written over."""

    def close(self) -> None:
        self._weights.clear()
        self._cache = None


def check_supported(config: Config) -> None:
    """Raises UsageError for a model that this plain Llama is not."""
    c = config
    reasons = {
        "it has no rotation": c.rope is None,
        f"its norm is {c.norm}": c.norm != "rms",
        f"its feed-forward block is {c.mlp}": c.mlp != "swiglu",
        "a part of its heads turns": c.rope is not None and c.rope.dims != c.head_dim,
        "it has sliding windows": c.sliding_window is not None,
        "it has norms after its blocks": c.post_norms,
        "it caps scores or logits": bool(c.attention_softcap or c.output_softcap),
        "it scales attention": c.attention_scale is not None,
    }
    found = [reason for reason, holds in reasons.items() if holds]
    if found:
        raise UsageError(f"--versus torch-bf16 runs plain Llama shapes only: {', '.join(found)}")


def _random_weights(torch: Any, config: Config, seed: int) -> dict[str, Any]:
    """bfloat16 weights with deviation 1/√K; norms are ones."""
    generator = torch.Generator().manual_seed(seed)
    weights = {}
    for name, shape in weight_shapes(config).items():
        values = torch.empty(shape, dtype=torch.bfloat16)
        if len(shape) > 1:
            width = (3 / shape[-1]) ** 0.5
            values.uniform_(-width, width, generator=generator)
        else:
            values.fill_(1.0 if name.endswith(".weight") else 0.0)
        weights[name] = values
    return weights
