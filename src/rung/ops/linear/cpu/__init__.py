"""Linear on the CPU: a ladder for each pair of input types, one file a family of types."""

from rung.ops.linear.cpu import (
    backward,
    bfloat,
    blocks,
    depth,
    elements,
    f32,
    i8g,
    integers,
    mixed,
    mixed_amx,
    outer,
    packing,
    prompts,
    rounding,
    turned,
)

__all__ = [
    "backward",
    "bfloat",
    "blocks",
    "depth",
    "elements",
    "f32",
    "i8g",
    "integers",
    "mixed",
    "mixed_amx",
    "outer",
    "packing",
    "prompts",
    "rounding",
    "turned",
]
