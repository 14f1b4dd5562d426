"""How each storage type lies in a GPU's memory, plane by plane.

Shaders read words of four bytes, so blocks whose parts straddle words are taken apart on their way
to the GPU: scales in one plane, packed values in others. N rows, B blocks of a row.

| type | planes |
|---|---|
| plain types, i8, i8_gN | as on the host |
| q8_0 | values int8 [N, 32·B]; scales f16 [N, B] |
| q4_0 | values, two in a byte, [N, 16·B]; scales f16 [N, B] |
| q4_k, q5_k | blocks as they are: 144 and 176 bytes are whole words |
| q6_k | low [N, 128·B], high [N, 64·B], scales int8 [N, 16·B], d f16 [N, B] |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rung.storage import StorageType


@dataclass(frozen=True)
class Slice:
    """A plane made of some bytes of each block."""

    name: str
    start: int
    stop: int


# Names are what shaders append to a tensor's; the first plane has none.
_SPLIT: Mapping[str, tuple[Slice, ...]] = MappingProxyType(
    {
        "q8_0": (Slice("", 2, 34), Slice("scales", 0, 2)),
        "q4_0": (Slice("", 2, 18), Slice("scales", 0, 2)),
        "q6_k": (
            Slice("", 0, 128),
            Slice("high", 128, 192),
            Slice("scales", 192, 208),
            Slice("d", 208, 210),
        ),
    }
)


def plane_names(kind: StorageType) -> tuple[str, ...]:
    """The names of a type's planes on the GPU: "" for the first."""
    if kind.name in _SPLIT:
        return tuple(part.name for part in _SPLIT[kind.name])
    return ("", *(plane.name for plane in kind.planes[1:]))


def row_bytes(kind: StorageType, width: int) -> tuple[int, ...]:
    """Bytes of a row of each plane."""
    shapes = kind.plane_shapes((1, width))
    if kind.name in _SPLIT:
        (_, size), block = shapes[0], kind.planes[0].per_block
        assert block is not None
        return tuple(size // block * (part.stop - part.start) for part in _SPLIT[kind.name])
    return tuple(s[-1] * p.dtype.itemsize for s, p in zip(shapes, kind.planes, strict=True))


def taken_apart(kind: StorageType, planes: tuple[NDArray[np.generic], ...]) -> list[NDArray[Any]]:
    """Rows as they lie on the host, in the planes of the GPU."""
    if kind.name not in _SPLIT:
        return list(planes)
    block = kind.planes[0].per_block
    blocks = planes[0].view(np.uint8).reshape(-1, block or 1)
    return [np.ascontiguousarray(blocks[:, p.start : p.stop]) for p in _SPLIT[kind.name]]
