"""Norms on a GPU, and their gradients."""

from rung.ops.norm.webgpu import backward, plain

__all__ = ["backward", "plain"]
