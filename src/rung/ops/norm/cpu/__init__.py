"""Norms on the CPU: as they are, and rounded for products in integers."""

from rung.ops.norm.cpu import plain, rounded

__all__ = ["plain", "rounded"]
