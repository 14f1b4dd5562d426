"""Attention on a GPU, with rotary positions and the writes into the cache."""

from rung.ops.attention.webgpu import paged, plain

__all__ = ["paged", "plain"]
