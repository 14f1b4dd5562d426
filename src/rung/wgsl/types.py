"""Storage types as shaders tell them apart."""

from __future__ import annotations

from rung.storage import StorageType
from rung.wgsl.call import Constant

DECODED = ("f32", "f16", "bf16", "i8", "q8_0", "q4_0", "q4_k", "q5_k", "q6_k")
"""Types that weight.wgsl reads, besides i8_gN."""


def is_decoded(kind: StorageType) -> bool:
    """Whether weight.wgsl reads a type."""
    return kind.name in DECODED or kind.name.startswith("i8_g")


def type_constants(kind: StorageType) -> dict[str, Constant]:
    """The condition that names a type in shaders, such as Q8_0; for i8_gN I8_G, with GROUP."""
    if kind.name.startswith("i8_g"):
        return {"I8_G": True, "GROUP": kind.block or 0}
    return {kind.name.upper(): True}
