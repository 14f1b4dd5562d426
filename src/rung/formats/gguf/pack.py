"""The bytes of a GGUF header: values of metadata, and the table of tensors."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rung.formats.gguf.header import ARRAY, MAGIC, STRING, VERSION
from rung.formats.gguf.types import TensorType

ALIGNMENT = 32
_UINT32, _INT32, _FLOAT32, _BOOL = 4, 5, 6, 7


class Planned(NamedTuple):
    """A tensor of a file to write."""

    name: str
    type: TensorType
    shape: tuple[int, ...]

    @property
    def size_bytes(self) -> int:
        """Bytes of its values, without what fills up to the next one."""
        return self.type.size_bytes(self.shape)


def padding(offset: int, alignment: int = ALIGNMENT) -> int:
    """Bytes from `offset` to the next place where a tensor may start."""
    return -offset % alignment


def text(value: str) -> bytes:
    """A string."""
    return struct.pack("<I", STRING) + _counted(value.encode())


def integer(value: int) -> bytes:
    """A uint32."""
    return struct.pack("<II", _UINT32, value)


def number(value: float) -> bytes:
    """A float32."""
    return struct.pack("<If", _FLOAT32, value)


def flag(value: bool) -> bytes:
    """A yes or no."""
    return struct.pack("<I?", _BOOL, value)


def strings(values: Sequence[bytes]) -> bytes:
    """An array of strings."""
    return struct.pack("<IIQ", ARRAY, STRING, len(values)) + b"".join(map(_counted, values))


def integers(values: Iterable[int]) -> bytes:
    """An array of int32."""
    return _array(_INT32, np.fromiter(values, np.int32))


def numbers(values: NDArray[np.float32]) -> bytes:
    """An array of float32."""
    return _array(_FLOAT32, values.astype("<f4"))


def flags(values: Iterable[bool]) -> bytes:
    """An array of yes and no."""
    return _array(_BOOL, np.fromiter(values, np.bool_))


def pack_header(
    metadata: Mapping[str, bytes], tensors: Sequence[Planned], alignment: int = ALIGNMENT
) -> bytes:
    """Everything before the first tensor; the tensors follow in order, each filled up.

    Another `alignment` must stand in the metadata as well, as general.alignment.
    """
    parts = [struct.pack("<4sIQQ", MAGIC, VERSION, len(tensors), len(metadata))]
    for key, value in metadata.items():
        parts += [_counted(key.encode()), value]
    offset = 0
    for tensor in tensors:
        sizes = tensor.shape[::-1]
        parts.append(_counted(tensor.name.encode()))
        parts.append(struct.pack(f"<I{len(sizes)}Q", len(sizes), *sizes))
        parts.append(struct.pack("<IQ", tensor.type.number, offset))
        offset += tensor.size_bytes + padding(tensor.size_bytes, alignment)
    packed = b"".join(parts)
    return packed + bytes(padding(len(packed), alignment))


def _counted(data: bytes) -> bytes:
    return struct.pack("<Q", len(data)) + data


def _array(element: int, values: NDArray[np.generic]) -> bytes:
    return struct.pack("<IIQ", ARRAY, element, values.size) + values.tobytes()
