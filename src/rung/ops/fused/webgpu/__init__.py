"""Fused ops on a GPU: a decoder layer in a handful of dispatches."""

from rung.ops.fused.webgpu import products, streams

__all__ = ["products", "streams"]
