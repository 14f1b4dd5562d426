"""Activations as AMX takes them in bfloat16: tiles of sixteen rows by 32 values.

T rows of K values become blocks of 16 × 32, all blocks of the first sixteen rows first. In a block,
pairs of neighboring values stand row beside row: [16 pairs][16 rows][2 values]. The last tile may
repeat a row, so that all are full: it fits where there are at least LEAST_ROWS rows, since a row
has room for twice its values. With fewer rows nothing is stored.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rung.storage.plain import BF16
from rung.storage.types import Array, Plane, StorageType

TILE_ROWS = 16
TILE_VALUES = 32
LEAST_ROWS = TILE_ROWS // 2


def _encode(values: NDArray[np.float32]) -> tuple[Array, ...]:
    T, K = values.shape
    flat = np.zeros(T * 2 * K, np.uint16)
    if T >= LEAST_ROWS:
        tiles = -(-T // TILE_ROWS)
        rows = np.minimum(np.arange(tiles * TILE_ROWS), T - 1)
        bits = BF16.encode(values)[0][rows]
        split = bits.reshape(tiles, TILE_ROWS, K // TILE_VALUES, TILE_VALUES // 2, 2)
        flat[: bits.size] = split.transpose(0, 2, 3, 1, 4).reshape(-1)
    return (flat.reshape(T, 2 * K),)


def _decode(planes: tuple[Array, ...]) -> NDArray[np.float64]:
    T, K = planes[0].shape[0], planes[0].shape[1] // 2
    if T < LEAST_ROWS:
        return np.zeros((T, K))
    tiles = -(-T // TILE_ROWS)
    flat = planes[0].reshape(-1)[: tiles * TILE_ROWS * K]
    split = flat.reshape(tiles, K // TILE_VALUES, TILE_VALUES // 2, TILE_ROWS, 2)
    bits = split.transpose(0, 3, 1, 2, 4).reshape(-1, K)[:T]
    return BF16.decode((bits,))


BF16_TILES = StorageType(
    "bf16_tiles",
    TILE_VALUES,
    (Plane("tiles", np.dtype(np.uint16), 2 * TILE_VALUES),),
    _decode,
    _encode,
    whole=True,
)
"""bfloat16 for AMX; rounded to nearest, ties to even."""
