"""The layout of a llama2.c checkpoint: header, order and size of what follows, for all versions.

v0 is a bare header of seven int32 and float32 weights; v1 has a magic number and a version, v2
int8 weights besides. Reading and writing both walk `Header.entries`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from rung.errors import FormatError
from rung.models.config import Config, Rope, weight_shapes
from rung.storage import F32, StorageType, storage_type

MAGIC = 0x616B3432
_MAGIC_BYTES = MAGIC.to_bytes(4, "little")
HEADER_BYTES = 256  # of v1 and v2
ROPE_TABLES = ("rope_cos", "rope_sin")  # v0 holds them; nothing reads them

_LEGACY = struct.Struct("<7i")
_VERSIONED = struct.Struct("<Ii7iBi")  # magic, version, fields, shared classifier, group size
_MAX_GROUP_SIZE = 1 << 16

# The seven int32 in file order, and the most each may be: far above any model, and low enough to
# tell a file that is no checkpoint from one that is.
_LIMITS = {
    "dim": 1 << 20,
    "hidden_dim": 1 << 22,
    "n_layers": 1 << 10,
    "n_heads": 1 << 16,
    "n_kv_heads": 1 << 16,
    "vocab_size": 1 << 24,
    "seq_len": 1 << 24,
}


@dataclass(frozen=True)
class Entry:
    """One tensor of the file, in file order."""

    name: str
    type: StorageType
    shape: tuple[int, ...]

    @property
    def size_bytes(self) -> int:
        """Bytes it takes in the file; there is no padding."""
        return self.type.size_bytes(self.shape)


@dataclass(frozen=True)
class Header:
    """What the head of a llama2.c checkpoint says; group_size is 0 except in v2."""

    version: int
    config: Config
    group_size: int = 0

    @property
    def size_bytes(self) -> int:
        """Bytes before the first tensor."""
        return HEADER_BYTES if self.version else _LEGACY.size

    @property
    def matrix_type(self) -> StorageType:
        """The storage type of matrices; norms are always float32."""
        return storage_type(f"i8_g{self.group_size}") if self.group_size else F32

    @property
    def label(self) -> str:
        """The format in words, such as "llama2.c v2 (int8, groups of 64)"."""
        kind = f"int8, groups of {self.group_size}" if self.group_size else "float32"
        return f"llama2.c v{self.version} ({kind})"

    @property
    def file_bytes(self) -> int:
        """The size of the whole file.

        One layer is measured and multiplied: a header may claim a thousand layers, and what a
        header claims must cost nothing until the file is known to be that large.
        """
        layers = self.config.n_layers
        single = replace(self, config=replace(self.config, n_layers=1))
        return self.size_bytes + sum(
            entry.size_bytes * (layers if entry.name.startswith("blk.") else 1)
            for entry in single.entries()
        )

    def entries(self) -> Iterator[Entry]:
        """Every tensor of the file, in file order."""
        shapes = weight_shapes(self.config)
        for name in self._names():
            if name in ROPE_TABLES:
                shape: tuple[int, ...] = (self.config.context_length, self.config.head_dim // 2)
                yield Entry(name, F32, shape)
            else:
                shape = shapes[name]
                yield Entry(name, F32 if len(shape) == 1 else self.matrix_type, shape)

    def _names(self) -> Iterator[str]:
        """Names in file order: v0 has a norm before its matrices, v1 and v2 all norms first."""

        def blocks(*parts: str) -> Iterator[str]:
            for part in parts:
                for layer in range(self.config.n_layers):
                    yield f"blk.{layer}.{part}.weight"

        attention = ("attn_q", "attn_k", "attn_v", "attn_output")
        ffn = ("ffn_gate", "ffn_down", "ffn_up")
        if self.version == 0:
            yield "token_embd.weight"
            yield from blocks("attn_norm", *attention, "ffn_norm", *ffn)
            yield "output_norm.weight"
            yield from ROPE_TABLES
        else:
            yield from blocks("attn_norm", "ffn_norm")
            yield "output_norm.weight"
            yield "token_embd.weight"
            yield from blocks(*attention, *ffn)
        if not self.config.tied_output:
            yield "output.weight"

    def check(self, path: Path) -> None:
        """Raises FormatError where a field is out of range or does not fit another.

        `path` is the file that the error names.
        """
        _check_fields(path, self._fields())
        if self.version == 2:
            _check_group_size(path, self.group_size, self.config)

    def pack(self) -> bytes:
        """The bytes of the header."""
        fields = self._fields()
        tied = self.config.tied_output
        if self.version == 0:
            fields["vocab_size"] *= 1 if tied else -1
            return _LEGACY.pack(*fields.values())
        head = _VERSIONED.pack(MAGIC, self.version, *fields.values(), tied, self.group_size)
        return head.ljust(HEADER_BYTES, b"\0")

    def _fields(self) -> dict[str, int]:
        """The seven int32 of every version, by name and in file order."""
        names = {"seq_len": "context_length"}
        return {name: getattr(self.config, names.get(name, name)) for name in _LIMITS}


def recognises(head: bytes) -> bool:
    """True where a file that starts with `head` (HEADER_BYTES, if it has them) is llama2.c's.

    v0 has no magic: one wrong field of seven still leaves it recognised, so that the error can
    name the field.
    """
    if head.startswith(_MAGIC_BYTES):
        return True
    if len(head) < _LEGACY.size:
        return False
    fields, _ = _legacy_fields(head)
    return sum(1 <= fields[name] <= _LIMITS[name] for name in _LIMITS) >= len(_LIMITS) - 1


def parse_header(path: Path, head: bytes) -> Header:
    """The header in the first HEADER_BYTES of a file, checked. Raises FormatError."""
    versioned = head.startswith(_MAGIC_BYTES)
    size_bytes = HEADER_BYTES if versioned else _LEGACY.size
    if len(head) < size_bytes:
        expected = f"at least {size_bytes} bytes, a llama2.c header"
        raise FormatError(path, "size", f"{len(head)} bytes", expected)
    return _parse_versioned(path, head) if versioned else _parse_legacy(path, head)


def _parse_legacy(path: Path, head: bytes) -> Header:
    fields, tied = _legacy_fields(head)
    _check_fields(path, fields)
    return Header(0, plain_config(fields, tied=tied))


def _legacy_fields(head: bytes) -> tuple[dict[str, int], bool]:
    """The fields of a v0 header, and whether the output is tied: vocab_size is negative if not."""
    fields = dict(zip(_LIMITS, _LEGACY.unpack_from(head), strict=True))
    tied = fields["vocab_size"] > 0
    return fields | {"vocab_size": abs(fields["vocab_size"])}, tied


def _parse_versioned(path: Path, head: bytes) -> Header:
    _, version, *values, shared, group_size = _VERSIONED.unpack_from(head)
    if version not in (1, 2):
        raise FormatError(path, "version", version, "1 or 2 after the magic of llama2.c")
    fields = dict(zip(_LIMITS, values, strict=True))
    _check_fields(path, fields)
    if shared not in (0, 1):
        raise FormatError(path, "shared_classifier", shared, "0 or 1")
    config = plain_config(fields, tied=bool(shared))
    if version == 1:
        return Header(1, config)
    _check_group_size(path, group_size, config)
    return Header(2, config, group_size)


def _check_fields(path: Path, fields: dict[str, int]) -> None:
    for name, limit in _LIMITS.items():
        if not 1 <= fields[name] <= limit:
            raise FormatError(path, name, fields[name], f"1 to {limit:,}")
    dim, n_heads, n_kv_heads = fields["dim"], fields["n_heads"], fields["n_kv_heads"]
    if dim % n_heads:
        raise FormatError(path, "dim", dim, f"a multiple of n_heads {n_heads}")
    if n_heads % n_kv_heads:
        raise FormatError(path, "n_heads", n_heads, f"a multiple of n_kv_heads {n_kv_heads}")
    if dim // n_heads % 2:
        expected = "an even number, for RoPE turns pairs"
        raise FormatError(path, "dim / n_heads", dim // n_heads, expected)


def _check_group_size(path: Path, group_size: int, config: Config) -> None:
    if not 1 <= group_size <= _MAX_GROUP_SIZE:
        raise FormatError(path, "group_size", group_size, f"1 to {_MAX_GROUP_SIZE:,}")
    for name in ("dim", "hidden_dim"):
        if (width := getattr(config, name)) % group_size:
            expected = f"a multiple of group_size {group_size}, so that each row is whole groups"
            raise FormatError(path, name, width, expected)


def plain_config(fields: dict[str, int], *, tied: bool) -> Config:
    """The only kind of model that llama2.c has, in these sizes."""
    head_dim = max(fields["dim"] // fields["n_heads"], 1)
    return Config(
        dim=fields["dim"],
        hidden_dim=fields["hidden_dim"],
        n_layers=fields["n_layers"],
        n_heads=fields["n_heads"],
        n_kv_heads=fields["n_kv_heads"],
        head_dim=head_dim,
        vocab_size=fields["vocab_size"],
        context_length=fields["seq_len"],
        rope=Rope(dims=head_dim // 2 * 2),
        tied_output=tied,
    )
