"""Every op, one folder a family: its meaning in op.py, its kernels in one file a backend."""

from __future__ import annotations

from importlib import import_module

from rung.ops.attention.op import attention, cache_write, cache_write_keys, rope, rope_angles
from rung.ops.embedding.op import embedding
from rung.ops.linear.op import linear, quantize, quantize_blocks
from rung.ops.mlp.op import add, geglu, gelu, scale, softcap, swiglu
from rung.ops.norm.op import head_norm, layer_norm, rms_norm

FAMILIES = ("attention", "embedding", "linear", "mlp", "norm")


def load_kernels(backend: str) -> None:
    """Imports a backend's kernels, which register themselves with their ops."""
    for family in FAMILIES:
        import_module(f"rung.ops.{family}.{backend}")


__all__ = [
    "FAMILIES",
    "add",
    "attention",
    "cache_write",
    "cache_write_keys",
    "embedding",
    "geglu",
    "gelu",
    "head_norm",
    "layer_norm",
    "linear",
    "load_kernels",
    "quantize",
    "quantize_blocks",
    "rms_norm",
    "rope",
    "rope_angles",
    "scale",
    "softcap",
    "swiglu",
]
