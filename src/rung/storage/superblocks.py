"""Encoders of GGUF's K types: 256 values whose sub-blocks have small integer scales of their own.

B blocks, S sub-blocks, each of 32 or 16 values. Scales come from a sub-block's extremes, then
values are rounded to the nearest level of the scales as they were stored. Byte layout: the structs
of ggml-common.h.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]


def _over(numerator: Floats, denominator: Floats) -> Floats:
    """numerator / denominator, 0 where the denominator is 0."""
    shape = np.broadcast_shapes(numerator.shape, denominator.shape)
    result = np.zeros(shape, np.float32)
    # A subnormal denominator may overflow: the caller clips to the integers it can store.
    with np.errstate(over="ignore"):
        np.divide(numerator, denominator, out=result, where=denominator != 0)
    return result


def _half(values: Floats) -> tuple[NDArray[np.float16], Floats]:
    """Values as float16, and what that reads as; too large ones become infinite."""
    with np.errstate(over="ignore"):
        half = values.astype(np.float16)
    return half, half.astype(np.float32)


def _rounded(values: Floats, low: int, high: int) -> NDArray[np.int32]:
    with np.errstate(invalid="ignore"):
        whole: Floats = np.nan_to_num(np.rint(values).clip(low, high))
    return whole.astype(np.int32)


def _scales_and_levels(blocks: Floats, levels: int) -> tuple[list[Bytes], NDArray[np.int32]]:
    """value = d·s·q − e·m: the 16 bytes of d, e, s and m, and q [B, 8, 32] from 0 to levels."""
    x = blocks.reshape(-1, 8, 32)
    low = np.minimum(x.min(axis=-1), 0)
    scales = (x.max(axis=-1) - low) / np.float32(levels)
    d_half, d = _half(scales.max(axis=-1, keepdims=True) / np.float32(63))
    e_half, e = _half((-low).max(axis=-1, keepdims=True) / np.float32(63))
    s, m = _rounded(_over(scales, d), 0, 63), _rounded(_over(-low, e), 0, 63)
    with np.errstate(invalid="ignore"):  # an infinite d is the caller's to report
        shifted = x + (e * m)[..., None]
        q = _rounded(_over(shifted, (d * s)[..., None].astype(np.float32)), 0, levels)
    # Six bits of sub-blocks 0 to 3 stand in bytes of their own, whose upper two bits, with four
    # more from the last four bytes, hold those of sub-blocks 4 to 7.
    packed = [
        s[:, :4] | (s[:, 4:] >> 4 << 6),
        m[:, :4] | (m[:, 4:] >> 4 << 6),
        (s[:, 4:] & 15) | ((m[:, 4:] & 15) << 4),
    ]
    head = [d_half.view(np.uint8), e_half.view(np.uint8)]
    return head + [part.astype(np.uint8) for part in packed], q


def _nibbles(first: NDArray[np.int32], second: NDArray[np.int32]) -> Bytes:
    """Low four bits of `first` and of `second` in one byte each, flattened a block."""
    packed = (first & 15) | ((second & 15) << 4)
    return packed.astype(np.uint8).reshape(len(first), -1)


def encode_q4_k(blocks: Floats) -> Bytes:
    """Blocks [B, 256] as bytes [B, 144]."""
    head, q = _scales_and_levels(blocks, 15)
    return np.concatenate([*head, _nibbles(q[:, 0::2], q[:, 1::2])], axis=1)


def encode_q5_k(blocks: Floats) -> Bytes:
    """Blocks [B, 256] as bytes [B, 176]."""
    head, q = _scales_and_levels(blocks, 31)
    fifth = ((q >> 4) << np.arange(8)[:, None]).sum(axis=1).astype(np.uint8)  # bit s: sub-block s
    return np.concatenate([*head, fifth, _nibbles(q[:, 0::2], q[:, 1::2])], axis=1)


def encode_q6_k(blocks: Floats) -> Bytes:
    """Blocks [B, 256] as bytes [B, 210]."""
    x = blocks.reshape(-1, 16, 16)
    peaks = np.take_along_axis(x, np.abs(x).argmax(axis=-1)[..., None], axis=-1)[..., 0]
    scales = peaks / np.float32(-32)  # the value of greatest magnitude becomes −32
    d_half, d = _half(np.abs(scales).max(axis=-1, keepdims=True) / np.float32(127))
    s = _rounded(_over(scales, d), -128, 127)
    with np.errstate(invalid="ignore"):
        q = _rounded(_over(x, (d * s)[..., None].astype(np.float32)), -32, 31) + 32
    # Two halves of 128 values, four runs of 32 in each.
    q = q.reshape(-1, 2, 4, 32)
    low = _nibbles(q[:, :, :2], q[:, :, 2:])
    high = ((q >> 4) << np.array([0, 2, 4, 6])[:, None]).sum(axis=2).astype(np.uint8)
    parts = [low, high.reshape(len(q), -1), s.astype(np.int8).view(np.uint8), d_half.view(np.uint8)]
    return np.concatenate(parts, axis=1)
