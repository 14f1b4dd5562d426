"""Linear on the CPU: a ladder for each pair of input types, one file a family of types."""

from rung.ops.linear.cpu import blocks, depth, elements, f32, i8g, integers, prompts, rounding

__all__ = ["blocks", "depth", "elements", "f32", "i8g", "integers", "prompts", "rounding"]
