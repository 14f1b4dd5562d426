"""Tensors in a GPU's memory: planes of buffers; large weights in several parts; arenas."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rung.backends.base import Fetched
from rung.backends.webgpu.gpu import CHUNK_BYTES, Gpu
from rung.backends.webgpu.layout import plane_names, row_bytes, taken_apart
from rung.errors import BackendError
from rung.storage import StorageType, StoredTensor


@dataclass(frozen=True, eq=False)
class PlaneBuffer:
    """A plane's bytes: a buffer of its own."""

    buffer: Any
    size_bytes: int


@dataclass(frozen=True, eq=False)
class Part:
    """Rows of a tensor that one binding can hold."""

    first_row: int
    rows: int
    planes: tuple[PlaneBuffer, ...]


@dataclass(frozen=True, eq=False)
class GpuBuffer:
    """A tensor on the GPU; shaders alone can read it."""

    type: StorageType
    shape: tuple[int, ...]
    parts: tuple[Part, ...]

    @property
    def size_bytes(self) -> int:
        """Bytes that it takes."""
        return sum(plane.size_bytes for part in self.parts for plane in part.planes)

    @property
    def names(self) -> tuple[str, ...]:
        """What shaders append to a tensor's name for each plane."""
        return plane_names(self.type)


def _rows_and_width(shape: tuple[int, ...]) -> tuple[int, int]:
    """A tensor as rows; a vector is one row."""
    if len(shape) < 2:
        return 1, shape[0] if shape else 1
    return int(np.prod(shape[:-1], dtype=np.int64)), shape[-1]


New = Callable[[int], Any]
"""A new buffer of so many bytes."""


def no_memory(size_bytes: int) -> object:
    """In the place of a buffer, for programs that never run."""
    return object()


def allocate(
    gpu: Gpu, kind: StorageType, shape: tuple[int, ...], *, new: New | None = None
) -> GpuBuffer:
    """New memory, zeroed: in as many parts as bindings must have.

    new: where buffers come from; None is the GPU, which raises MemoryLimitError where there is not
    enough.
    """
    new = new or gpu.buffer
    rows, width = _rows_and_width(shape)
    sizes = row_bytes(kind, width)
    most = max(1, gpu.features.binding_bytes // max(*sizes, 1))
    # Whole words, and vectors of four, in every plane of every part.
    most = max(most // 64 * 64, 1) if most < rows else rows
    parts = []
    for first in range(0, max(rows, 1), max(most, 1)):
        count = min(most, rows - first)
        planes = tuple(PlaneBuffer(new(count * size), count * size) for size in sizes)
        parts.append(Part(first, count, planes))
    return GpuBuffer(kind, shape, tuple(parts))


def write(gpu: Gpu, target: GpuBuffer, source: StoredTensor, shape: tuple[int, ...]) -> None:
    """Copies values of this shape, some rows at a time."""
    rows, width = _rows_and_width(shape)
    if not rows or not width:
        return
    host = [p.reshape(-1) for p in source.planes]
    shapes = source.type.plane_shapes((1, width))
    counts = [s[-1] for s in shapes]
    sizes = row_bytes(target.type, width)
    for part in target.parts:
        end = min(rows, part.first_row + part.rows)
        for start, stop in _steps(part.first_row, end, max(*sizes, 1)):
            taken = tuple(
                plane[start * n : stop * n] for plane, n in zip(host, counts, strict=True)
            )
            for plane, size, data in zip(
                part.planes, sizes, taken_apart(target.type, taken), strict=True
            ):
                gpu.write(plane.buffer, (start - part.first_row) * size, data)


def _steps(first: int, end: int, row_size: int) -> Iterator[tuple[int, int]]:
    """Ranges of rows that make whole words, and no more than a chunk where rows allow it."""
    step = max(4, CHUNK_BYTES // row_size // 4 * 4)
    for start in range(first, end, step):
        yield start, min(start + step, end)


def read(gpu: Gpu, source: GpuBuffer, target: StoredTensor, shape: tuple[int, ...]) -> None:
    """Copies values of this shape to the host; of types that lie alike on both."""
    rows, width = _rows_and_width(shape)
    sizes = row_bytes(source.type, width)
    for part in source.parts:
        end = min(rows, part.first_row + part.rows)
        for plane, size, values in zip(part.planes, sizes, target.planes, strict=True):
            if end <= part.first_row or not size:
                continue
            data = gpu.read(plane.buffer, 0, (end - part.first_row) * size)
            flat: NDArray[np.uint8] = values.reshape(-1).view(np.uint8)
            flat[part.first_row * size : end * size] = data


def fetch(gpu: Gpu, source: GpuBuffer, shape: tuple[int, ...]) -> Fetched:
    """Float32 values of this shape, of a tensor in one part, on their way to the host."""
    (part,) = source.parts
    size_bytes = 4 * int(np.prod(shape, dtype=np.int64))
    arriving = gpu.submit_and_read((), part.planes[0].buffer, 0, size_bytes)

    def wait() -> NDArray[np.float32]:
        values = arriving.get().view(np.float32).reshape(shape)
        gpu.check()
        return values

    return wait


@dataclass(eq=False)
class GpuArena:
    """Memory in which tensors have their places.

    Each place has a buffer of its own, since shaders cannot write to a buffer that they also read
    elsewhere; tensors that share a place, the largest of which comes first, share the buffer.
    """

    new: New
    size_bytes: int
    most_bytes: int  # of a place
    _placed: dict[tuple[str, tuple[int, ...], int], GpuBuffer] = field(default_factory=dict)
    _buffers: dict[int, list[PlaneBuffer]] = field(default_factory=dict)

    def place(self, kind: StorageType, shape: tuple[int, ...], offset: int) -> GpuBuffer:
        """A tensor at `offset` bytes. Raises BackendError where it is more than can be bound."""
        key = (kind.name, shape, offset)
        if key not in self._placed:
            rows, width = _rows_and_width(shape)
            planes = []
            for size in row_bytes(kind, width):
                if rows * size > self.most_bytes:
                    raise BackendError(
                        f"an activation of {' × '.join(map(str, shape))} values takes "
                        f"{rows * size / 2**20:,.1f} MiB, and this GPU can hold "
                        f"{self.most_bytes / 2**20:,.1f} MiB in one piece: take fewer sequences or "
                        "tokens at once"
                    )
                planes.append(self._plane(offset, rows * size))
                offset += -(-rows * size // 64) * 64
            self._placed[key] = GpuBuffer(kind, shape, (Part(0, rows, tuple(planes)),))
        return self._placed[key]

    def _plane(self, offset: int, size: int) -> PlaneBuffer:
        buffers = self._buffers.setdefault(offset, [])
        fitting = [plane for plane in buffers if plane.size_bytes >= size]
        if not fitting:
            fitting = [PlaneBuffer(self.new(size), size)]
            buffers += fitting
        return PlaneBuffer(min(fitting, key=lambda plane: plane.size_bytes).buffer, size)
