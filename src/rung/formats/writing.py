"""What every writer of a model file needs: can the format say it, and its values in pieces."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from rung.errors import FormatError, UsageError
from rung.formats.base import Checkpoint
from rung.formats.finite import check_tensor
from rung.models.config import Config
from rung.storage import StorageType, StoredTensor, quantize

Progress = Callable[[int, int], None]
"""Called with the bytes written so far and the bytes in all."""

_CHUNK_VALUES = 1 << 18  # converted together: 1 MiB of float32


def check_expressible(
    checkpoint: Checkpoint, plain: Config, format_name: str, *, unsaid: Collection[str] = ()
) -> None:
    """Raises UsageError that lists everything of the model that a format has no way to say.

    `plain` is what a reader of the written file would find; `unsaid` names the fields that the
    format leaves to others, such as the tokenizer's. Of another family only that is told.
    """
    family = checkpoint.config.family
    if "family" not in unsaid and family != plain.family:
        raise UsageError(
            f"{checkpoint.path} cannot be written as {format_name}: its family is {family}, the "
            f"format holds {plain.family}"
        )
    reasons = "; ".join(
        f"{name} is {_shown(found)} ({format_name}: {_shown(fixed)})"
        for name, found, fixed in _differing(checkpoint.config, plain)
        if name not in unsaid
    )
    if reasons:
        raise UsageError(f"{checkpoint.path} cannot be written as {format_name}: {reasons}")


def _differing(found: Any, fixed: Any) -> Iterator[tuple[str, Any, Any]]:
    """Fields in which two of a dataclass differ; of a dataclass in both, the fields of that."""
    for field in fields(found):
        here, there = getattr(found, field.name), getattr(fixed, field.name)
        if here == there:
            continue
        if is_dataclass(here) and is_dataclass(there):
            for name, *values in _differing(here, there):
                yield f"{field.name}.{name}", *values
        else:
            yield field.name, here, there


def _shown(value: Any) -> str:
    return type(value).__name__ if is_dataclass(value) else repr(value)


def check_weights(checkpoint: Checkpoint, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raises FormatError that names the first weight that is missing or of another shape."""
    for name, shape in shapes.items():
        weight = checkpoint.weights.get(name)
        if weight is None or weight.shape != shape:
            found = "missing" if weight is None else f"of shape {weight.shape}"
            raise FormatError(checkpoint.path, name, found, f"of shape {shape}")


def converted(checkpoint: Checkpoint, name: str, kind: StorageType) -> Iterator[StoredTensor]:
    """A weight in storage type `kind`, a few rows at a time; exact where it has that type.

    Raises FormatError for a value that is not finite, UsageError for one that the type cannot hold.
    """
    tensor = checkpoint.weights[name]
    for start, stop in row_ranges(tensor.shape):
        rows = tensor.rows(start, stop)
        check_tensor(checkpoint.path, name, rows, first_row=start)
        if rows.type is not kind:
            rows = _quantized(checkpoint, name, rows, kind)
            check_tensor(checkpoint.path, f"{name} as {kind.name}", rows, first_row=start)
        yield rows


def _quantized(
    checkpoint: Checkpoint, name: str, rows: StoredTensor, kind: StorageType
) -> StoredTensor:
    try:
        # An int8 value times its scale may be beyond float32: what comes of it is looked at next.
        with np.errstate(over="ignore", invalid="ignore"):
            return quantize(rows.float32(), kind)
    except ValueError as error:
        raise UsageError(f"{checkpoint.path}: {name} cannot be {kind.name}: {error}") from None


def row_ranges(shape: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    """Ranges of the first axis that hold about _CHUNK_VALUES each."""
    n_rows, width = shape[0], int(np.prod(shape[1:], dtype=np.int64))
    step = max(1, _CHUNK_VALUES // width)
    for start in range(0, n_rows, step):
        yield start, min(start + step, n_rows)
