"""Elementwise ops on a GPU, and their gradients."""

from rung.ops.mlp.webgpu import backward, plain

__all__ = ["backward", "plain"]
