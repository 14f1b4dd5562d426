"""Attention on a GPU, with rotary positions and the writes into the cache; and that of training."""

from rung.ops.attention.webgpu import paged, plain, training, training_tiles

__all__ = ["paged", "plain", "training", "training_tiles"]
