"""llm.c's token shards: a header of 256 int32, then the ids, uint16 (GPT-2) or uint32 (Llama 3).

Reading maps the file; writing streams into it, and it takes its name when it is whole.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from rung.errors import DataError, FormatError
from rung.formats.files import check_size, mapped, replacing
from rung.formats.signatures import looks_like

Tokens = NDArray[np.integer[Any]]

HEADER_BYTES = 1024
MOST_TOKENS = (1 << 31) - 1  # the count is an int32

_HEADER = struct.Struct("<3i")  # magic, version, count; zeros follow
_EXPECTED = "llm.c token shard"


@dataclass(frozen=True)
class Kind:
    """One of the two forms: its magic number, version, and the type of an id."""

    name: str
    magic: int
    version: int
    dtype: np.dtype[Any]

    @property
    def most_vocab(self) -> int:
        """The largest vocabulary whose ids it holds."""
        return 1 << 8 * self.dtype.itemsize


GPT2 = Kind("GPT-2", 20240520, 1, np.dtype("<u2"))
LLAMA3 = Kind("Llama 3", 20240801, 7, np.dtype("<u4"))
KINDS = {kind.magic: kind for kind in (GPT2, LLAMA3)}


def kind_for(vocab_size: int) -> Kind:
    """The smallest form that holds every id of a vocabulary."""
    return GPT2 if vocab_size <= GPT2.most_vocab else LLAMA3


@dataclass(frozen=True)
class Shard:
    """A shard as read: its ids are a read-only view of the mapped file, never empty."""

    path: Path
    kind: Kind
    tokens: Tokens

    @property
    def label(self) -> str:
        """The format in words."""
        return f"llm.c tokens ({self.kind.name}, {self.kind.dtype.name})"


def recognises(head: bytes) -> bool:
    """Whether a file that starts with `head` (4 bytes or more) is a token shard."""
    return int.from_bytes(head[:4], "little") in KINDS


def read(path: str | Path) -> Shard:
    """The shard at `path`, mapped.

    Raises FormatError for a file that is missing, unreadable or not what its header says.
    """
    path = Path(path)
    data = mapped(path, f"an {_EXPECTED}")
    if data.size < HEADER_BYTES:
        expected = f"at least {HEADER_BYTES} bytes, the header of an {_EXPECTED}"
        raise FormatError(path, "size", f"{data.size} bytes", expected)
    magic, version, count = _HEADER.unpack_from(data.data)
    if magic not in KINDS:
        known = " or ".join(f"{kind.magic} ({kind.name})" for kind in KINDS.values())
        found = f"{magic}, which is {looks_like(data[:256].tobytes())}"
        raise FormatError(path, "magic", found, f"{known}, an {_EXPECTED}")
    kind = KINDS[magic]
    if version != kind.version:
        raise FormatError(path, "version", version, f"{kind.version} of {kind.name} tokens")
    if count < 1:
        raise FormatError(path, "count", count, f"1 to {MOST_TOKENS:,}")
    size_bytes = HEADER_BYTES + count * kind.dtype.itemsize
    words = f"{count:,} {kind.name} tokens"
    check_size(path, found=data.size, expected=size_bytes, header=words)
    return Shard(path, kind, data[HEADER_BYTES:].view(kind.dtype))


class ShardWriter:
    """A shard that is being written; `count` ids are in it so far."""

    def __init__(self, path: Path, kind: Kind, file: BinaryIO) -> None:
        self.path = path
        self.count = 0
        self._kind = kind
        self._file = file
        file.write(bytes(HEADER_BYTES))

    def append(self, tokens: Tokens) -> None:
        """Adds ids. Raises DataError for one that the form does not hold, or for too many."""
        if not tokens.size:
            return
        least, largest = int(tokens.min()), int(tokens.max())
        if least < 0 or largest >= self._kind.most_vocab:
            wrong = least if least < 0 else largest
            raise DataError(
                f"{self.path}: token {wrong} does not fit {self._kind.name} tokens, "
                f"which are 0 to {self._kind.most_vocab - 1:,}"
            )
        self.count += tokens.size
        if self.count > MOST_TOKENS:
            raise DataError(f"{self.path}: a shard holds at most {MOST_TOKENS:,} tokens")
        self._file.write(np.ascontiguousarray(tokens, self._kind.dtype).data)

    def finish(self) -> None:
        """Writes the header. Raises DataError for a shard without tokens."""
        if not self.count:
            raise DataError(f"{self.path}: no tokens to write")
        self._file.seek(0)
        self._file.write(_HEADER.pack(self._kind.magic, self._kind.version, self.count))


@contextmanager
def writing(path: str | Path, kind: Kind) -> Iterator[ShardWriter]:
    """A shard to append ids to, which takes the name `path` once the block has ended well.

    Raises RungError where the file cannot be written, such as on a full disk; nothing is left then.
    """
    path = Path(path)
    with replacing(path) as file:
        writer = ShardWriter(path, kind, file)
        yield writer
        writer.finish()


def write(path: str | Path, tokens: Tokens, *, kind: Kind = GPT2) -> None:
    """Write ids to `path` as one shard. Raises as `writing` and `ShardWriter.append` do."""
    with writing(path, kind) as shard:
        shard.append(tokens)
