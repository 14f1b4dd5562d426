"""Rows of bfloat16, as the first factor of a product in AMX tiles has them.

A tile of it is sixteen rows of 32 values of the depth, one row after another. The other factor's
tiles are strips of pairs (pairs.py), sixteen pairs of each.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from rung.simd.bfloat import rounded
from rung.simd.blocks import RUN
from rung.simd.emit import (
    I32,
    I64,
    clamped,
    element_pointer,
    lane_mask,
    masked_load,
    shuffle,
    splat,
    store_vector,
)
from rung.simd.lanes import LANES
from rung.simd.pieces import transposed
from rung.simd.vectors import f32x16, vector_ir

_FLOATS = vector_ir(f32x16)
_WORDS = ir.VectorType(I32, LANES)
_intrinsic = intrinsic(prefer_literal=True)


@_intrinsic
def row_rounded(
    context: Any, array: Any, row: Any, column: Any, count: Any, to: Any, at: Any
) -> Any:
    """to[at : at + 32] = array[row, column : column + count] in bfloat16, zeros beyond."""

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        view, row, column, count, to_view, at = arguments
        first = element_pointer(target, builder, array, view, [row, column])
        halves = [
            masked_load(
                builder,
                builder.gep(first, [I64(half)]),
                _FLOATS,
                lane_mask(builder, builder.sub(count, I64(half)), LANES),
                4,
            )
            for half in (0, LANES)
        ]
        pointer = element_pointer(target, builder, to, to_view, [at])
        store_vector(builder, rounded(builder, *halves), pointer, 2)
        return target.get_dummy_value()

    numbers = (types.int64,) * 3
    return types.void(array, *numbers, to, types.int64), emit


@_intrinsic
def columns_turned(
    context: Any, array: Any, row: Any, last: Any, column: Any, count: Any, to: Any, at: Any
) -> Any:
    """to[at + 32·c + i] = array[row + i, column + c] in bfloat16, for sixteen columns and 32 rows.

    Zeros for rows beyond `last`, and for all but `count` of the columns.
    """

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        view, row, last, column, count, to_view, at = arguments
        wanted = lane_mask(builder, count, LANES)
        rows = []
        for i in range(RUN):
            there = builder.icmp_signed("<=", builder.add(row, I64(i)), last)
            mask = builder.and_(wanted, splat(builder, there, LANES))
            index = clamped(builder, row, i, last)
            place = element_pointer(target, builder, array, view, [index, column])
            rows.append(masked_load(builder, place, _FLOATS, mask, 4))
        mixed = [lane // 2 + lane % 2 * LANES for lane in range(2 * LANES)]
        pairs = [
            builder.bitcast(
                shuffle(builder, rounded(builder, *rows[i : i + 2]), None, mixed), _WORDS
            )
            for i in range(0, RUN, 2)
        ]
        pointer = element_pointer(target, builder, to, to_view, [at])
        for c, vector in enumerate(transposed(builder, pairs)):
            store_vector(builder, vector, builder.gep(pointer, [I64(c * RUN)]), 2)
        return target.get_dummy_value()

    numbers = (types.int64,) * 4
    return types.void(array, *numbers, to, types.int64), emit
