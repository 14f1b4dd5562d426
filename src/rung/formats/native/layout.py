"""The layout of Rung's own model files: safetensors with the Config and storage types in its head.

A weight is stored as the planes of its storage type: the first under the weight's name, such as
blk.0.attn_q.weight, each further one with its own name in place of the last part, such as
blk.0.attn_q.scales. Any storage type can be kept so.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from rung.errors import FormatError
from rung.formats.config_json import config_from_json, config_to_json
from rung.formats.safetensors_file import LENGTH, Planned, pack_header, parse_object
from rung.models.config import Config, weight_shapes
from rung.storage import Plane, StorageType, storage_type

VERSION = "1"
_PREFIX = b'{"__metadata__":{"format":"rung"'
_DTYPES = {"float32": "F32", "float16": "F16", "int8": "I8", "uint8": "U8"}


@dataclass(frozen=True)
class PlaneEntry:
    """One plane as the file has it."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    size_bytes: int


def recognises(head: bytes) -> bool:
    """True where a file that starts with `head` is Rung's own."""
    return head[LENGTH.size :].startswith(_PREFIX)


def plane_entries(name: str, kind: StorageType, shape: tuple[int, ...]) -> tuple[PlaneEntry, ...]:
    """The planes of a weight, in file order."""
    stem = name.rpartition(".")[0]
    entries = []
    for i, (plane, full) in enumerate(zip(kind.planes, kind.plane_shapes(shape), strict=True)):
        size_bytes = plane.dtype.itemsize
        for size in full:
            size_bytes *= size
        # One element a row, as int8pack_mm takes its scales.
        stored = full[:-1] if kind.block is None and plane.per_block == 1 else full
        entries.append(
            PlaneEntry(
                f"{stem}.{plane.name}" if i else name, _dtype(kind, plane), stored, size_bytes
            )
        )
    return tuple(entries)


def _dtype(kind: StorageType, plane: Plane) -> str:
    return "BF16" if kind.name == "bf16" else _DTYPES[plane.dtype.name]


def pack_head(config: Config, types: Mapping[str, StorageType]) -> bytes:
    """The bytes before the first plane: length and JSON, filled up with spaces to 64."""
    by_type: dict[str, list[str]] = {}
    for name, kind in types.items():
        by_type.setdefault(kind.name, []).append(name)
    metadata = {
        "format": "rung",
        "rung.version": VERSION,
        "rung.config": config_to_json(config),
        "rung.types": json.dumps(by_type, separators=(",", ":")),
    }
    planes = [Planned(e.name, e.dtype, e.shape) for e in all_planes(config, types)]
    return pack_header(planes, metadata)


def all_planes(config: Config, types: Mapping[str, StorageType]) -> Iterator[PlaneEntry]:
    """Every plane of a file, in file order."""
    for name, shape in weight_shapes(config).items():
        yield from plane_entries(name, types[name], shape)


def parse_metadata(
    path: Path, metadata: Mapping[str, str]
) -> tuple[Config, dict[str, StorageType]]:
    """The Config and the storage type of each weight. Raises FormatError."""
    version = metadata.get("rung.version")
    if version != VERSION:
        raise FormatError(path, "rung.version", version, f"{VERSION}; a newer Rung may read it")
    config = config_from_json(path, metadata.get("rung.config", ""))
    types: dict[str, StorageType] = {}
    listed = parse_object(path, "rung.types", metadata.get("rung.types", ""))
    for type_name, names in listed.items():
        try:
            kind = storage_type(type_name)
        except KeyError as error:
            raise FormatError(path, "rung.types", repr(type_name)[:40], error.args[0]) from None
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise FormatError(path, f"rung.types {type_name}", "no list of names", "weight names")
        types.update(dict.fromkeys(names, kind))
    return config, types
