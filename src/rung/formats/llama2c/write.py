"""Write a llama2.c checkpoint, any version from any, a few rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import numpy as np

from rung.errors import UsageError
from rung.formats.base import Checkpoint
from rung.formats.files import replacing
from rung.formats.llama2c.layout import ROPE_TABLES, Entry, Header, plain_config
from rung.formats.rotation import with_layout
from rung.formats.writing import (
    Progress,
    check_expressible,
    check_weights,
    converted,
    row_ranges,
)
from rung.models.config import Config
from rung.storage import Array


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
    checkpoint = with_layout(checkpoint, "interleaved")
    config = checkpoint.config
    sizes = {field.name: getattr(config, field.name) for field in fields(Config)}
    plain = plain_config(sizes | {"seq_len": config.context_length}, tied=config.tied_output)
    check_expressible(checkpoint, plain, "llama2.c")
    group = _fitting_group_size(config, group_size) if version == 2 else 0
    header = Header(version, config, group)
    header.check(checkpoint.path)
    shapes = {entry.name: entry.shape for entry in header.entries()}
    check_weights(checkpoint, {n: s for n, s in shapes.items() if n not in ROPE_TABLES})
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
    for rows in converted(checkpoint, entry.name, entry.type):
        values, *scales = rows.planes
        yield values
        waiting += scales
    yield from waiting


def _rope_table(entry: Entry, config: Config) -> Iterator[Array]:
    """cos or sin of position / base^(2i / head_dim), for position p and pair i."""
    function = np.cos if entry.name == ROPE_TABLES[0] else np.sin
    pairs = np.arange(0, config.head_dim, 2, dtype=np.float64)
    assert config.rope is not None
    frequencies = config.rope.base ** (-pairs / config.head_dim)
    for start, stop in row_ranges(entry.shape):
        positions = np.arange(start, stop, dtype=np.float64)
        yield function(positions[:, None] * frequencies).astype(np.float32)
