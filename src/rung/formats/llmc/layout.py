"""The layout of an llm.c GPT-2 checkpoint: header, order and size of what follows.

Version 3 holds float32, version 5 bfloat16. Tensors of all layers lie stacked; the rows of the
query, the key and the value of a layer follow one another, so each is a matrix of its own. The
token table is padded with rows that no token has. Reading and writing both walk `Header.entries`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rung.errors import FormatError
from rung.models.config import Config, weight_shapes
from rung.storage import F32, StorageType, storage_type

MAGIC = 20240326
MAGIC_BYTES = MAGIC.to_bytes(4, "little")
HEADER_BYTES = 1024
TOKEN_TABLE = "token_embd.weight"

_HEADER = struct.Struct("<8i")  # magic, version and the fields below; zeros follow
_TYPE_NAMES = {3: "f32", 5: "bf16"}
_VOCAB_MULTIPLE = 128  # what llm.c pads the token table to
_GPT2_VOCAB, _GPT2_END_OF_TEXT = 50257, 50256

# The int32 after the version in file order, and the most each may be: far above any model, and low
# enough to tell a file that is no checkpoint from one that is.
_LIMITS = {
    "max_T": 1 << 24,
    "V": 1 << 24,
    "L": 1 << 10,
    "NH": 1 << 16,
    "C": 1 << 20,
    "V_padded": 1 << 25,
}

# What each layer has, in file order; the parts of a line lie together, layer by layer.
_STACKS = (
    ("attn_norm.weight",),
    ("attn_norm.bias",),
    ("attn_q.weight", "attn_k.weight", "attn_v.weight"),
    ("attn_q.bias", "attn_k.bias", "attn_v.bias"),
    ("attn_output.weight",),
    ("attn_output.bias",),
    ("ffn_norm.weight",),
    ("ffn_norm.bias",),
    ("ffn_up.weight",),
    ("ffn_up.bias",),
    ("ffn_down.weight",),
    ("ffn_down.bias",),
)


@dataclass(frozen=True)
class Entry:
    """One weight of the file, in file order; `padding_rows` follow it that belong to no weight."""

    name: str
    type: StorageType
    shape: tuple[int, ...]
    padding_rows: int = 0

    @property
    def padding_bytes(self) -> int:
        """Bytes of the rows that belong to no weight."""
        return self.type.size_bytes((self.padding_rows, *self.shape[1:]))

    @property
    def size_bytes(self) -> int:
        """Bytes of the weight itself."""
        return self.type.size_bytes(self.shape)


@dataclass(frozen=True)
class Header:
    """What the head of an llm.c checkpoint says; padded_vocab: rows of the stored token table."""

    version: int
    config: Config
    padded_vocab: int

    @property
    def type(self) -> StorageType:
        """The storage type of every tensor in the file."""
        return storage_type(_TYPE_NAMES[self.version])

    @property
    def label(self) -> str:
        """The format in words, such as "llm.c v3 (float32)"."""
        return f"llm.c v{self.version} ({'float32' if self.type is F32 else 'bfloat16'})"

    @property
    def file_bytes(self) -> int:
        """The size of the whole file, by arithmetic: what a header claims must cost nothing."""
        c = self.config
        D, F = c.dim, c.hidden_dim
        norms = 4 * D
        attention = 4 * D * D + 4 * D
        feed_forward = 2 * D * F + F + D
        values = (self.padded_vocab + c.context_length) * D
        values += c.n_layers * (norms + attention + feed_forward) + 2 * D
        return HEADER_BYTES + self.type.size_bytes((values,))

    def entries(self) -> Iterator[Entry]:
        """Every weight of the file, in file order."""
        shapes = weight_shapes(self.config)
        for name in self._names():
            padding = self.padded_vocab - self.config.vocab_size if name == TOKEN_TABLE else 0
            yield Entry(name, self.type, shapes[name], padding)

    def _names(self) -> Iterator[str]:
        yield TOKEN_TABLE
        yield "position_embd.weight"
        for parts in _STACKS:
            for layer in range(self.config.n_layers):
                for part in parts:
                    yield f"blk.{layer}.{part}"
        yield "output_norm.weight"
        yield "output_norm.bias"

    def pack(self) -> bytes:
        """The bytes of the header."""
        fields = self._fields().values()
        return _HEADER.pack(MAGIC, self.version, *fields).ljust(HEADER_BYTES, b"\0")

    def check(self, path: Path) -> None:
        """Raises FormatError, naming the file `path`, where a field is out of range."""
        _check_fields(path, self._fields())

    def _fields(self) -> dict[str, int]:
        c = self.config
        sizes = (c.context_length, c.vocab_size, c.n_layers, c.n_heads, c.dim, self.padded_vocab)
        return dict(zip(_LIMITS, sizes, strict=True))


def recognises(head: bytes) -> bool:
    """True where a file that starts with `head` is an llm.c model."""
    return head.startswith(MAGIC_BYTES)


def parse_header(path: Path, head: bytes) -> Header:
    """The header in the first HEADER_BYTES of a file, checked. Raises FormatError."""
    if len(head) < HEADER_BYTES:
        expected = f"at least {HEADER_BYTES} bytes, an llm.c header"
        raise FormatError(path, "size", f"{len(head)} bytes", expected)
    magic, version, *values = _HEADER.unpack_from(head)
    if magic != MAGIC:
        raise FormatError(path, "magic", magic, f"{MAGIC}, an llm.c model")
    if version not in _TYPE_NAMES:
        raise FormatError(path, "version", version, "3 (float32) or 5 (bfloat16) of llm.c")
    fields = dict(zip(_LIMITS, values, strict=True))
    _check_fields(path, fields)
    config = plain_config(
        dim=fields["C"],
        n_layers=fields["L"],
        n_heads=fields["NH"],
        vocab_size=fields["V"],
        context_length=fields["max_T"],
    )
    return Header(version, config, fields["V_padded"])


def _check_fields(path: Path, fields: dict[str, int]) -> None:
    for name, limit in _LIMITS.items():
        if not 1 <= fields[name] <= limit:
            raise FormatError(path, name, fields[name], f"1 to {limit:,}")
    if fields["C"] % fields["NH"]:
        raise FormatError(path, "C", fields["C"], f"a multiple of NH {fields['NH']}")
    if fields["V_padded"] < fields["V"]:
        raise FormatError(path, "V_padded", fields["V_padded"], f"at least V {fields['V']}")


def padded_vocab(vocab_size: int) -> int:
    """Rows of the token table that llm.c stores for so many tokens."""
    return -(-vocab_size // _VOCAB_MULTIPLE) * _VOCAB_MULTIPLE


def plain_config(
    *, dim: int, n_layers: int, n_heads: int, vocab_size: int, context_length: int
) -> Config:
    """The only kind of model that llm.c's GPT-2 files have, in these sizes.

    The file does not say which token ends a text; GPT-2's own vocabulary is known by its size.
    """
    is_gpt2 = vocab_size == _GPT2_VOCAB
    return Config(
        family="gpt2",
        dim=dim,
        hidden_dim=4 * dim,
        n_layers=n_layers,
        n_heads=n_heads,
        n_kv_heads=n_heads,
        head_dim=max(dim // n_heads, 1),
        vocab_size=vocab_size,
        context_length=context_length,
        norm="layer",
        mlp="gelu",
        rope=None,
        qkv_bias=True,
        output_bias=True,
        mlp_bias=True,
        tied_output=True,
        bos_id=_GPT2_END_OF_TEXT if is_gpt2 else None,
        eos_ids=(_GPT2_END_OF_TEXT,) if is_gpt2 else (),
    )
