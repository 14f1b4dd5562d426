"""Whether the float16 scales inside blocks are finite: a damaged one makes all logits NaN."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rung.errors import FormatError
from rung.storage import StoredTensor

# Values in a block, and the bytes of it at which float16 numbers begin.
_SCALES = {
    "q8_0": (32, (0,)),
    "q4_0": (32, (0,)),
    "q4_k": (256, (0, 2)),
    "q5_k": (256, (0, 2)),
    "q6_k": (256, (208,)),
}
_CHUNK = 1 << 16  # blocks looked at together


def check_scales(path: Path, name: str, tensor: StoredTensor, *, first_row: int = 0) -> None:
    """Raises FormatError that names the first block of `tensor` whose scale is not finite.

    A tensor of a type without blocks has nothing to check here. `first_row` is the row of the
    whole tensor `name` that `tensor` starts with.
    """
    if tensor.type.name not in _SCALES:
        return
    block_values, offsets = _SCALES[tensor.type.name]
    (plane,) = tensor.planes
    blocks_a_row = tensor.shape[-1] // block_values
    blocks = plane.reshape(-1, plane.shape[-1] // blocks_a_row)
    for start in range(0, len(blocks), _CHUNK):
        for offset in offsets:
            part = np.ascontiguousarray(blocks[start : start + _CHUNK, offset : offset + 2])
            finite = np.isfinite(part.view(np.float16)[:, 0])
            if not finite.all():
                index = start + int(finite.argmin())
                row, block = divmod(index, blocks_a_row)
                value = part.view(np.float16)[index - start, 0]
                place = f"scale of block {block} in row {first_row + row} of {name}"
                raise FormatError(path, place, value, "a finite number")
