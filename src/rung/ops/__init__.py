"""Every op, one folder a family: its meaning in op.py, its kernels in one file a backend."""

from __future__ import annotations

from importlib import import_module

from rung.ops.attention.op import attention, cache_write, cache_write_keys, rope, rope_angles
from rung.ops.embedding.op import embedding
from rung.ops.fused.op import FUSED
from rung.ops.linear.op import linear, pack_tiles, quantize, quantize_blocks
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
from rung.ops.norm.op import (
    head_norm,
    layer_norm,
    layer_norm_rounded,
    rms_norm,
    rms_norm_rounded,
)
from rung.ops.sampling.op import drawn_token, greedy_token

FAMILIES = ("attention", "embedding", "linear", "mlp", "norm")

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
    "add",
    "attention",
    "cache_write",
    "cache_write_keys",
    "drawn_token",
    "embedding",
    "geglu",
    "geglu_rounded",
    "gelu",
    "gelu_rounded",
    "greedy_token",
    "head_norm",
    "layer_norm",
    "layer_norm_rounded",
    "linear",
    "load_kernels",
    "pack_tiles",
    "quantize",
    "quantize_blocks",
    "rms_norm",
    "rms_norm_rounded",
    "rope",
    "rope_angles",
    "scale",
    "softcap",
    "swiglu",
    "swiglu_rounded",
]
