"""Random weights made straight in their storage type, as a model of that shape would have them.

A matrix of K inputs has values of mean 0 and deviation 1/√K, so that activations stay near 1
through all layers. Blocks are random bits with scales to fit; what is written is finite, and no
scale is out of the ordinary. Norms are ones. The same seed gives the same weights.

N rows, K values in a row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from math import sqrt
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from rung.backends.cpu.machine import default_threads
from rung.errors import UsageError
from rung.formats.base import Checkpoint
from rung.models.config import Config, weight_shapes
from rung.storage import Array, StorageType, StoredTensor, storage_type, stored

Progress = Callable[[int, int], None]
"""Called with the bytes made so far and the bytes in all."""

Bytes = NDArray[np.uint8]
Random = np.random.Generator

_CHUNK_BYTES = 1 << 20  # made by one thread at a time, in its own cache
_WARP = 0.25  # scales lie within ±25% of their middle
_SPREAD = sqrt(1 + _WARP**2 / 3)  # what that adds to the deviation
# What a row is stored as where it is not whole blocks, as the writer of GGUF files has it.
_FALLBACKS = ("q8_0", "f16")
# Root mean squares of what the bits of a type mean before they are scaled.
_RMS_INT8 = 73.47  # −127 … 127, and zero twice
_RMS_SIX_BITS = 36.52  # 0 … 63
_RMS_SUB_SCALE = 97.3  # ±64 … ±127


def _bits(rng: Random, n_bytes: int) -> Bytes:
    """Random bytes."""
    words = rng.integers(0, 2**64 - 1, size=-(-n_bytes // 8), dtype=np.uint64, endpoint=True)
    return words.view(np.uint8)[:n_bytes]


def _scales(rng: Random, shape: tuple[int, ...], middle: float, signed: bool) -> Array:
    """float32 within ±25% of `middle`, of either sign where `signed`."""
    levels = np.linspace(1 - _WARP, 1 + _WARP, 128, dtype=np.float32) * np.float32(middle)
    table = np.concatenate([levels, -levels if signed else levels])
    chosen: Array = table[_bits(rng, int(np.prod(shape)))].reshape(shape)
    return chosen


def _put_halves(blocks: Bytes, at: int, values: Array) -> None:
    blocks[:, at : at + 2] = values.astype("<f2").view(np.uint8).reshape(-1, 2)


def _fill_int8(rng: Random, q: NDArray[np.int8]) -> None:
    """−127 … 127, all as likely but 0, which comes twice: the mean is 0."""
    values = _bits(rng, q.size).view(np.int8).reshape(q.shape)
    np.multiply(values, values != -128, out=q)


def _fill_scaled(rng: Random, planes: tuple[Array, ...], deviation: float) -> None:
    """i8 and i8_gN: int8 values, float32 scales."""
    q, scales = planes
    _fill_int8(rng, q.view(np.int8))
    scales[...] = _scales(rng, scales.shape, deviation / (_RMS_INT8 * _SPREAD), signed=False)


def _fill_q8_0(rng: Random, blocks: Bytes, deviation: float) -> None:
    _fill_int8(rng, blocks[:, 2:].view(np.int8))
    middle = deviation / (_RMS_INT8 * _SPREAD)
    _put_halves(blocks, 0, _scales(rng, (len(blocks),), middle, signed=False))


def _fill_q4_0(rng: Random, blocks: Bytes, deviation: float) -> None:
    """−8 … 7 has mean −1/2: scales of either sign make it 0."""
    blocks[...] = _bits(rng, blocks.size).reshape(blocks.shape)
    middle = deviation / (sqrt(21.5) * _SPREAD)
    _put_halves(blocks, 0, _scales(rng, (len(blocks),), middle, signed=True))


def _filler_of_levels(levels: int) -> Callable[[Random, Bytes, float], None]:
    """q4_k and q5_k, whose q lie in 0 … levels: d·s·q − e·m with s = m and e = d · levels / 2."""

    def fill(rng: Random, blocks: Bytes, deviation: float) -> None:
        blocks[...] = _bits(rng, blocks.size).reshape(blocks.shape)
        blocks[:, 8:12] = blocks[:, 4:8]
        blocks[:, 12:16] = (blocks[:, 12:16] & 15) * 17
        rms = _RMS_SIX_BITS * sqrt(((levels + 1) ** 2 - 1) / 12) * _SPREAD
        d = _scales(rng, (len(blocks),), deviation / rms, signed=False).astype(np.float16)
        _put_halves(blocks, 0, d)
        _put_halves(blocks, 2, d.astype(np.float32) * np.float32(levels / 2))

    return fill


def _fill_q6_k(rng: Random, blocks: Bytes, deviation: float) -> None:
    """−32 … 31 has mean −1/2: scales of either sign make it 0."""
    blocks[...] = _bits(rng, blocks.size).reshape(blocks.shape)
    sub = blocks[:, 192:208]
    sub[...] = np.where(sub & 128, (~sub & 63) + 129, (sub & 63) + 64)  # −127 … −64, 64 … 127
    middle = deviation / (_RMS_SUB_SCALE * sqrt((64**2 - 1) / 12 + 0.25) * _SPREAD)
    _put_halves(blocks, 208, _scales(rng, (len(blocks),), middle, signed=False))


_BLOCKS: dict[str, Callable[[Random, Bytes, float], None]] = {
    "q8_0": _fill_q8_0,
    "q4_0": _fill_q4_0,
    "q4_k": _filler_of_levels(15),
    "q5_k": _filler_of_levels(31),
    "q6_k": _fill_q6_k,
}
_PLAIN = ("f32", "f16", "bf16")
KINDS = (*_PLAIN, "i8", "i8_gN", *_BLOCKS)
"""The types that random matrices can have."""


def _fill(rng: Random, rows: StoredTensor, deviation: float) -> None:
    """Fills some rows with values of mean 0 and this deviation."""
    kind = rows.type
    if kind.name in _BLOCKS:
        size = kind.planes[0].per_block
        assert size is not None
        _BLOCKS[kind.name](rng, rows.planes[0].view(np.uint8).reshape(-1, size), deviation)
    elif kind.name in _PLAIN:
        values = rng.random(rows.shape, dtype=np.float32)
        values -= np.float32(0.5)
        values *= np.float32(deviation * sqrt(12))
        np.copyto(rows.planes[0], kind.encode(values)[0])
    else:
        _fill_scaled(rng, rows.planes, deviation)


def random_checkpoint(
    config: Config,
    type_name: str,
    *,
    seed: int = 0,
    name: str = "random",
    progress: Progress | None = None,
) -> Checkpoint:
    """A model of random weights, its matrices in the storage type of this name.

    Token embedding and output are matrices like the others. Rows that are not whole blocks of a
    GGUF type are q8_0, or f16, which a note of the checkpoint tells. Vectors and learned positions
    are float32. Beside the weights themselves it needs some MiB. Raises UsageError for a type that
    matrices cannot have.
    """
    kind = matrix_type(type_name)
    weights: dict[str, StoredTensor] = {}
    other: dict[str, int] = {}
    for tensor, shape in weight_shapes(config).items():
        if len(shape) == 1:
            weights[tensor] = stored(_vector(tensor, shape, seed))
            continue
        chosen = storage_type("f32") if tensor == "position_embd.weight" else _fitting(kind, shape)
        if chosen is not kind and tensor != "position_embd.weight":
            other[chosen.name] = other.get(chosen.name, 0) + 1
        weights[tensor] = _empty(chosen, shape)
    _fill_all(weights, seed, progress or (lambda done, total: None))
    notes = tuple(
        f"{count} of the matrices are {found}: their rows are not whole blocks of {kind.name}"
        for found, count in other.items()
    )
    return Checkpoint(Path(name), f"random weights ({kind.name})", config, weights, notes=notes)


def matrix_type(name: str) -> StorageType:
    """The storage type of this name. Raises UsageError unless random matrices can have it."""
    if name in KINDS or name.startswith("i8_g"):
        try:
            return storage_type(name)
        except KeyError:
            pass  # i8_gN itself, or a group of no size
    raise UsageError(f"--type is {name!r}, expected one of {', '.join(KINDS)}")


def _fitting(kind: StorageType, shape: tuple[int, ...]) -> StorageType:
    """The type for a matrix: `kind`, or the first fall-back of GGUF types that fits its rows."""
    names = (kind.name, *_FALLBACKS) if kind.name in _BLOCKS else (kind.name,)
    for candidate in map(storage_type, names):
        if candidate.block is None or shape[-1] % candidate.block == 0:
            return candidate
    raise UsageError(
        f"--type {kind.name} needs rows of a multiple of {kind.block}, not {shape[-1]}"
    )


def _empty(kind: StorageType, shape: tuple[int, ...]) -> StoredTensor:
    shapes = zip(kind.plane_shapes(shape), kind.planes, strict=True)
    return StoredTensor(kind, shape, tuple(np.empty(size, plane.dtype) for size, plane in shapes))


def _vector(name: str, shape: tuple[int, ...], seed: int) -> NDArray[np.float32]:
    """Ones for the weights of norms, small numbers for biases."""
    if name.endswith(".weight"):
        return np.ones(shape, np.float32)
    return _rng(seed, name, 0).standard_normal(shape, np.float32) * np.float32(0.02)


def _rng(seed: int, name: str, row: int) -> Random:
    return np.random.Generator(np.random.SFC64([seed, crc32(name.encode()), row]))


def _fill_all(weights: dict[str, StoredTensor], seed: int, progress: Progress) -> None:
    """Fills all matrices. Each piece has a generator of its own, so threads change no value."""

    def fill(piece: tuple[str, int, int]) -> int:
        name, start, stop = piece
        rows = weights[name].rows(start, stop)
        _fill(_rng(seed, name, start), rows, 1 / sqrt(rows.shape[-1]))
        return rows.size_bytes

    pieces = list(_pieces(weights))
    total = sum(weights[name].rows(start, stop).size_bytes for name, start, stop in pieces)
    done = 0
    with ThreadPoolExecutor(default_threads()) as threads:
        for size in threads.map(fill, pieces):
            done += size
            progress(done, total)


def _pieces(weights: dict[str, StoredTensor]) -> Iterator[tuple[str, int, int]]:
    """Rows of matrices, about _CHUNK_BYTES at a time."""
    for name, weight in weights.items():
        if len(weight.shape) == 1:
            continue
        n_rows: Any = weight.shape[0]
        step = max(1, _CHUNK_BYTES * n_rows // max(1, weight.size_bytes))
        for start in range(0, n_rows, step):
            yield name, start, min(start + step, n_rows)
