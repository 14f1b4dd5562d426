"""Plain types: one element a value."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rung.storage.types import Array, Plane, StorageType

LARGEST_HALF = 65504.0
"""The greatest finite float16."""


def _plain(name: str, dtype: type[np.generic]) -> StorageType:
    return StorageType(
        name,
        1,
        (Plane("values", np.dtype(dtype)),),
        lambda planes: planes[0].astype(np.float64),
        lambda values: (values.astype(dtype),),
    )


def _encode_half(values: NDArray[np.float32]) -> tuple[Array, ...]:
    with np.errstate(over="ignore"):
        half = values.astype(np.float16)
    beyond = np.isinf(half) & np.isfinite(values)
    if beyond.any():
        value = float(values[beyond][0])
        raise ValueError(f"{value:g} is beyond float16, whose greatest value is {LARGEST_HALF:g}")
    return (half,)


def _decode_bfloat16(planes: tuple[Array, ...]) -> NDArray[np.float64]:
    return (planes[0].astype(np.uint32) << 16).view(np.float32).astype(np.float64)


def _encode_bfloat16(values: NDArray[np.float32]) -> tuple[Array, ...]:
    """The upper half of a float32's bits, rounded to nearest, ties to even; NaN stays NaN."""
    bits = values.view(np.uint32)
    rounded = (bits + (np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1)))) >> 16
    # A carry out of a NaN's bits would make it a number; a set quiet bit keeps it one.
    upper = np.where(np.isnan(values), (bits >> 16) | np.uint32(0x40), rounded)
    return (upper.astype(np.uint16),)


F32 = _plain("f32", np.float32)
F16 = StorageType(
    "f16",
    1,
    (Plane("values", np.dtype(np.float16)),),
    lambda planes: planes[0].astype(np.float64),
    _encode_half,
)
# NumPy has no bfloat16: its bits are kept as uint16.
BF16 = StorageType(
    "bf16", 1, (Plane("values", np.dtype(np.uint16)),), _decode_bfloat16, _encode_bfloat16
)
I32 = _plain("i32", np.int32)
I64 = _plain("i64", np.int64)
U8 = _plain("u8", np.uint8)

PLAIN = (F32, F16, BF16, I32, I64, U8)
