"""The header of a GGUF file: its metadata and its table of tensors, every length checked.

The reader of the `gguf` package makes several NumPy arrays of every string in a vocabulary: of a
1.8 MB file with 50,257 tokens it makes 161 MB in 2.3 s. Here a vocabulary is only walked over, and
decoded when somebody asks for it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np

from rung.errors import FormatError
from rung.formats.gguf.types import TensorType, tensor_types, type_name

MAGIC = b"GGUF"
VERSION = 3
STRING, ARRAY = 8, 9  # gguf.constants.GGUFValueType, as all numbers of value types here
_SCALARS = {
    number: np.dtype(code)
    for number, code in {
        0: "u1", 1: "i1", 2: "<u2", 3: "<i2", 4: "<u4", 5: "<i4", 6: "<f4", 7: "?",
        10: "<u8", 11: "<i8", 12: "<f8",
    }.items()
}  # fmt: skip

_COUNT = struct.Struct("<Q")
_NUMBER = struct.Struct("<I")
_HEAD = struct.Struct("<4sIQQ")  # magic, version, tensors, metadata
# More than any model has; each costs Python objects, however few bytes it takes in the file.
_MAX_FIELDS = 1 << 12
_MAX_TENSORS = 1 << 16
_MAX_NAME_BYTES = 1 << 10
_MAX_DIMENSIONS = 4
_MAX_ALIGNMENT = 1 << 20
_DEFAULT_ALIGNMENT = 32


class Field(NamedTuple):
    """Where a value of the metadata lies; of an array, `element` is the type of what it holds."""

    kind: int
    element: int
    length: int
    start: int  # of the first element, and of the length before a string
    stop: int


@dataclass(frozen=True)
class TensorInfo:
    """A tensor of the table; shape has the row length last, start is a place in the file."""

    name: str
    type: TensorType
    shape: tuple[int, ...]
    start: int

    @property
    def size_bytes(self) -> int:
        """Bytes of its values in the file."""
        return self.type.size_bytes(self.shape)


class Metadata(Mapping[str, Any]):
    """The metadata of a GGUF file by key, decoded at every access: keep what you need twice.

    A value is an int, float, bool, str, list of str, or a NumPy array. Access raises FormatError
    for text that is not UTF-8. float32 numbers are those that they were written for: 1e-05, not
    9.999999747378752e-06.
    """

    def __init__(self, path: Path, data: memoryview, fields: dict[str, Field]) -> None:
        self.path = path
        self._data = data
        self._fields = fields

    def __getitem__(self, key: str) -> Any:
        field = self._fields[key]
        if field.kind == STRING:
            return self._text(key, field.start, field.stop)
        if field.kind != ARRAY:
            return _scalar(np.frombuffer(self._data, _SCALARS[field.kind], 1, field.start)[0])
        if field.element == STRING:
            return list(self._texts(key, field))
        return np.frombuffer(self._data, _SCALARS[field.element], field.length, field.start)

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __contains__(self, key: object) -> bool:
        return key in self._fields

    def count(self, key: str) -> int:
        """Number of elements of an array (0 for a missing key), without decoding it."""
        field = self._fields.get(key)
        return field.length if field is not None and field.kind == ARRAY else 0

    def raw(self, key: str) -> bytes:
        """Type and value of a key as the file has them, to copy them to another file."""
        field = self._fields[key]
        head = _NUMBER.pack(field.kind)
        if field.kind == ARRAY:
            head += _NUMBER.pack(field.element) + _COUNT.pack(field.length)
        elif field.kind == STRING:
            head += _COUNT.pack(field.stop - field.start)
        return head + bytes(self._data[field.start : field.stop])

    def _texts(self, key: str, field: Field) -> Iterator[str]:
        offset = field.start
        for _ in range(field.length):
            start = offset + _COUNT.size
            offset = start + _COUNT.unpack_from(self._data, offset)[0]
            yield self._text(key, start, offset)

    def _text(self, key: str, start: int, stop: int) -> str:
        try:
            return str(self._data[start:stop], "utf-8")
        except UnicodeDecodeError:
            raise FormatError(self.path, key, "not UTF-8", "text") from None


def _scalar(value: np.generic) -> int | float | bool:
    """A Python number; of a float32 the shortest decimal that rounds to it."""
    if isinstance(value, np.float32):
        return float(str(value))
    number: int | float | bool = value.item()
    return number


@dataclass(frozen=True)
class Header:
    """What stands before the tensors of one GGUF file."""

    metadata: Metadata
    tensors: tuple[TensorInfo, ...]


def parse_header(path: Path, data: memoryview, *, size_bytes: int | None = None) -> Header:
    """The header of the file whose bytes are `data`; nothing of the tensors is read.

    `size_bytes` is the size of the file where `data` is not all of it. Raises FormatError for
    anything that does not fit in the file, before it is allocated.
    """
    return _Walk(path, data, len(data) if size_bytes is None else size_bytes).header()


class _Walk:
    """A place in the file that moves over what it reads, and never beyond the end."""

    def __init__(self, path: Path, data: memoryview, size_bytes: int) -> None:
        self.path = path
        self.data = data
        self.size_bytes = size_bytes
        self.offset = 0

    def header(self) -> Header:
        n_tensors, n_fields = self._head()
        fields: dict[str, Field] = {}
        for index in range(n_fields):
            key = self._name(f"key {index}")
            if key in fields:
                self._refuse(f"key {key!r}", "there twice", "once")
            fields[key] = self._field(key)
        metadata = Metadata(self.path, self.data, fields)
        places = [self._tensor(index) for index in range(n_tensors)]
        return Header(metadata, self._placed(places, self._alignment(metadata)))

    def _head(self) -> tuple[int, int]:
        """The numbers of tensors and of metadata keys."""
        if len(self.data) < _HEAD.size:
            self._refuse(
                "size", f"{len(self.data)} bytes", f"at least {_HEAD.size} for a GGUF file"
            )
        magic, version, n_tensors, n_fields = _HEAD.unpack_from(self.data)
        if magic != MAGIC:
            self._refuse("magic", repr(magic), repr(MAGIC))
        if version not in (2, VERSION):
            big = version & 0xFFFF == 0
            found = "of the other byte order" if big else version
            self._refuse("version", found, "2 or 3, little-endian")
        for name, count, limit in (
            ("tensor count", n_tensors, _MAX_TENSORS),
            ("metadata count", n_fields, _MAX_FIELDS),
        ):
            if count > limit:
                self._refuse(name, f"{count:,}", f"at most {limit:,}")
        self.offset = _HEAD.size
        return n_tensors, n_fields

    def _refuse(self, field: str, found: object, expected: object) -> NoReturn:
        raise FormatError(self.path, field, found, expected)

    def _take(self, size_bytes: int, what: str) -> int:
        """Moves over `size_bytes` and returns where they start."""
        start = self.offset
        if size_bytes > len(self.data) - start:
            left = f"{len(self.data) - start:,} bytes before the end of the file"
            self._refuse(what, f"{size_bytes:,} bytes long", f"at most the {left}")
        self.offset = start + size_bytes
        return start

    def _number(self, what: str) -> int:
        return int(_NUMBER.unpack_from(self.data, self._take(_NUMBER.size, what))[0])

    def _count(self, what: str) -> int:
        return int(_COUNT.unpack_from(self.data, self._take(_COUNT.size, what))[0])

    def _name(self, what: str) -> str:
        length = self._count(what)
        if not 1 <= length <= _MAX_NAME_BYTES:
            self._refuse(f"length of {what}", f"{length:,}", f"1 to {_MAX_NAME_BYTES:,} bytes")
        start = self._take(length, what)
        try:
            name = str(self.data[start : self.offset], "utf-8")
        except UnicodeDecodeError:
            self._refuse(what, "not UTF-8", "text")
        if not name.isprintable():
            self._refuse(what, repr(name), "printable text")
        return name

    def _field(self, key: str) -> Field:
        kind = self._number(key)
        if kind != ARRAY:
            return self._elements(key, kind, kind, 1)
        element, count = self._number(key), self._count(key)
        if element == STRING:
            return self._strings(key, count)
        return self._elements(key, kind, element, count)

    def _elements(self, key: str, kind: int, element: int, count: int) -> Field:
        if element == STRING:
            size_bytes = self._count(key)
        elif element in _SCALARS:
            size_bytes = count * _SCALARS[element].itemsize
        else:
            self._refuse(f"type of {key}", element, "a value type of GGUF, arrays not nested")
        start = self._take(size_bytes, key)
        return Field(kind, element, count, start, self.offset)

    def _strings(self, key: str, count: int) -> Field:
        """Walks over an array of strings; a vocabulary may have hundreds of thousands."""
        start, end, data = self.offset, len(self.data), self.data
        if count > (end - start) // _COUNT.size:
            self._refuse(f"length of {key}", f"{count:,}", "as many strings as the file can hold")
        offset, unpack = start, _COUNT.unpack_from
        for index in range(count):
            if offset > end - 8:
                self._refuse(f"{key}[{index}]", "cut short by the end of the file", "whole")
            offset += 8 + unpack(data, offset)[0]
        if offset > end:
            self._refuse(f"end of {key}", f"{offset:,}", f"within the file's {end:,} bytes")
        self.offset = offset
        return Field(ARRAY, STRING, count, start, offset)

    def _tensor(self, index: int) -> tuple[str, TensorType, tuple[int, ...], int]:
        """Name, type, shape and offset in the data of the next tensor of the table."""
        name = self._name(f"name of tensor {index}")
        n_dimensions = self._number(f"number of dimensions of {name}")
        if not 1 <= n_dimensions <= _MAX_DIMENSIONS:
            expected = f"1 to {_MAX_DIMENSIONS}"
            self._refuse(f"number of dimensions of {name}", n_dimensions, expected)
        sizes = tuple(self._count(f"shape of {name}") for _ in range(n_dimensions))
        shape = sizes[::-1]  # a file has the row length first
        if min(shape) < 1:
            self._refuse(f"shape of {name}", list(shape), "at least 1 in each dimension")
        number = self._number(f"type of {name}")
        kind = tensor_types().get(number)
        if kind is None:
            known = ", ".join(known.name for known in tensor_types().values())
            self._refuse(f"type of {name}", type_name(number), f"one of {known}")
        if shape[-1] % kind.block:
            expected = f"a multiple of {kind.block} for {kind.name}"
            self._refuse(f"row length of {name}", shape[-1], expected)
        return name, kind, shape, self._count(f"offset of {name}")

    def _alignment(self, metadata: Metadata) -> int:
        alignment = metadata.get("general.alignment", _DEFAULT_ALIGNMENT)
        # A power of two; bool is an int as well.
        if (
            type(alignment) is not int
            or not 1 <= alignment <= _MAX_ALIGNMENT
            or alignment & (alignment - 1)
        ):
            expected = f"a power of two up to {_MAX_ALIGNMENT:,}"
            self._refuse("general.alignment", repr(alignment)[:80], expected)
        return alignment

    def _placed(
        self, places: list[tuple[str, TensorType, tuple[int, ...], int]], alignment: int
    ) -> tuple[TensorInfo, ...]:
        """The tensors with their places in the file, none beyond its end or upon another."""
        data_start = -(-self.offset // alignment) * alignment
        tensors, names = [], set()
        for name, kind, shape, offset in places:
            if name in names:
                self._refuse(f"tensor {name}", "there twice", "once")
            names.add(name)
            if offset % alignment:
                self._refuse(f"offset of {name}", f"{offset:,}", f"a multiple of {alignment}")
            tensors.append(TensorInfo(name, kind, shape, data_start + offset))
        end = 0
        for info in sorted(tensors, key=lambda info: info.start):
            if info.start < end:
                self._refuse(f"offset of {info.name}", "within another tensor", "behind it")
            end = info.start + info.size_bytes
            if end > self.size_bytes:
                missing = f"{end - self.size_bytes:,} bytes beyond the end of the file"
                self._refuse(f"tensor {info.name}", missing, "within the file; it may be cut short")
        return tuple(tensors)
