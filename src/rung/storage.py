"""How a tensor's values lie in memory: storage types, stored tensors, and conversion between them.

Shapes: N rows, K values in a row, G values that share one scale.
A stored tensor is quantised along its last axis only, so a row never shares a block with another.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.generic]


@dataclass(frozen=True)
class Plane:
    """One array of a stored tensor: `per_block` elements of `dtype` for every block of values."""

    name: str
    dtype: np.dtype[np.generic]
    per_block: int


@dataclass(frozen=True)
class StorageType:
    """A way to store values: `block` values become `per_block` elements in each plane.

    `decode` turns planes into float64 values, `encode` float32 values into planes.
    """

    name: str
    block: int
    planes: tuple[Plane, ...]
    decode: Callable[[tuple[Array, ...]], NDArray[np.float64]]
    encode: Callable[[NDArray[np.float32]], tuple[Array, ...]]

    def __repr__(self) -> str:
        return self.name

    def __reduce__(self) -> tuple[Callable[[str], StorageType], tuple[str]]:
        return storage_type, (self.name,)

    @property
    def is_plain(self) -> bool:
        """True when one element holds one value."""
        return self.block == 1 and len(self.planes) == 1

    def plane_shapes(self, shape: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
        """The shape of each plane of a tensor of this shape."""
        if not shape:
            return tuple(() for _ in self.planes)
        *lead, K = shape
        if K % self.block:
            raise ValueError(f"{self.name} needs rows of a multiple of {self.block}, not {K}")
        return tuple((*lead, K // self.block * plane.per_block) for plane in self.planes)

    def size_bytes(self, shape: tuple[int, ...]) -> int:
        """Bytes that a tensor of this shape takes."""
        shapes = self.plane_shapes(shape)
        return sum(
            int(np.prod(s, dtype=np.int64)) * plane.dtype.itemsize
            for s, plane in zip(shapes, self.planes, strict=True)
        )

    @property
    def bits(self) -> float:
        """Bits a value takes."""
        return 8 * sum(p.per_block * p.dtype.itemsize for p in self.planes) / self.block


@dataclass(frozen=True)
class StoredTensor:
    """Values of one shape in one storage type; the planes may be views of a mapped file."""

    type: StorageType
    shape: tuple[int, ...]
    planes: tuple[Array, ...]

    def __post_init__(self) -> None:
        for array, plane, shape in zip(
            self.planes, self.type.planes, self.type.plane_shapes(self.shape), strict=True
        ):
            if array.dtype != plane.dtype or array.shape != shape:
                raise ValueError(
                    f"plane {plane.name} of {self.type.name} {self.shape} is "
                    f"{array.dtype}{array.shape}, expected {plane.dtype}{shape}"
                )

    @property
    def size_bytes(self) -> int:
        """Bytes of all planes."""
        return sum(array.nbytes for array in self.planes)

    def float64(self) -> NDArray[np.float64]:
        """The exact values."""
        return self.type.decode(self.planes)

    def float32(self) -> NDArray[np.float32]:
        """The values rounded to float32 (a view where they are float32 already)."""
        if self.type is F32:
            return self.planes[0].view(np.float32)
        return self.type.decode(self.planes).astype(np.float32)

    def rows(self, start: int, stop: int) -> StoredTensor:
        """Rows start…stop of the first axis, sharing memory."""
        planes = tuple(array[start:stop] for array in self.planes)
        return StoredTensor(self.type, (stop - start, *self.shape[1:]), planes)


def stored(values: Array) -> StoredTensor:
    """A plain NumPy array as a stored tensor, without a copy."""
    for plain in (F32, F16, I32, I64):
        if values.dtype == plain.planes[0].dtype:
            return StoredTensor(plain, values.shape, (values,))
    raise TypeError(f"no storage type holds {values.dtype}")


def quantize(values: NDArray[np.float32], type_name: str | StorageType) -> StoredTensor:
    """Values [..., K] float32 as a stored tensor of the given type, rounded to nearest.

    Raises ValueError where K is not a multiple of the type's block.
    """
    kind = storage_type(type_name) if isinstance(type_name, str) else type_name
    kind.plane_shapes(values.shape)
    return StoredTensor(kind, values.shape, kind.encode(np.ascontiguousarray(values, np.float32)))


def _plain(name: str, dtype: type[np.generic]) -> StorageType:
    return StorageType(
        name,
        1,
        (Plane("values", np.dtype(dtype), 1),),
        lambda planes: planes[0].astype(np.float64),
        lambda values: (values.astype(dtype),),
    )


F32 = _plain("f32", np.float32)
F16 = _plain("f16", np.float16)
I32 = _plain("i32", np.int32)
I64 = _plain("i64", np.int64)
U8 = _plain("u8", np.uint8)


def _grouped_int8(G: int) -> StorageType:
    """int8 values and one float32 scale a group of G: value = q · scale, scale = max|value| / 127.

    Source: the version-2 checkpoints of llama2.c.
    """

    def decode(planes: tuple[Array, ...]) -> NDArray[np.float64]:
        q, scales = planes
        groups = q.astype(np.float64).reshape(*scales.shape, G)
        return (groups * scales.astype(np.float64)[..., None]).reshape(q.shape)

    def encode(values: NDArray[np.float32]) -> tuple[Array, ...]:
        groups = values.reshape(*values.shape[:-1], values.shape[-1] // G, G)
        scales = (np.abs(groups).max(axis=-1, initial=0.0) / np.float32(127)).astype(np.float32)
        # A subnormal scale has no float32 inverse; such a group holds nothing but noise.
        scales[scales < np.finfo(np.float32).tiny] = 0.0
        inverse = np.divide(1, scales, out=np.zeros_like(scales), where=scales > 0)
        q = np.rint(groups * inverse[..., None]).clip(-127, 127).astype(np.int8)
        return q.reshape(values.shape), scales

    planes = (Plane("values", np.dtype(np.int8), G), Plane("scales", np.dtype(np.float32), 1))
    return StorageType(f"i8_g{G}", G, planes, decode, encode)


_PLAIN = {kind.name: kind for kind in (F32, F16, I32, I64, U8)}


@cache
def storage_type(name: str) -> StorageType:
    """The storage type of this name: f32, f16, i32, i64, u8, or i8_gN (int8 in groups of N).

    Raises KeyError for an unknown name.
    """
    if name in _PLAIN:
        return _PLAIN[name]
    if (match := re.fullmatch(r"i8_g([1-9][0-9]{0,5})", name)) is not None:
        return _grouped_int8(int(match[1]))
    raise KeyError(f"unknown storage type {name!r}; known: {', '.join(_PLAIN)}, i8_gN")
