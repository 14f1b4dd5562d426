"""Read an llm.c GPT-2 checkpoint: header checked, weights left in the mapped file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rung.formats.base import Checkpoint
from rung.formats.files import check_size, mapped
from rung.formats.finite import check_loaded
from rung.formats.llmc.layout import HEADER_BYTES, Header, parse_header, recognises
from rung.formats.planes import tensor_in, vector_as_float32
from rung.storage import StoredTensor

__all__ = ["read", "recognises"]


def read(path: str | Path, *, check: bool = True) -> Checkpoint:
    """The checkpoint at `path`, its matrices read-only views of the mapped file.

    Vectors (norms and biases) of a bfloat16 file are copied to float32. They are always checked
    to be finite; matrices too when `check` and the file is small (`check_loaded`).
    Raises FormatError for a file that is missing, unreadable or not what its header says, before
    anything is allocated for it.
    """
    path = Path(path)
    data = mapped(path, "an llm.c checkpoint")
    header = parse_header(path, data[:HEADER_BYTES].tobytes())
    check_size(path, found=data.size, expected=header.file_bytes, header=_in_words(header))
    checkpoint = Checkpoint(path, header.label, header.config, _weights(header, data))
    check_loaded(checkpoint, size_bytes=data.size, matrices=check)
    return checkpoint


def _in_words(header: Header) -> str:
    c = header.config
    model = f"max_T {c.context_length}, V_padded {header.padded_vocab}, L {c.n_layers}, C {c.dim}"
    return f"{header.label} with {model}"


def _weights(header: Header, data: NDArray[np.uint8]) -> dict[str, StoredTensor]:
    weights = {}
    offset = HEADER_BYTES
    for entry in header.entries():
        stop = offset + entry.size_bytes
        weights[entry.name] = vector_as_float32(
            tensor_in(data[offset:stop], entry.type, entry.shape)
        )
        offset = stop + entry.padding_bytes
    return weights
