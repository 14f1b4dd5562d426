"""Attention on the CPU: rotary positions, writes into the cache, and attention over it."""

from rung.ops.attention.cpu import cache, naive, rotation, tiles, training

__all__ = ["cache", "naive", "rotation", "tiles", "training"]
