"""Pieces of blocks and vectors: bytes at an offset, fields of bits, halves, transposed words.

What the layouts of weights (blocks.py, groups.py, panel_packing.py) have in common.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir

from rung.simd.elements import half_to_float
from rung.simd.emit import I8, I16, I32, I64, integers, load_vector, shuffle


def at(builder: Any, pointer: Any, offset: int) -> Any:
    """A pointer `offset` elements further."""
    return builder.gep(pointer, [ir.Constant(I64, offset)]) if offset else pointer


def load_bytes(builder: Any, pointer: Any, offset: int, count: int) -> Any:
    """`count` bytes from a byte offset on, wherever that is."""
    return load_vector(builder, at(builder, pointer, offset), ir.VectorType(I8, count), 1)


def same(value: Any, bits: int) -> Any:
    """A constant in every lane, like `value`."""
    return integers(value.type.element, [bits] * value.type.count)


def low_bits(builder: Any, value: Any, count: int) -> Any:
    """The lowest bits of each lane."""
    return builder.and_(value, same(value, (1 << count) - 1))


def shifted(builder: Any, value: Any, right: int) -> Any:
    """Each lane shifted right, or left where that is negative."""
    if right == 0:
        return value
    by = same(value, abs(right))
    return builder.lshr(value, by) if right > 0 else builder.shl(value, by)


def halves(builder: Any, pointers: Sequence[Any]) -> Any:
    """The float16 at each pointer to bytes, as lanes of float32."""
    bits = ir.Constant(ir.VectorType(I16, len(pointers)), ir.Undefined)
    for lane, pointer in enumerate(pointers):
        half = builder.load(builder.bitcast(pointer, I16.as_pointer()), align=1)
        bits = builder.insert_element(bits, half, ir.Constant(I32, lane))
    return half_to_float(builder, bits)


def join(builder: Any, parts: Sequence[Any]) -> Any:
    """Vectors one after another; their number is a power of two."""
    while len(parts) > 1:
        order = range(2 * parts[0].type.count)
        parts = [
            shuffle(builder, left, right, order)
            for left, right in zip(parts[::2], parts[1::2], strict=True)
        ]
    return parts[0]


def split(builder: Any, value: Any, lanes: int) -> list[Any]:
    """A vector as vectors of so many lanes."""
    starts = range(0, value.type.count, lanes)
    return [shuffle(builder, value, None, range(start, start + lanes)) for start in starts]


def transposed(builder: Any, rows: Sequence[Any]) -> list[Any]:
    """Vector w holds word w of each row. Rows and words are powers of two, words no more than rows.

    Rows half of them apart are interleaved, and then the same with the results.
    """
    sequences = [[row] for row in rows]
    while len(sequences) > 1:
        half = len(sequences) // 2
        joined = []
        for left, right in zip(sequences[:half], sequences[half:], strict=True):
            sequence: list[Any] = []
            for a, b in zip(left, right, strict=True):
                lanes = a.type.count
                order = [lane // 2 + lane % 2 * lanes for lane in range(2 * lanes)]
                if lanes < len(rows):  # a row that fills a part of a vector only
                    sequence.append(shuffle(builder, a, b, order))
                else:
                    sequence += [shuffle(builder, a, b, half) for half in _halved(order)]
            joined.append(sequence)
        sequences = joined
    return sequences[0]


def _halved(order: list[int]) -> tuple[list[int], list[int]]:
    return order[: len(order) // 2], order[len(order) // 2 :]
