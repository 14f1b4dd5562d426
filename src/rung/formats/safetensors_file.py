"""The safetensors container: a checked header and tensors as views of the mapped file.

Eight bytes of length, JSON, then the tensors without gaps. Only what the header says of a tensor
is believed, and only after it fits the file.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rung.errors import FormatError
from rung.formats.files import mapped

LENGTH = struct.Struct("<Q")
METADATA = "__metadata__"
_MAX_HEADER_BYTES = 1 << 24
_MAX_TENSORS = 1 << 16  # Python objects of a header take ten times its bytes: so few may be made
_MAX_DIMENSIONS = 8
_ALIGNMENT = 64

ELEMENT_BYTES = {
    "F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1,
    "U64": 8, "U32": 4, "U16": 2, "U8": 1, "BOOL": 1, "F8_E4M3": 1, "F8_E5M2": 1,
}  # fmt: skip


@dataclass(frozen=True)
class Tensor:
    """A tensor of the file: dtype as safetensors writes it, and its bytes, mapped."""

    dtype: str
    shape: tuple[int, ...]
    data: NDArray[np.uint8]


@dataclass(frozen=True)
class Planned:
    """A tensor of a file to write."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def size_bytes(self) -> int:
        """Bytes of its values."""
        return prod(self.shape) * ELEMENT_BYTES[self.dtype]


def pack_header(tensors: Sequence[Planned], metadata: Mapping[str, str]) -> bytes:
    """The bytes before the first tensor; filled up with spaces, so that tensors lie on 64 bytes."""
    header: dict[str, object] = {METADATA: dict(metadata)}
    offset = 0
    for tensor in tensors:
        stop = offset + tensor.size_bytes
        header[tensor.name] = {
            "dtype": tensor.dtype,
            "shape": tensor.shape,
            "data_offsets": (offset, stop),
        }
        offset = stop
    text = json.dumps(header, separators=(",", ":")).encode()
    size = -(-(len(text) + LENGTH.size) // _ALIGNMENT) * _ALIGNMENT
    return LENGTH.pack(size - LENGTH.size) + text.ljust(size - LENGTH.size)


@dataclass(frozen=True)
class SafetensorsFile:
    """What a safetensors file holds."""

    path: Path
    metadata: Mapping[str, str]
    tensors: Mapping[str, Tensor]
    size_bytes: int


def open_safetensors(path: Path) -> SafetensorsFile:
    """The file at `path`, its tensors mapped. Raises FormatError for anything out of order."""
    data = mapped(path, "a safetensors file")
    header, start = _header(path, data)
    metadata = header.pop(METADATA, {})
    texts = isinstance(metadata, dict) and all(isinstance(v, str) for v in metadata.values())
    if not texts:
        raise FormatError(path, METADATA, "not an object of texts", "names with texts")
    tensors = {name: _tensor(path, name, entry, data[start:]) for name, entry in header.items()}
    _check_cover(path, header, data.size - start)
    return SafetensorsFile(path, metadata, tensors, int(data.size))


def _header(path: Path, data: NDArray[np.uint8]) -> tuple[dict[str, Any], int]:
    """The header as JSON, and where the tensors begin."""
    if data.size < LENGTH.size + 2:
        raise FormatError(path, "size", f"{data.size} bytes", "at least 10, a safetensors header")
    length = LENGTH.unpack(data[: LENGTH.size].tobytes())[0]
    room = min(data.size - LENGTH.size, _MAX_HEADER_BYTES)
    if not 2 <= length <= room:
        raise FormatError(path, "header length", f"{length:,}", f"2 to {room:,} bytes")
    text = data[LENGTH.size : LENGTH.size + length].tobytes()
    if text.count(b"{") > _MAX_TENSORS or text.count(b"[") > 2 * _MAX_TENSORS:
        raise FormatError(path, "header", "of too many parts", f"at most {_MAX_TENSORS:,} tensors")
    if text.count(b",") > 8 * _MAX_TENSORS:
        raise FormatError(path, "header", "of too many parts", f"at most {_MAX_TENSORS:,} tensors")
    return parse_object(path, "header", text), LENGTH.size + length


def parse_object(path: Path, field: str, text: str | bytes) -> dict[str, Any]:
    """JSON text as a dict, each key once. Raises FormatError naming `field` of the file."""
    try:
        value = json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise FormatError(path, field, f"not JSON ({error})", "a JSON object") from None
    if not isinstance(value, dict):
        raise FormatError(path, field, f"a JSON {type(value).__name__}", "a JSON object")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        raise ValueError("a name stands there twice")
    return result


def _tensor(path: Path, name: str, entry: object, body: NDArray[np.uint8]) -> Tensor:
    fields = entry if isinstance(entry, dict) else {}
    dtype = fields.get("dtype")
    if not isinstance(dtype, str) or dtype not in ELEMENT_BYTES:
        raise FormatError(
            path, f"dtype of {name}", repr(dtype), f"one of {', '.join(ELEMENT_BYTES)}"
        )
    shape = _counts(path, f"shape of {name}", fields.get("shape"), _MAX_DIMENSIONS)
    offsets = _counts(path, f"data_offsets of {name}", fields.get("data_offsets"), 2)
    size_bytes = prod(shape) * ELEMENT_BYTES[dtype]
    if len(offsets) != 2 or offsets[1] > body.size or offsets[1] - offsets[0] != size_bytes:
        expected = f"{size_bytes:,} bytes for {dtype} {list(shape)} inside the {body.size:,} there"
        raise FormatError(path, f"data_offsets of {name}", list(offsets), expected)
    return Tensor(dtype, shape, body[offsets[0] : offsets[1]])


def _counts(path: Path, field: str, value: object, most: int) -> tuple[int, ...]:
    """A list of at most `most` whole numbers from 0 on."""
    counts = value if isinstance(value, list) and len(value) <= most else [None]
    if not all(type(n) is int and 0 <= n < 1 << 48 for n in counts):
        raise FormatError(path, field, repr(value)[:80], f"a list of up to {most} counts")
    return tuple(counts)


def _check_cover(path: Path, header: Mapping[str, Any], size_bytes: int) -> None:
    """Raises FormatError where tensors overlap, leave gaps, or do not end with the file."""
    end = 0
    spans = sorted((*entry["data_offsets"], name) for name, entry in header.items())
    for start, stop, name in spans:
        if start != end:
            raise FormatError(path, f"start of {name}", f"{start:,}", f"{end:,}, without a gap")
        end = stop
    if end != size_bytes:
        raise FormatError(
            path, "size", f"{size_bytes:,} bytes after the header", f"{end:,}, where tensors end"
        )
