"""Host memory: stored tensors on cache lines, arenas, and copies of what a run made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rung.errors import MemoryLimitError
from rung.storage import StorageType, StoredTensor

ALIGNMENT = 64


def allocate(kind: StorageType, shape: tuple[int, ...]) -> StoredTensor:
    """New memory on a cache line, zeroed; the system provides pages as they are touched.

    Raises MemoryLimitError where there is not enough.
    """
    try:
        planes = tuple(
            _aligned(plane_shape, plane.dtype)
            for plane_shape, plane in zip(kind.plane_shapes(shape), kind.planes, strict=True)
        )
    except (MemoryError, ValueError):
        size = kind.size_bytes(shape) / 2**20
        raise MemoryLimitError(
            f"not enough memory for {size:,.0f} MiB ({kind.name} {list(shape)}); "
            "a smaller --context needs less"
        ) from None
    return StoredTensor(kind, shape, planes)


@dataclass(frozen=True)
class HostArena:
    """Bytes in which tensors have their places."""

    data: NDArray[np.uint8]

    @staticmethod
    def of(size_bytes: int) -> HostArena:
        """An arena of this size. Raises MemoryLimitError where there is not enough."""
        try:
            return HostArena(_aligned((size_bytes,), np.dtype(np.uint8)))
        except MemoryError:
            raise MemoryLimitError(
                f"not enough memory for {size_bytes / 2**20:,.0f} MiB of activations"
            ) from None

    @property
    def size_bytes(self) -> int:
        """Its size."""
        return len(self.data)

    def place(self, kind: StorageType, shape: tuple[int, ...], offset: int) -> StoredTensor:
        """A tensor at `offset` bytes, its planes one after another on cache lines."""
        planes = []
        for plane_shape, plane in zip(kind.plane_shapes(shape), kind.planes, strict=True):
            size = int(np.prod(plane_shape, dtype=np.int64)) * plane.dtype.itemsize
            planes.append(self.data[offset : offset + size].view(plane.dtype).reshape(plane_shape))
            offset += -(-size // ALIGNMENT) * ALIGNMENT
        return StoredTensor(kind, shape, tuple(planes))


def copy_values(target: StoredTensor, source: StoredTensor, shape: tuple[int, ...]) -> None:
    """Copies values of `shape`, which lie at the beginning of both."""
    shapes = target.type.plane_shapes(shape)
    for to, come_from, plane_shape in zip(target.planes, source.planes, shapes, strict=True):
        count = int(np.prod(plane_shape, dtype=np.int64))
        to.reshape(-1)[:count] = come_from.reshape(-1)[:count]


def _aligned(shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> NDArray[Any]:
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    raw = np.zeros(size + ALIGNMENT, np.uint8)
    skip = -raw.ctypes.data % ALIGNMENT
    return raw[skip : skip + size].view(dtype).reshape(shape)
