"""Elementwise ops on the CPU: as they are, and rounded for products in integers."""

from rung.ops.mlp.cpu import backward, plain, rounded

__all__ = ["backward", "plain", "rounded"]
