"""llm.c's debug state: one batch with the logits, loss and gradients that a reference found.

A header of 256 int32 (magic, version 2, B, T), x and y int32 [B, T], logits float32 [B, T, V], the
loss, then the gradient of every tensor in the order of a model file, float32, the token table's
padded with rows that no token has. Sizes come from the model: the file does not say them.

B sequences, T tokens, V vocabulary.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rung.errors import DataError, FormatError, UsageError
from rung.formats.files import check_size, mapped, opened, replacing
from rung.formats.llmc.layout import Header as ModelHeader
from rung.formats.llmc.layout import padded_vocab, plain_config
from rung.formats.signatures import looks_like
from rung.models.config import Config

MAGIC = 20240327
VERSION = 2
HEADER_BYTES = 1024
_HEADER = struct.Struct("<4i")
_EXPECTED = "llm.c debug state"
_MOST_BATCH = 1 << 24  # of B and of T
_MODEL_VERSION = 3  # whose layout in float32 the gradients have

Array = NDArray[np.float32]
Ids = NDArray[np.int32]


@dataclass(frozen=True)
class State:
    """What a state file holds; `gradients` by the names of `models.config.weight_shapes`.

    Logits and gradients are not searched for NaN: a comparison with them must fail on it.
    """

    path: Path
    x_BT: Ids
    y_BT: Ids
    logits_BTV: Array
    loss: float
    gradients: Mapping[str, Array]


def recognises(head: bytes) -> bool:
    """Whether a file that starts with `head` (4 bytes or more) is a debug state."""
    return head[:4] == MAGIC.to_bytes(4, "little")


def read_sizes(path: str | Path) -> tuple[int, int]:
    """B and T of a state file, from its header alone. Raises FormatError."""
    path = Path(path)
    with opened(path, _EXPECTED) as file:
        return _sizes(path, file.read(HEADER_BYTES))


def read(path: str | Path, config: Config) -> State:
    """The state at `path` of the model that `config` describes; arrays are read-only views.

    Raises FormatError for a file that is missing, unreadable, or not as large as its header and the
    model say, for ids beyond the vocabulary, and for a loss that is no finite number. Raises
    UsageError for a model that llm.c does not have.
    """
    path = Path(path)
    model = _model_header(config)
    data = mapped(path, _EXPECTED)
    B, T = _sizes(path, data[:HEADER_BYTES].tobytes())
    V = config.vocab_size
    check_size(
        path,
        found=data.size,
        expected=model.file_bytes + 4 * (2 * B * T + B * T * V + 1),  # both headers are as long
        header=f"B {B}, T {T}, and the model has V {V}, V_padded {model.padded_vocab}, "
        f"L {config.n_layers}, C {config.dim}",
    )
    parts = _Parts(data[HEADER_BYTES:])
    x_BT, y_BT = parts.take((B, T), np.int32), parts.take((B, T), np.int32)
    for name, ids in (("x", x_BT), ("y", y_BT)):
        _check_ids(path, name, ids, V)
    logits_BTV = parts.take((B, T, V), np.float32)
    loss = float(parts.take((1,), np.float32)[0])
    if not np.isfinite(loss):
        raise FormatError(path, "loss", loss, "a finite number")
    gradients: dict[str, Array] = {}
    for entry in model.entries():
        gradients[entry.name] = parts.take(entry.shape, np.float32)
        parts.skip(entry.padding_bytes)
    return State(path, x_BT, y_BT, logits_BTV, loss, gradients)


def write(
    path: str | Path,
    config: Config,
    *,
    x_BT: Ids,
    y_BT: Ids,
    logits_BTV: Array,
    loss: float,
    gradients: Mapping[str, Array],
) -> None:
    """Write a state file, whole or not at all; rows that no token has get gradients of 0.

    Raises UsageError for a model that llm.c does not have, DataError for an array of another shape,
    RungError where the file cannot be written.
    """
    path = Path(path)
    model = _model_header(config)
    B, T = x_BT.shape
    entries = list(model.entries())
    shapes = {"y": (y_BT, (B, T)), "logits": (logits_BTV, (B, T, config.vocab_size))}
    for entry in entries:
        if entry.name not in gradients:
            raise DataError(f"{path}: the gradient of {entry.name} is missing")
        shapes[entry.name] = (gradients[entry.name], entry.shape)
    for name, (found, shape) in shapes.items():
        if found.shape != shape:
            raise DataError(f"{path}: {name} has the shape {found.shape}, expected {shape}")
    with replacing(path) as file:
        file.write(_HEADER.pack(MAGIC, VERSION, B, T).ljust(HEADER_BYTES, b"\0"))
        for ids in (x_BT, y_BT):
            file.write(np.ascontiguousarray(ids, "<i4").data)
        for values in (logits_BTV, np.array([loss], np.float32)):
            file.write(np.ascontiguousarray(values, "<f4").data)
        for entry in entries:
            file.write(np.ascontiguousarray(gradients[entry.name], "<f4").data)
            file.write(bytes(entry.padding_bytes))


def _sizes(path: Path, head: bytes) -> tuple[int, int]:
    """B and T in the header, checked."""
    if len(head) < HEADER_BYTES:
        expected = f"at least {HEADER_BYTES} bytes, the header of {_EXPECTED}"
        raise FormatError(path, "size", f"{len(head)} bytes", expected)
    magic, version, B, T = _HEADER.unpack_from(head)
    if magic != MAGIC:
        found = f"{magic}, which is {looks_like(head)}"
        raise FormatError(path, "magic", found, f"{MAGIC}, {_EXPECTED}")
    if version != VERSION:
        raise FormatError(path, "version", version, f"{VERSION} (gradients with a padded V)")
    for name, size in (("B", B), ("T", T)):
        if not 1 <= size <= _MOST_BATCH:
            raise FormatError(path, name, size, f"1 to {_MOST_BATCH:,}")
    return B, T


def _model_header(config: Config) -> ModelHeader:
    """The header that a float32 model file of this shape would have."""
    c = config
    plain = plain_config(
        dim=c.dim,
        n_layers=c.n_layers,
        n_heads=c.n_heads,
        vocab_size=c.vocab_size,
        context_length=c.context_length,
    )
    same = ("hidden_dim", "n_kv_heads", "norm", "mlp", "rope", "qkv_bias", "tied_output")
    for name in same:
        if (found := getattr(c, name)) != (fixed := getattr(plain, name)):
            raise UsageError(f"{_EXPECTED} is of GPT-2 only: {name} is {found!r}, not {fixed!r}")
    return ModelHeader(_MODEL_VERSION, plain, padded_vocab(c.vocab_size))


def _check_ids(path: Path, name: str, ids: Ids, vocab_size: int) -> None:
    least, largest = int(ids.min()), int(ids.max())
    if least < 0 or largest >= vocab_size:
        wrong = least if least < 0 else largest
        raise FormatError(
            path, name, f"token {wrong}", f"0 to {vocab_size - 1:,}, as the model has"
        )


class _Parts:
    """The body of a file, taken from the front as arrays that are views of it."""

    def __init__(self, data: NDArray[np.uint8]) -> None:
        self._data = data
        self._offset = 0

    def take(self, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
        """The next array of 4-byte elements."""
        start = self._offset
        self._offset += 4 * int(np.prod(shape, dtype=np.int64))
        part: NDArray[Any] = self._data[start : self._offset].view(dtype)
        return part.reshape(shape)

    def skip(self, n_bytes: int) -> None:
        """Leaves out what belongs to no array."""
        self._offset += n_bytes
