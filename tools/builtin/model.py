"""logits_BTV = Llama(config)(ids_BT): the small Llama, as llama2.c defines it.

    B batch, T tokens, C model width, H query heads, K key heads, D head width, F hidden width,
    V vocabulary

RMS norm with epsilon 1e-5, rotary positions on the pairs (2i, 2i+1) with base 10000, SwiGLU, no
biases, and the embedding once more as the classifier.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

GROUP = 64


@dataclass(frozen=True, slots=True)
class Config:
    """The sizes of a model; every matrix has rows of a multiple of 64 for the int8 groups."""

    dim: int = 256
    hidden_dim: int = 512
    n_layers: int = 5
    n_heads: int = 8
    n_kv_heads: int = 4
    vocab_size: int = 2048
    seq_len: int = 512

    @property
    def head_dim(self) -> int:
        return self.dim // self.n_heads


class Norm(nn.Module):
    """x / sqrt(mean(x^2) + 1e-5) * weight."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x_BTC: Tensor) -> Tensor:
        x = x_BTC.float()
        normal = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5)
        return (normal * self.weight).type_as(x_BTC)


def rotate(x_BTHD: Tensor, cos_TD: Tensor, sin_TD: Tensor) -> Tensor:
    """Rotary positions: each pair (2i, 2i+1) turned by its angle; cos and sin are [T, D / 2]."""
    even, odd = x_BTHD.float().unflatten(-1, (-1, 2)).unbind(-1)
    cos, sin = cos_TD[:, None], sin_TD[:, None]
    turned = torch.stack((even * cos - odd * sin, even * sin + odd * cos), dim=-1)
    return turned.flatten(-2).type_as(x_BTHD)


class Block(nn.Module):
    """x + attention(norm(x)), and then x + feed_forward(norm(x))."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        dim, hidden = config.dim, config.hidden_dim
        kv_dim = config.n_kv_heads * config.head_dim
        self.attention_norm = Norm(dim)
        self.ffn_norm = Norm(dim)
        self.wq = nn.Linear(dim, dim, bias=False)
        self.wk = nn.Linear(dim, kv_dim, bias=False)
        self.wv = nn.Linear(dim, kv_dim, bias=False)
        self.wo = nn.Linear(dim, dim, bias=False)
        self.w1 = nn.Linear(dim, hidden, bias=False)
        self.w2 = nn.Linear(hidden, dim, bias=False)
        self.w3 = nn.Linear(dim, hidden, bias=False)

    def attention(self, x_BTC: Tensor, cos_TD: Tensor, sin_TD: Tensor) -> Tensor:
        heads, kv_heads = self.config.n_heads, self.config.n_kv_heads
        q_BTHD = rotate(self.wq(x_BTC).unflatten(-1, (heads, -1)), cos_TD, sin_TD)
        k_BTKD = rotate(self.wk(x_BTC).unflatten(-1, (kv_heads, -1)), cos_TD, sin_TD)
        v_BTKD = self.wv(x_BTC).unflatten(-1, (kv_heads, -1))
        k_BTHD = k_BTKD.repeat_interleave(heads // kv_heads, dim=2)
        v_BTHD = v_BTKD.repeat_interleave(heads // kv_heads, dim=2)
        out_BHTD = functional.scaled_dot_product_attention(
            q_BTHD.transpose(1, 2), k_BTHD.transpose(1, 2), v_BTHD.transpose(1, 2), is_causal=True
        )
        return self.wo(out_BHTD.transpose(1, 2).flatten(2))

    def forward(self, x_BTC: Tensor, cos_TD: Tensor, sin_TD: Tensor) -> Tensor:
        x_BTC = x_BTC + self.attention(self.attention_norm(x_BTC), cos_TD, sin_TD)
        normal_BTC = self.ffn_norm(x_BTC)
        hidden_BTF = functional.silu(self.w1(normal_BTC)) * self.w3(normal_BTC)
        return x_BTC + self.w2(hidden_BTF)


class Llama(nn.Module):
    """The whole model. Its weights are drawn from the global torch generator."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.dim)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.n_layers))
        self.norm = Norm(config.dim)
        steps = torch.arange(0, config.head_dim, 2) / config.head_dim
        angles_TD = torch.outer(torch.arange(config.seq_len), 10000.0**-steps)
        self.register_buffer("cos_TD", angles_TD.cos(), persistent=False)
        self.register_buffer("sin_TD", angles_TD.sin(), persistent=False)
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                # The branches that add to the residual start small, the more so in a deep model.
                residual = name.endswith(("wo.weight", "w2.weight"))
                std = 0.02 / math.sqrt(2 * config.n_layers) if residual else 0.02
                nn.init.normal_(weight, std=std)

    def forward(self, ids_BT: Tensor) -> Tensor:
        length = ids_BT.shape[1]
        x_BTC = self.embedding(ids_BT)
        for block in self.blocks:
            x_BTC = block(x_BTC, self.cos_TD[:length], self.sin_TD[:length])
        return functional.linear(self.norm(x_BTC), self.embedding.weight)

    def loss(self, window_BS: Tensor) -> Tensor:
        """The mean cross entropy in nats of each id of the window from those before it."""
        logits_BTV = self(window_BS[:, :-1])
        return functional.cross_entropy(
            logits_BTV.flatten(0, 1).float(), window_BS[:, 1:].flatten()
        )


def quantize(weight: Tensor) -> tuple[Tensor, Tensor]:
    """(int8 values, float32 scales) of groups of 64: scale = max|w| / 127, q = round(w / scale)."""
    groups = weight.detach().float().reshape(-1, GROUP)
    scales = groups.abs().amax(dim=1).clamp(min=1e-12) / 127
    values = (groups / scales[:, None]).round().clamp(-127, 127).to(torch.int8)
    return values, scales


def dequantized(model: Llama) -> Llama:
    """A copy of the model whose matrices have gone through int8 and back."""
    copy = Llama(model.config)
    copy.load_state_dict(model.state_dict())
    with torch.no_grad():
        for weight in copy.parameters():
            if weight.dim() == 2:
                values, scales = quantize(weight)
                weight.copy_((values.float() * scales[:, None].to(values.device)).view_as(weight))
    return copy
