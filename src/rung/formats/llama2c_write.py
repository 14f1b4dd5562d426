"""Write a llama2.c checkpoint, any version from any, a few rows at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path

import numpy as np

from rung.errors import FormatError, UsageError
from rung.formats.base import Checkpoint
from rung.formats.files import replacing
from rung.formats.finite import check_tensor
from rung.formats.llama2c_layout import ROPE_TABLES, Entry, Header, plain_config
from rung.models.config import Config
from rung.storage import Array, StorageType, StoredTensor, quantize

Progress = Callable[[int, int], None]
"""Called with the bytes written so far and the bytes in all."""

_CHUNK_VALUES = 1 << 18  # converted together: 1 MiB of float32


def write(
    path: str | Path,
    checkpoint: Checkpoint,
    *,
    version: int,
    group_size: int = 64,
    progress: Progress | None = None,
) -> None:
    """Write `checkpoint` to `path` as llama2.c v0 or v1 (float32) or v2 (int8 in groups).

    `group_size` is for v2, and halved until it divides both dim and hidden_dim; weights that
    have that type already are copied exactly. The file appears under its name only when it is
    whole, so `path` may be the file that the checkpoint maps. Raises UsageError for a model that
    llama2.c cannot express, FormatError for a weight that is not finite, RungError where the
    file cannot be written.
    """
    path = Path(path)
    _check_arguments(version, group_size)
    _check_expressible(checkpoint)
    group = _fitting_group_size(checkpoint.config, group_size) if version == 2 else 0
    header = Header(version, checkpoint.config, group)
    header.check(checkpoint.path)
    _check_shapes(header, checkpoint)
    total_bytes = header.file_bytes
    with replacing(path) as file:
        file.write(header.pack())
        for entry in header.entries():
            for array in _arrays(entry, checkpoint):
                file.write(np.ascontiguousarray(array).data)
                if progress is not None:
                    progress(file.tell(), total_bytes)


def _check_arguments(version: int, group_size: int) -> None:
    if version not in (0, 1, 2):
        raise UsageError(f"llama2.c has no version {version}; choose 0, 1 or 2")
    if group_size < 1:
        raise UsageError(f"group_size is {group_size}; give at least 1")


def _check_expressible(checkpoint: Checkpoint) -> None:
    """Raises UsageError that lists everything of the model that llama2.c has no way to say."""
    config = checkpoint.config
    sizes = {field.name: getattr(config, field.name) for field in fields(Config)}
    plain = plain_config(sizes | {"seq_len": config.context_length}, tied=config.tied_output)
    misfits = [
        f"{field.name} is {getattr(config, field.name)!r} (llama2.c: {fixed!r})"
        for field in fields(Config)
        if getattr(config, field.name) != (fixed := getattr(plain, field.name))
    ]
    if misfits:
        reasons = "; ".join(misfits)
        raise UsageError(f"{checkpoint.path} cannot be written as llama2.c: {reasons}")


def _check_shapes(header: Header, checkpoint: Checkpoint) -> None:
    for entry in header.entries():
        if entry.name in ROPE_TABLES:
            continue
        weight = checkpoint.weights.get(entry.name)
        if weight is None or weight.shape != entry.shape:
            found = "missing" if weight is None else f"of shape {weight.shape}"
            raise FormatError(checkpoint.path, entry.name, found, f"of shape {entry.shape}")


def _fitting_group_size(config: Config, group_size: int) -> int:
    """`group_size` halved until each row of every matrix is whole groups."""
    while config.dim % group_size or config.hidden_dim % group_size:
        group_size //= 2
    return group_size


def _arrays(entry: Entry, checkpoint: Checkpoint) -> Iterator[Array]:
    """The arrays of one tensor, in file order."""
    if entry.name in ROPE_TABLES:
        yield from _rope_table(entry, checkpoint.config)
        return
    # Values come first, all of them; the scales, a small part of a tensor, wait for their turn.
    waiting: list[Array] = []
    for converted in _converted(entry, checkpoint):
        values, *scales = converted.planes
        yield values
        waiting += scales
    yield from waiting


def _converted(entry: Entry, checkpoint: Checkpoint) -> Iterator[StoredTensor]:
    """A tensor a few rows at a time, in the type that the file has."""
    tensor = checkpoint.weights[entry.name]
    for start, stop in _row_ranges(entry.shape):
        rows = tensor.rows(start, stop)
        check_tensor(checkpoint.path, entry.name, rows, first_row=start)
        yield _as_type(rows, entry.type)


def _as_type(tensor: StoredTensor, kind: StorageType) -> StoredTensor:
    return tensor if tensor.type is kind else quantize(tensor.float32(), kind)


def _row_ranges(shape: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    """Ranges of the first axis that hold about _CHUNK_VALUES each."""
    n_rows, width = shape[0], int(np.prod(shape[1:], dtype=np.int64))
    step = max(1, _CHUNK_VALUES // width)
    for start in range(0, n_rows, step):
        yield start, min(start + step, n_rows)


def _rope_table(entry: Entry, config: Config) -> Iterator[Array]:
    """cos or sin of position / base^(2i / head_dim), for position p and pair i."""
    function = np.cos if entry.name == ROPE_TABLES[0] else np.sin
    pairs = np.arange(0, config.head_dim, 2, dtype=np.float64)
    assert config.rope is not None
    frequencies = config.rope.base ** (-pairs / config.head_dim)
    for start, stop in _row_ranges(entry.shape):
        positions = np.arange(start, stop, dtype=np.float64)
        yield function(positions[:, None] * frequencies).astype(np.float32)
