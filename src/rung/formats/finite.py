"""Whether weights are finite: a NaN in a file is told by its name and place, not by odd text."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rung.errors import FormatError
from rung.formats.base import Checkpoint
from rung.formats.block_scales import check_scales
from rung.storage import Array, StoredTensor

# Float matrices that are more than this in all are not searched for NaN at every start: at 4 GB
# that takes seconds from a cold disk, while 256 MiB takes less than the first tokens.
_SEARCHED_BYTES = 1 << 28

_CHUNK = 1 << 18  # values looked at together: 1 MiB of float32, 256 KiB of answers


def check_finite(checkpoint: Checkpoint, *, matrices: bool = True) -> None:
    """Raises FormatError that names the first value of a checkpoint that is NaN or infinite.

    With `matrices` False it looks only at vectors (norms) and at scales that lie apart, a small
    part of a file, and leaves matrices unread, and blocks that hold their scales themselves.
    """
    for name, weight in checkpoint.weights.items():
        if matrices or len(weight.shape) == 1 or len(weight.type.planes) > 1:
            check_tensor(checkpoint.path, name, weight)


def check_loaded(checkpoint: Checkpoint, *, size_bytes: int, matrices: bool = True) -> None:
    """`check_finite` as a reader of a file of `size_bytes` calls it: matrices if it is small."""
    check_finite(checkpoint, matrices=matrices and size_bytes <= _SEARCHED_BYTES)


def check_tensor(path: Path, name: str, tensor: StoredTensor, *, first_row: int = 0) -> None:
    """Raises FormatError that names the first value or scale of `tensor` that is not finite.

    `first_row` is the row of the whole tensor `name` that `tensor` starts with.
    """
    check_scales(path, name, tensor, first_row=first_row)
    for plane, array in zip(tensor.type.planes, tensor.planes, strict=True):
        is_bfloat16 = tensor.type.name == "bf16"  # whose bits NumPy knows as uint16 only
        if array.dtype.kind != "f" and not is_bfloat16:
            continue
        if (index := _first_not_finite(array)) is not None:
            part = "" if tensor.type.is_plain else f" {plane.name}"
            place = [int(i) for i in np.unravel_index(index, array.shape)]
            value = "infinite or NaN" if is_bfloat16 else array[tuple(place)]
            place[0] += first_row
            raise FormatError(path, f"{name}{part}{place}", value, "a finite number")


def _first_not_finite(array: Array) -> int | None:
    """Flat index of the first NaN or infinity; its temporaries stay small and in cache.

    uint16 are the bits of bfloat16: all bits of the exponent are set in what is not finite.
    """
    values = array.reshape(-1)
    for start in range(0, values.size, _CHUNK):
        part = values[start : start + _CHUNK]
        finite = (
            np.isfinite(part)
            if part.dtype.kind == "f"
            else (part.view(np.uint16) & 0x7F80) != 0x7F80
        )
        if not finite.all():
            return start + int(finite.argmin())
    return None
