"""Storage types as shaders tell them apart."""

from __future__ import annotations

from rung.storage import StorageType
from rung.wgsl.call import Constant

DECODED = ("f32", "f16", "bf16", "i8", "q8_0", "q4_0", "q4_k", "q5_k", "q6_k")
"""Types that weight.wgsl reads, besides i8_gN."""

# Values that units.wgsl takes at once: 8 or 16 bytes of weights.
_UNITS = {
    "f32": 4,
    "f16": 8,
    "bf16": 8,
    "i8": 8,
    "i8_g": 8,
    "q8_0": 8,
    "q4_0": 16,
    "q4_k": 32,
    "q5_k": 32,
    "q6_k": 32,
}
# What types have in common there.
_FAMILIES = {
    "HALVES": ("f16", "bf16"),
    "BYTES": ("i8", "i8_g", "q8_0"),
    "K_TYPE": ("q4_k", "q5_k", "q6_k"),
    "K_BLOCKS": ("q4_k", "q5_k"),
    "IN_ORDER": ("f32", "f16", "bf16", "i8", "i8_g", "q8_0"),
}


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


def unit_of(kind: StorageType) -> int:
    """Values that units.wgsl takes at once of a type; 0 where it does not read the type."""
    form = form_of(kind)
    if form == "i8_g" and (kind.block or 1) % _UNITS[form]:
        return 0
    return _UNITS.get(form, 0)


def in_units(kind: StorageType, width: int) -> bool:
    """Whether units.wgsl reads rows of so many values."""
    unit = unit_of(kind)
    return unit > 0 and width > 0 and width % unit == 0


def unit_constants(name: str, kind: StorageType) -> dict[str, Constant]:
    """What units.wgsl must know of the type of the tensor `name`."""
    known = type_constants(kind)
    known |= {key: True for key, forms in _FAMILIES.items() if form_of(kind) in forms}
    known["QUADS"] = unit_of(kind) // 4
    return {f"{name}_{key}": value for key, value in known.items()}
