"""Norms on the CPU: as they are, and rounded for products in integers."""

from rung.ops.norm.cpu import backward, plain, rounded

__all__ = ["backward", "plain", "rounded"]
