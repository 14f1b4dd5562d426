"""Read a llama2.c checkpoint: header checked, weights left in the mapped file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rung.formats.base import Checkpoint
from rung.formats.files import check_size, mapped
from rung.formats.finite import check_loaded
from rung.formats.llama2c.layout import (
    HEADER_BYTES,
    ROPE_TABLES,
    Header,
    parse_header,
    recognises,
)
from rung.formats.planes import tensor_in
from rung.storage import StoredTensor

__all__ = ["read", "recognises"]


def read(path: str | Path, *, check: bool = True) -> Checkpoint:
    """The checkpoint at `path` (v0, v1 or v2), its weights read-only views of the mapped file.

    A plane is copied only where the file holds it at an address its elements cannot have. Norms
    and scales are always checked to be finite; float32 matrices too when `check` and they take
    256 MiB or less (`check_finite` searches any). Raises FormatError for a file that is missing,
    unreadable or not what its header says, before anything is allocated for it.
    """
    path = Path(path)
    data = mapped(path, "a llama2.c checkpoint")
    header = parse_header(path, data[:HEADER_BYTES].tobytes())
    check_size(path, found=data.size, expected=header.file_bytes, header=_in_words(header))
    checkpoint = Checkpoint(path, header.label, header.config, _weights(header, data))
    check_loaded(checkpoint, size_bytes=data.size, matrices=check)
    return checkpoint


def _in_words(header: Header) -> str:
    c = header.config
    model = f"dim {c.dim}, hidden_dim {c.hidden_dim}, {c.n_layers} layers, {c.vocab_size} tokens"
    return f"{header.label} with {model}"


def _weights(header: Header, data: NDArray[np.uint8]) -> dict[str, StoredTensor]:
    weights = {}
    offset = header.size_bytes
    for entry in header.entries():
        if entry.name not in ROPE_TABLES:
            weights[entry.name] = tensor_in(
                data[offset : offset + entry.size_bytes], entry.type, entry.shape
            )
        offset += entry.size_bytes
    return weights
