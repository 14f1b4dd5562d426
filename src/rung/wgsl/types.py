"""Storage types as shaders tell them apart."""

from __future__ import annotations

from rung.storage import StorageType
from rung.wgsl.call import Constant

DECODED = ("f32", "f16", "bf16", "i8", "q8_0", "q4_0", "q4_k", "q5_k", "q6_k")
"""Types that weight.wgsl reads, besides i8_gN."""


def form_of(kind: StorageType) -> str:
    """A type's name; i8_g for all i8_gN."""
    return "i8_g" if kind.name.startswith("i8_g") else kind.name


def is_decoded(kind: StorageType) -> bool:
    """Whether weight.wgsl reads a type."""
    return form_of(kind) in (*DECODED, "i8_g")


def type_constants(kind: StorageType) -> dict[str, Constant]:
    """The condition that names a type in shaders, such as Q8_0; for i8_gN I8_G, with GROUP."""
    if form_of(kind) == "i8_g":
        return {"I8_G": True, "GROUP": kind.block or 0}
    return {kind.name.upper(): True}


_UNITS = {
    "f32": 4,
    "f16": 8,
    "bf16": 8,
    "i8": 16,
    "i8_g": 16,
    "q8_0": 16,
    "q4_0": 32,
    "q4_k": 32,
    "q5_k": 32,
    "q6_k": 32,
}
# What types have in common in units.wgsl.
_FAMILIES = {
    "HALVES": ("f16", "bf16"),
    "BYTES": ("i8", "i8_g", "q8_0"),
    "LEVELS": ("q4_0", "q4_k", "q5_k", "q6_k"),
    "K_BLOCKS": ("q4_k", "q5_k"),
    "WHOLE": ("q5_k", "q6_k"),
}


def unit_of(kind: StorageType) -> int:
    """Values that units.wgsl takes at once of a type; 0 where it does not read the type."""
    form = form_of(kind)
    if form == "i8_g" and (kind.block or 1) % 16:
        return 0
    return _UNITS.get(form, 0)


def in_units(kind: StorageType, width: int) -> bool:
    """Whether units.wgsl reads rows of so many values."""
    unit = unit_of(kind)
    return unit > 0 and width > 0 and width % unit == 0


def unit_constants(name: str, kind: StorageType) -> dict[str, Constant]:
    """What units.wgsl must know of the type of the tensor `name`."""
    families = {key: True for key, forms in _FAMILIES.items() if form_of(kind) in forms}
    return {f"{name}_{key}": value for key, value in (type_constants(kind) | families).items()}
