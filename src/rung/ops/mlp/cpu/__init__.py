"""Elementwise ops on the CPU: as they are, and rounded for products in integers."""

from rung.ops.mlp.cpu import plain, rounded

__all__ = ["plain", "rounded"]
