"""Products of bfloat16 in pairs: two products and their sum in each of sixteen float32 lanes.

A pair is two neighbors along the depth of a product, in the 32 bits of a float32. A strip is
sixteen rows or columns of a matrix, pair after pair: a vector has the same pair of all of them. So
a strip of one matrix, a pair of it in all lanes, meets a strip of the other in one instruction.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from rung.simd.bfloat import BFloat, rounded
from rung.simd.emit import (
    F32,
    I32,
    I64,
    call_llvm,
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

RUN = 2 * LANES  # values of a row that become pairs together

_FLOATS = vector_ir(f32x16)
_WORDS = ir.VectorType(I32, LANES)
_PAIRS = ir.VectorType(BFloat(), 2 * LANES)
_intrinsic = intrinsic(prefer_literal=True)


@_intrinsic
def bfloat_rounded(context: Any, value: Any) -> Any:
    """A float32 rounded to bfloat16, as float32 again."""

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        every = splat(builder, arguments[0], LANES)
        bits = builder.extract_element(rounded(builder, every, every), I32(0))
        return builder.bitcast(builder.shl(builder.zext(bits, I32), I32(16)), F32)

    return types.float32(types.float32), emit


@_intrinsic
def pairs_of_rows(
    context: Any,
    array: Any,
    row: Any,
    last: Any,
    column: Any,
    count: Any,
    to: Any,
    to_row: Any,
    to_column: Any,
) -> Any:
    """to[to_row + i, to_column + r] = the pair array[row + r, column + 2i : column + 2i + 2].

    For sixteen rows, `last` in place of those beyond it, and sixteen pairs: `count` values of each
    row, zeros beyond.
    """

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        view, row, last, column, count, to_view, to_row, to_column = arguments
        masks = [
            lane_mask(builder, builder.sub(count, I64(half)), LANES) for half in (0, LANES)
        ]
        rows = []
        for r in range(LANES):
            index = clamped(builder, row, r, last)
            first = element_pointer(target, builder, array, view, [index, column])
            halves = [
                masked_load(builder, builder.gep(first, [I64(half * LANES)]), _FLOATS, mask, 4)
                for half, mask in enumerate(masks)
            ]
            rows.append(builder.bitcast(rounded(builder, *halves), _WORDS))
        for i, vector in enumerate(transposed(builder, rows)):
            indices = [builder.add(to_row, I64(i)), to_column]
            pointer = element_pointer(target, builder, to, to_view, indices)
            store_vector(builder, vector, pointer, 4)
        return target.get_dummy_value()

    numbers = (types.int64,) * 4
    return types.void(array, *numbers, to, types.int64, types.int64), emit


@_intrinsic
def pairs_of_columns(
    context: Any,
    array: Any,
    row: Any,
    last: Any,
    column: Any,
    count: Any,
    to: Any,
    to_row: Any,
    to_column: Any,
) -> Any:
    """to[to_row, to_column + c] = the pair array[row, column + c], array[row + 1, column + c].

    For `count` of sixteen columns, zeros beyond; zero for the second value where `row` is `last`.
    """

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        view, row, last, column, count, to_view, to_row, to_column = arguments
        mask = lane_mask(builder, count, LANES)
        second = clamped(builder, row, 1, last)
        both = splat(builder, builder.icmp_signed("<", row, last), LANES)
        values = [
            masked_load(
                builder,
                element_pointer(target, builder, array, view, [index, column]),
                _FLOATS,
                wanted,
                4,
            )
            for index, wanted in ((row, mask), (second, builder.and_(mask, both)))
        ]
        words = rounded(builder, *values)
        mixed = shuffle(builder, words, None, [i // 2 + i % 2 * LANES for i in range(2 * LANES)])
        pointer = element_pointer(target, builder, to, to_view, [to_row, to_column])
        store_vector(builder, builder.bitcast(mixed, _WORDS), pointer, 4)
        return target.get_dummy_value()

    numbers = (types.int64,) * 4
    return types.void(array, *numbers, to, types.int64, types.int64), emit


@_intrinsic
def tile_dots(context: Any, tile: Any, rows: Any, columns: Any) -> Any:
    """tile[r, c] += rows[r] · columns[c], lane by lane, each lane a pair; AVX512-BF16."""

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        sums, left, right = (cgutils.unpack_tuple(builder, argument) for argument in arguments)
        left = [builder.bitcast(value, _PAIRS) for value in left]
        right = [builder.bitcast(value, _PAIRS) for value in right]
        products = [(a, b) for a in left for b in right]
        name = "llvm.x86.avx512bf16.dpbf16ps.512"
        updated = [
            call_llvm(builder, name, _FLOATS, [s, a, b])
            for (a, b), s in zip(products, sums, strict=True)
        ]
        return target.make_tuple(builder, tile, updated)

    return tile(tile, rows, columns), emit
