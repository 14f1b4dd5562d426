"""Embedding on a GPU, and its gradient."""

from rung.ops.embedding.webgpu import backward, lookup

__all__ = ["backward", "lookup"]
