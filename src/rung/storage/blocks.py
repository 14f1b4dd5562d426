"""GGUF's block types: one plane of bytes, a block's scales and packed values one after another.

| type | values | bytes | a value is | scales |
|------|--------|-------|------------|--------|
| q8_0 | 32     | 34    | d·q        | d float16; q int8 |
| q4_0 | 32     | 18    | d·(q−8)    | d float16; q 4 bits |
| q4_k | 256    | 144   | d·s·q − e·m | d, e float16; s, m 6 bits for 32 values; q 4 bits |
| q5_k | 256    | 176   | d·s·q − e·m | the same with q of 5 bits |
| q6_k | 256    | 210   | d·s·(q−32) | d float16; s int8 for 16 values; q 6 bits |

The `gguf` package defines what blocks mean and encodes the two simple ones; `superblocks` encodes
the K types.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from rung.storage.plain import LARGEST_HALF
from rung.storage.superblocks import encode_q4_k, encode_q5_k, encode_q6_k
from rung.storage.types import Array, Plane, StorageType

Encoder = Callable[[NDArray[np.float32]], NDArray[np.uint8]]
"""Blocks [B, values] of finite numbers as bytes [B, bytes]."""


def _gguf_encoder(name: str) -> Encoder:
    def encode(blocks: NDArray[np.float32]) -> NDArray[np.uint8]:
        from gguf import GGMLQuantizationType, quants

        # Blocks of zeros, and of values too small for a scale, divide by zero on their way.
        with np.errstate(all="ignore"):
            return quants.quantize(blocks, GGMLQuantizationType[name.upper()])

    return encode


def _block_type(
    name: str, block: int, size_bytes: int, halves: tuple[int, ...], encoder: Encoder
) -> StorageType:
    """A type of `size_bytes` bytes for `block` values, with float16 scales at byte `halves`."""

    def decode(planes: tuple[Array, ...]) -> NDArray[np.float64]:
        from gguf import GGMLQuantizationType, quants

        # A damaged scale may be NaN or infinite: then so are its values, without a warning.
        with np.errstate(all="ignore"):
            rows = np.ascontiguousarray(planes[0].view(np.uint8))
            return quants.dequantize(rows, GGMLQuantizationType[name.upper()]).astype(np.float64)

    def encode(values: NDArray[np.float32]) -> tuple[Array, ...]:
        if not np.isfinite(values).all():
            value = values[~np.isfinite(values)][0]
            raise ValueError(f"{name} cannot hold {value}")
        blocks = values.reshape(-1, block)
        encoded = encoder(blocks)
        for at in halves:
            scales = np.ascontiguousarray(encoded[:, at : at + 2]).view(np.float16)[:, 0]
            if not np.isfinite(scales).all():
                worst = np.abs(blocks[int(np.isfinite(scales).argmin())]).max()
                raise ValueError(
                    f"{worst:g} is beyond {name}, whose float16 scales end at {LARGEST_HALF:g}"
                )
        return (encoded.reshape(len(values), -1),)

    plane = Plane("blocks", np.dtype(np.uint8), size_bytes)
    return StorageType(name, block, (plane,), decode, encode)


BLOCK_TYPES = (
    _block_type("q8_0", 32, 34, (0,), _gguf_encoder("q8_0")),
    _block_type("q4_0", 32, 18, (0,), _gguf_encoder("q4_0")),
    _block_type("q4_k", 256, 144, (0, 2), encode_q4_k),
    _block_type("q5_k", 256, 176, (0, 2), encode_q5_k),
    _block_type("q6_k", 256, 210, (208,), encode_q6_k),
)
