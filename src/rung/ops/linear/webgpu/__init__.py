"""Linear on a GPU: a ladder for each storage type of the weights, one file a family of kernels."""

from rung.ops.linear.webgpu import gradient, gradient_tiles, plain, subgroups, tiles

__all__ = ["gradient", "gradient_tiles", "plain", "subgroups", "tiles"]
