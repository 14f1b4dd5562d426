"""Storage types and stored tensors: planes of elements, and the values they mean.

Shapes: N rows, K values in a row.
A stored tensor is quantised along its last axis only, so a row never shares a block with another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.generic]

# Values converted together: temporaries of some 20 MB, and few enough steps to cost nothing.
_CHUNK_VALUES = 1 << 20


@dataclass(frozen=True)
class Plane:
    """One array of a stored tensor: `per_block` elements for every block of values.

    None is one element for every value.
    """

    name: str
    dtype: np.dtype[np.generic]
    per_block: int | None = None


@dataclass(frozen=True)
class StorageType:
    """A way to store values: each run of `block` values becomes some elements in each plane.

    A `block` of None is the whole row, however wide. `decode` turns planes [N, …] into float64
    values [N, K], `encode` float32 values [N, K] into planes; it raises ValueError for a value that
    the type cannot hold. Both take all rows at once where `whole`: these lie among each other.
    """

    name: str
    block: int | None
    planes: tuple[Plane, ...]
    decode: Callable[[tuple[Array, ...]], NDArray[np.float64]]
    encode: Callable[[NDArray[np.float32]], tuple[Array, ...]]
    whole: bool = False

    def __repr__(self) -> str:
        return self.name

    def __reduce__(self) -> tuple[Callable[[str], StorageType], tuple[str]]:
        return _by_name, (self.name,)

    @property
    def is_plain(self) -> bool:
        """True when one element holds one value."""
        return self.block == 1 and len(self.planes) == 1

    def block_width(self, K: int) -> int:
        """Values that share a block in rows of K."""
        return K if self.block is None else self.block

    def plane_shapes(self, shape: tuple[Any, ...]) -> tuple[tuple[Any, ...], ...]:
        """The shape of each plane of a tensor of this shape; all sizes but K may be symbols.

        Raises ValueError where rows are not whole blocks.
        """
        if self.is_plain:
            return (shape,)
        if not shape:
            raise ValueError(f"{self.name} stores rows, not a single value")
        *lead, K = shape
        if self.block is not None and K % self.block:
            raise ValueError(f"{self.name} needs rows of a multiple of {self.block}, not {K}")
        blocks = 1 if self.block is None else K // self.block
        return tuple(
            (*lead, K if plane.per_block is None else blocks * plane.per_block)
            for plane in self.planes
        )

    def size_bytes(self, shape: tuple[int, ...]) -> int:
        """Bytes that a tensor of this shape takes."""
        shapes = self.plane_shapes(shape)
        return sum(
            int(np.prod(s, dtype=np.int64)) * plane.dtype.itemsize
            for s, plane in zip(shapes, self.planes, strict=True)
        )

    @property
    def bits(self) -> float:
        """Bits a value takes in wide rows."""
        width = self.block or 1 << 20
        return 8 * self.size_bytes((width,)) / width


def _by_name(name: str) -> StorageType:
    """How pickle finds a type again."""
    from rung.storage import storage_type

    return storage_type(name)


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
        return self._decoded(np.dtype(np.float64))

    def float32(self) -> NDArray[np.float32]:
        """The values rounded to float32 (a view where they are float32 already)."""
        if self.type.name == "f32":
            return self.planes[0].view(np.float32)
        return self._decoded(np.dtype(np.float32))

    def _decoded(self, dtype: np.dtype[Any]) -> NDArray[Any]:
        values = np.empty(self.shape, dtype)
        if self.type.is_plain:
            np.copyto(values, self.type.decode(self.planes), casting="same_kind")
            return values
        rows = values.reshape(-1, self.shape[-1]) if values.size else values
        planes = [_as_rows(array) for array in self.planes]
        for start, stop in _row_ranges(rows, whole=self.type.whole):
            rows[start:stop] = self.type.decode(tuple(array[start:stop] for array in planes))
        return values

    def rows(self, start: int, stop: int) -> StoredTensor:
        """Rows start…stop of the first axis, sharing memory."""
        planes = tuple(array[start:stop] for array in self.planes)
        return StoredTensor(self.type, (stop - start, *self.shape[1:]), planes)


def encode_rows(values: NDArray[np.float32], kind: StorageType) -> StoredTensor:
    """Values [..., K] in a storage type, some rows at a time.

    Raises ValueError where rows are not whole blocks or a value does not fit.
    """
    shapes = kind.plane_shapes(values.shape)
    planes = tuple(np.zeros(s, p.dtype) for s, p in zip(shapes, kind.planes, strict=True))
    if values.size:
        rows = values.reshape(-1, values.shape[-1]) if values.ndim else values.reshape(1, 1)
        targets = [plane.reshape(len(rows), -1) for plane in planes]
        for start, stop in _row_ranges(rows, whole=kind.whole):
            for target, part in zip(targets, kind.encode(rows[start:stop]), strict=True):
                target[start:stop] = part
    return StoredTensor(kind, values.shape, planes)


def _as_rows(array: Array) -> Array:
    return array.reshape(-1, array.shape[-1]) if array.size else array


def _row_ranges(rows: NDArray[Any], *, whole: bool) -> Iterator[tuple[int, int]]:
    """Ranges of rows [N, K] that hold about _CHUNK_VALUES each, or one of all.

    None where there are no values.
    """
    if not rows.size:
        return
    step = len(rows) if whole else max(1, _CHUNK_VALUES // rows.shape[1])
    for start in range(0, len(rows), step):
        yield start, min(start + step, len(rows))
