"""How a tensor's values lie in memory: storage types, stored tensors, conversion between them.

types     what a storage type and a stored tensor are
plain     one element a value: f32, f16, bf16, i32, i64, u8
int8      int8 values with float32 scales: i8 (one a row), i8_gN (one for N values), q8_s
tiles     bfloat16 in the tiles of AMX: bf16_tiles
blocks    GGUF's blocks of bytes: q8_0, q4_0, q4_k, q5_k, q6_k
"""

from __future__ import annotations

import re
from functools import cache

import numpy as np
from numpy.typing import NDArray

from rung.storage.blocks import BLOCK_TYPES
from rung.storage.int8 import I8, Q8_S, grouped_int8
from rung.storage.plain import BF16, F16, F32, I32, I64, PLAIN, U8
from rung.storage.tiles import BF16_TILES
from rung.storage.types import Array, Plane, StorageType, StoredTensor, encode_rows

_KNOWN = {kind.name: kind for kind in (*PLAIN, I8, Q8_S, BF16_TILES, *BLOCK_TYPES)}


@cache
def storage_type(name: str) -> StorageType:
    """The storage type of this name, such as f32, bf16, i8, q4_k or i8_g64 (groups of 64).

    Raises KeyError for an unknown name, with the known ones.
    """
    if name in _KNOWN:
        return _KNOWN[name]
    if (match := re.fullmatch(r"i8_g([1-9][0-9]{0,5})", name)) is not None:
        return grouped_int8(int(match[1]))
    raise KeyError(f"unknown storage type {name!r}; known: {', '.join(_KNOWN)}, i8_gN")


def stored(values: Array) -> StoredTensor:
    """A plain NumPy array as a stored tensor, without a copy."""
    for plain in (F32, F16, I32, I64):
        if values.dtype == plain.planes[0].dtype:
            return StoredTensor(plain, values.shape, (values,))
    raise TypeError(f"no storage type holds {values.dtype}")


def quantize(values: NDArray[np.float32], type_name: str | StorageType) -> StoredTensor:
    """Values [..., K] float32 as a stored tensor of the given type, rounded to nearest.

    Rows are converted a few at a time, so temporary memory stays small.
    Raises ValueError where K is not a multiple of the type's block, and for a value that the type
    cannot hold (beyond float16's range in f16 or in the scale of a block).
    """
    kind = storage_type(type_name) if isinstance(type_name, str) else type_name
    return encode_rows(np.asarray(values, np.float32, order="C"), kind)


__all__ = [
    "BF16",
    "BF16_TILES",
    "F16",
    "F32",
    "I8",
    "I32",
    "I64",
    "Q8_S",
    "U8",
    "Array",
    "Plane",
    "StorageType",
    "StoredTensor",
    "quantize",
    "storage_type",
    "stored",
]
