"""Linear on the CPU: a ladder for each pair of input types, one file a family of types."""

from rung.ops.linear.cpu import blocks, blocks_i8, elements, f32, i8g

__all__ = ["blocks", "blocks_i8", "elements", "f32", "i8g"]
