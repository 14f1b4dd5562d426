"""int8 values with float32 scales: value = q · scale, scale = max|value| / 127 of its group.

N rows, K values in a row, G values that share a scale. Weights are i8 and i8_gN; activations that
meet weights in blocks are q8_s.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rung.storage.types import Array, Plane, StorageType


def _decode(planes: tuple[Array, ...]) -> NDArray[np.float64]:
    q, scales = planes
    groups = q.astype(np.float64).reshape(*scales.shape, -1)
    return (groups * scales.astype(np.float64)[..., None]).reshape(q.shape)


def _encode(values: NDArray[np.float32], G: int) -> tuple[Array, ...]:
    groups = values.reshape(*values.shape[:-1], values.shape[-1] // G, G)
    scales = (np.abs(groups).max(axis=-1, initial=0.0) / np.float32(127)).astype(np.float32)
    # A subnormal scale has no float32 inverse; such a group holds nothing but noise.
    scales[scales < np.finfo(np.float32).tiny] = 0.0
    inverse = np.divide(1, scales, out=np.zeros_like(scales), where=scales > 0)
    q = np.rint(groups * inverse[..., None]).clip(-127, 127).astype(np.int8)
    return q.reshape(values.shape), scales


_PLANES = (Plane("values", np.dtype(np.int8)), Plane("scales", np.dtype(np.float32), 1))

I8 = StorageType("i8", None, _PLANES, _decode, lambda values: _encode(values, values.shape[-1]))
"""One scale a row: the weights of int8pack_mm. Its scales plane is [N, 1]."""


def grouped_int8(G: int) -> StorageType:
    """i8_gG: one scale for G values. Source: the version-2 checkpoints of llama2.c."""
    return StorageType(f"i8_g{G}", G, _PLANES, _decode, lambda values: _encode(values, G))


def _encode_with_sums(values: NDArray[np.float32]) -> tuple[Array, ...]:
    q, scales = _encode(values, 32)
    halves = q.astype(np.int32).reshape(*q.shape[:-1], q.shape[-1] // 16, 16)
    return q, scales, halves.sum(axis=-1, dtype=np.int32)


Q8_S = StorageType(
    "q8_s",
    32,
    (*_PLANES, Plane("sums", np.dtype(np.int32), 2)),
    lambda planes: _decode(planes[:2]),
    _encode_with_sums,
)
"""Activations: one scale for 32 values, and the sum of each 16 q.

Weights with an offset need the sums: Σ(q_w − o)·q_x = Σ q_w·q_x − o·Σ q_x.
"""
