"""Every op, one folder a family: its meaning in op.py, its kernels in one file a backend."""

from __future__ import annotations

from importlib import import_module

from rung.ops.attention.op import attention, cache_write, cache_write_keys, rope, rope_angles
from rung.ops.attention.training import (
    causal_attention,
    causal_attention_backward,
    rope_heads,
)
from rung.ops.embedding.gradient import embedding_backward
from rung.ops.embedding.op import embedding
from rung.ops.fused.op import FUSED
from rung.ops.linear.gradient import column_sums, linear_backward_w, linear_backward_x
from rung.ops.linear.mixed import (
    linear_bf16,
    linear_bf16_backward_w,
    linear_bf16_backward_x,
)
from rung.ops.linear.op import linear, pack_tiles, quantize, quantize_blocks
from rung.ops.loss.op import (
    chunk,
    chunk_backward,
    cross_entropy,
    cross_entropy_backward,
    mean_loss,
    mean_loss_backward,
)
from rung.ops.mlp.gradient import gelu_backward, swiglu_pair, swiglu_pair_backward
from rung.ops.mlp.op import (
    add,
    geglu,
    geglu_rounded,
    gelu,
    gelu_rounded,
    scale,
    softcap,
    swiglu,
    swiglu_rounded,
)
from rung.ops.norm.gradient import norm_backward_w, norm_backward_x, norm_statistics
from rung.ops.norm.op import (
    head_norm,
    layer_norm,
    layer_norm_rounded,
    rms_norm,
    rms_norm_rounded,
)
from rung.ops.optimizer.op import adamw, gradient_factor, square_sums
from rung.ops.sampling.op import drawn_token, greedy_token

FAMILIES = ("attention", "embedding", "linear", "loss", "mlp", "norm", "optimizer")

# Fusing neighbors and choosing tokens is for devices that the host starts, and waits for.
_ON_DEVICES = (*FAMILIES, "fused", "sampling")

# A BLAS library knows matrix products and nothing else.
_ONLY = {"blas": ("linear",), "webgpu": _ON_DEVICES}


def load_kernels(backend: str) -> None:
    """Imports a backend's kernels, which register themselves with their ops."""
    for family in _ONLY.get(backend, FAMILIES):
        import_module(f"rung.ops.{family}.{backend}")


__all__ = [
    "FAMILIES",
    "FUSED",
    "adamw",
    "add",
    "attention",
    "cache_write",
    "cache_write_keys",
    "causal_attention",
    "causal_attention_backward",
    "chunk",
    "chunk_backward",
    "column_sums",
    "cross_entropy",
    "cross_entropy_backward",
    "drawn_token",
    "embedding",
    "embedding_backward",
    "geglu",
    "geglu_rounded",
    "gelu",
    "gelu_backward",
    "gelu_rounded",
    "gradient_factor",
    "greedy_token",
    "head_norm",
    "layer_norm",
    "layer_norm_rounded",
    "linear",
    "linear_backward_w",
    "linear_backward_x",
    "linear_bf16",
    "linear_bf16_backward_w",
    "linear_bf16_backward_x",
    "load_kernels",
    "mean_loss",
    "mean_loss_backward",
    "norm_backward_w",
    "norm_backward_x",
    "norm_statistics",
    "pack_tiles",
    "quantize",
    "quantize_blocks",
    "rms_norm",
    "rms_norm_rounded",
    "rope",
    "rope_angles",
    "rope_heads",
    "scale",
    "softcap",
    "square_sums",
    "swiglu",
    "swiglu_pair",
    "swiglu_pair_backward",
    "swiglu_rounded",
]
