"""Read a safetensors file: a checked table of tensors, their bytes left in the mapped file.

The file is the length of its header (uint64), the header (a JSON object that gives each tensor its
type, shape and place), and the tensors' bytes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rung.errors import FormatError
from rung.formats.files import aligned, mapped
from rung.formats.json_fields import Fields, parse_object, shortened
from rung.storage import StoredTensor, storage_type

_LENGTH_BYTES = 8
_MOST_HEADER_BYTES = 16 << 20  # parsed JSON takes about ten times its text in memory
_MOST_DIMENSIONS = 8
_TYPES = {"F32": "f32", "F16": "f16", "BF16": "bf16"}
_OTHER_BYTES = {"F64": 8, "I64": 8, "U64": 8, "I32": 4, "U32": 4, "I16": 2, "U16": 2}
_OTHER_BYTES |= {"I8": 1, "U8": 1, "BOOL": 1, "F8_E4M3": 1, "F8_E5M2": 1}


@dataclass(frozen=True)
class Entry:
    """One tensor of a file: its type as the file names it, and its bytes, mapped."""

    path: Path
    name: str
    type_name: str
    shape: tuple[int, ...]
    data: NDArray[np.uint8]

    def stored(self) -> StoredTensor:
        """The tensor, a view of the file. Raises FormatError for a type other than floats."""
        if self.type_name not in _TYPES:
            expected = " or ".join(_TYPES)
            raise FormatError(self.path, f"type of {self.name}", self.type_name, expected)
        kind = storage_type(_TYPES[self.type_name])
        values = self.data.view(kind.planes[0].dtype).reshape(self.shape)
        return StoredTensor(kind, self.shape, (aligned(values),))


def read(path: Path) -> dict[str, Entry]:
    """The tensors of the file at `path` by name.

    Raises FormatError for a file that is missing or whose header is not one of safetensors: every
    length, size and place is checked against the file before it is used.
    """
    data = mapped(path, "a safetensors file")
    if data.size < _LENGTH_BYTES:
        raise FormatError(path, "size", f"{data.size} bytes", "8 or more, of a safetensors file")
    length = int.from_bytes(data[:_LENGTH_BYTES].tobytes(), "little")
    most = min(data.size - _LENGTH_BYTES, _MOST_HEADER_BYTES)
    if length > most:
        raise FormatError(path, "length of the header", length, f"at most {most:,} bytes")
    body = data[_LENGTH_BYTES + length :]
    header = parse_object(path, "header", data[_LENGTH_BYTES : _LENGTH_BYTES + length].tobytes())
    return {name: _entry(header, name, body) for name in header if name != "__metadata__"}


def _entry(header: Fields, name: str, body: NDArray[np.uint8]) -> Entry:
    fields = header.object(name)
    type_name = fields.text("dtype")
    shape = _whole_numbers(fields, "shape")
    offsets = _whole_numbers(fields, "data_offsets")
    if len(shape) > _MOST_DIMENSIONS:
        raise fields.refuse("shape", f"at most {_MOST_DIMENSIONS} sizes")
    if len(offsets) != 2 or not offsets[0] <= offsets[1] <= body.size:
        raise fields.refuse("data_offsets", f"a start and an end within {body.size:,} bytes")
    if type_name in _TYPES:
        size_bytes = storage_type(_TYPES[type_name]).planes[0].dtype.itemsize
    elif type_name in _OTHER_BYTES:
        size_bytes = _OTHER_BYTES[type_name]
    else:
        raise fields.refuse("dtype", "a type of safetensors")
    wanted = math.prod(shape) * size_bytes
    if offsets[1] - offsets[0] != wanted:
        raise fields.refuse(
            "data_offsets", f"{wanted:,} bytes for {type_name} {shortened(list(shape))}"
        )
    return Entry(header.path, name, type_name, shape, body[offsets[0] : offsets[1]])


def _whole_numbers(fields: Fields, name: str) -> tuple[int, ...]:
    values = fields.items(name)
    if not all(isinstance(v, int) and not isinstance(v, bool) and v >= 0 for v in values):
        raise fields.refuse(name, "a list of whole numbers")
    return tuple(values)
