"""Attention on the CPU: rotary positions, writes into the cache, and attention over it."""

from rung.ops.attention.cpu import blocks, cache, naive, rotation, tiles, training

__all__ = ["blocks", "cache", "naive", "rotation", "tiles", "training"]
