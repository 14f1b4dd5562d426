"""Tensors of a PyTorch checkpoint (a zip of a pickle and raw storages), mapped, nothing trusted.

The zip's table and the pickle are looked through before torch sees them: no compressed parts, no
names but those that tensors need. torch then loads it with weights_only and leaves it mapped.
"""

from __future__ import annotations

import pickletools
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rung.errors import FormatError, RungError
from rung.formats.files import opened
from rung.storage import Array

EXPECTED = "a PyTorch checkpoint"
PICKLE_NAME = b"data.pkl"
ZIP_MAGIC = b"PK\x03\x04"

_MAX_PICKLE_BYTES = 1 << 22  # 126 layers take 300 KB; its objects take many times its bytes
_MAX_TABLE_BYTES = 1 << 24
_END = struct.Struct("<4s4H2LH")  # end of the central directory; the table's size is the sixth
_LONG_END = struct.Struct("<4sQ2H2L4Q")  # the same of a zip64; the table's size is the ninth
_END_MAGIC, _LONG_END_MAGIC = b"PK\x05\x06", b"PK\x06\x06"

_STORAGES = ("Float", "Half", "BFloat16", "Char", "Byte", "Int", "Long", "Bool", "Double")
_ALLOWED = {
    "collections OrderedDict",
    "torch._utils _rebuild_parameter",
    "torch._utils _rebuild_tensor_v2",
    *(f"torch {name}Storage" for name in _STORAGES),
}


@dataclass(frozen=True)
class RawTensor:
    """A tensor as NumPy sees it; bfloat16 is the uint16 of its bits, told by `dtype`."""

    dtype: str  # float32, float16, bfloat16, int8 …
    values: Array


def recognises(head: bytes) -> bool:
    """True where a file that starts with `head` is a zip whose first part is a pickle of torch."""
    return head.startswith(ZIP_MAGIC) and PICKLE_NAME in head


def read_tensors(path: Path) -> dict[str, RawTensor]:
    """The state dict in the file at `path`, as read-only views of the mapped file.

    Raises FormatError for a file that is damaged or holds anything but plain tensors, RungError
    where torch is not installed.
    """
    _check_zip(path)
    torch = _torch()
    try:
        state = torch.load(str(path), map_location="cpu", mmap=True, weights_only=True)
    except Exception as error:  # what torch raises for a damaged file is of every kind
        reason = (str(error).splitlines() or [""])[0][:120]
        found = f"not readable by torch ({type(error).__name__}: {reason})"
        raise FormatError(path, "content", found, EXPECTED) from None
    if not isinstance(state, dict):
        raise FormatError(path, "content", f"a {type(state).__name__}", "tensors by name")
    return {_name(path, name): _raw(torch, path, name, value) for name, value in state.items()}


def _torch() -> Any:
    try:
        import torch
    except ImportError:
        raise RungError(
            'reading a PyTorch checkpoint needs torch: pip install "rung[torch]"'
        ) from None
    return torch


def _check_zip(path: Path) -> None:
    """Raises FormatError for a zip that torch's writer would not have made."""
    with opened(path, EXPECTED) as file:
        size_bytes = file.seek(0, 2)
        file.seek(max(0, size_bytes - (1 << 16)))
        _check_table(path, file.read())
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
            for part in parts:
                _check_part(path, part, size_bytes)
            pickles = [part for part in parts if part.filename.endswith("/data.pkl")]
            if len(pickles) != 1:
                raise FormatError(path, "pickles", len(pickles), "one data.pkl in the zip")
            if pickles[0].file_size > _MAX_PICKLE_BYTES:
                expected = f"at most {_MAX_PICKLE_BYTES:,} bytes"
                raise FormatError(path, "data.pkl", f"{pickles[0].file_size:,} bytes", expected)
            pickle = archive.read(pickles[0])
    except (zipfile.BadZipFile, OSError, EOFError, ValueError, NotImplementedError) as error:
        found = f"damaged ({str(error)[:120]})"
        raise FormatError(path, "zip", found, EXPECTED) from None
    _check_pickle(path, pickle)


def _check_table(path: Path, tail: bytes) -> None:
    """Raises FormatError where the zip's table claims to be larger than any model needs."""
    sizes = [0]
    if 0 <= (at := tail.rfind(_END_MAGIC)) <= len(tail) - _END.size:
        sizes.append(_END.unpack_from(tail, at)[5])
    if 0 <= (at := tail.rfind(_LONG_END_MAGIC)) <= len(tail) - _LONG_END.size:
        sizes.append(_LONG_END.unpack_from(tail, at)[8])
    # All bits set mean that the size stands in the zip64 record.
    largest = max(size for size in sizes if size != 0xFFFFFFFF)
    if largest > _MAX_TABLE_BYTES:
        expected = f"at most {_MAX_TABLE_BYTES:,}"
        raise FormatError(path, "zip", f"a table of {largest:,} bytes", expected)


def _check_part(path: Path, part: zipfile.ZipInfo, size_bytes: int) -> None:
    name = f"zip part {part.filename[:80]!r}"
    if part.compress_type != zipfile.ZIP_STORED or part.compress_size != part.file_size:
        raise FormatError(path, name, "compressed", "stored as it is")
    if part.header_offset + part.file_size > size_bytes:
        raise FormatError(path, name, f"{part.file_size:,} bytes", "inside the file")


def _check_pickle(path: Path, pickle: bytes) -> None:
    """Raises FormatError for a pickle that names more than tensors need."""
    try:
        for opcode, argument, _ in pickletools.genops(pickle):
            if opcode.name in ("GLOBAL", "INST") and argument not in _ALLOWED:
                raise FormatError(path, "pickle", f"a use of {argument!s:.80}", "tensors only")
            if opcode.name in ("STACK_GLOBAL", "EXT1", "EXT2", "EXT4", "NEXT_BUFFER"):
                raise FormatError(path, "pickle", f"a use of {opcode.name}", "tensors only")
    except (ValueError, IndexError, UnicodeError) as error:
        reason = (str(error).splitlines() or [""])[0][:120]
        raise FormatError(path, "pickle", f"damaged ({reason})", EXPECTED) from None


def _name(path: Path, name: object) -> str:
    if not isinstance(name, str):
        raise FormatError(path, "name of a tensor", repr(name)[:80], "text")
    return name


def _raw(torch: Any, path: Path, name: str, value: Any) -> RawTensor:
    """One tensor as a read-only array that shares its memory, but for one at an odd address."""
    if not isinstance(value, torch.Tensor):
        raise FormatError(path, name, f"a {type(value).__name__}", "a tensor")
    value = value.detach()
    plain = value.layout is torch.strided and value.device.type == "cpu"
    # One value stretched over a large shape would take no memory here, and much of it later.
    if not plain or not value.is_contiguous():
        raise FormatError(path, name, "not laid out row by row", "a plain tensor")
    last = (value.storage_offset() + value.numel()) * value.element_size()
    if last > value.untyped_storage().nbytes():
        raise FormatError(path, name, f"{list(value.shape)}", "a shape that its storage holds")
    dtype = str(value.dtype).removeprefix("torch.")
    if dtype == "bfloat16":
        values = value.view(torch.int16).numpy().view(np.uint16)
    else:
        values = value.numpy()
    # torch reads a part of the zip wherever it stands; a copy stands where its values can.
    values = np.require(values, requirements="A")
    values.flags.writeable = False
    return RawTensor(dtype, values)
