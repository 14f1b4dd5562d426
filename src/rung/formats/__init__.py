"""Model files: `open_checkpoint` finds out what a file is and reads it with the reader for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rung.errors import FormatError
from rung.formats import llama2c
from rung.formats.base import Checkpoint
from rung.formats.files import read_head
from rung.formats.signatures import looks_like

__all__ = ["Checkpoint", "open_checkpoint"]

_HEAD_BYTES = 256  # enough for every format to know its own


@dataclass(frozen=True)
class Format:
    """A file format: how to know it by the first bytes, and how to read it."""

    name: str
    recognises: Callable[[bytes], bool]
    read: Callable[[Path], Checkpoint]


# Asked in this order; llama2.c comes last, for its v0 has no magic number.
FORMATS = (Format("llama2.c (v0, v1, v2)", llama2c.recognises, llama2c.read),)


def open_checkpoint(path: str | Path) -> Checkpoint:
    """The model in the file at `path`, its weights left in the mapped file.

    Raises FormatError for a file that is missing, unreadable, of no supported format, or
    damaged; the message says which and where.
    """
    path = Path(path)
    supported = f"a checkpoint of a supported format: {', '.join(f.name for f in FORMATS)}"
    head = read_head(path, _HEAD_BYTES, supported)
    for known in FORMATS:
        if known.recognises(head):
            return known.read(path)
    raise FormatError(path, "content", looks_like(head), supported)
