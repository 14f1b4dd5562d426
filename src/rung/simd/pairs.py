"""Products of bfloat16 in pairs: two products and their sum in each of sixteen float32 lanes.

A pair is two neighbors along the depth of a product, in the 32 bits of a float32. A strip is
sixteen rows or columns of a matrix, pair after pair: a vector has the same pair of all of them. So
a strip of one matrix, a pair of it in all lanes, meets a strip of the other in one instruction.
"""

from __future__ import annotations

from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from rung.simd.bfloat import rounded
from rung.simd.emit import (
    F32,
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

RUN = 2 * LANES  # values of a row that become pairs together

_FLOATS = vector_ir(f32x16)
_WORDS = ir.VectorType(I32, LANES)
_intrinsic = intrinsic(prefer_literal=True)

llvm.initialize_native_asmparser()  # for tile_dots, which is written in assembly


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
        masks = [lane_mask(builder, builder.sub(count, I64(half)), LANES) for half in (0, LANES)]
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
def tile_dots(context: Any, tile: Any, array: Any, row: Any, column: Any, columns: Any) -> Any:
    """tile[r, c] += array[row, column + r] · columns[c], each lane a pair; needs AVX512-BF16.

    The instruction takes a pair from memory for all lanes. LLVM would not: it loads the pairs of
    several rows ahead of their use and then has no registers left for the sums, which took three
    times as long (Zen 5). So each is written out.
    """

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        tile_value, view, row, column, right = arguments
        sums = cgutils.unpack_tuple(builder, tile_value)
        vectors = cgutils.unpack_tuple(builder, right)
        count = len(vectors)
        first = element_pointer(target, builder, array, view, [row, column])
        # Operands: sums of a row, the spread pair, (the sums as they were,) vectors, the address.
        code = "".join(f"\n\tvdpbf16ps ${2 * count + 1 + c}, ${count}, ${c}" for c in range(count))
        constraint = ",".join(
            [*["=v"] * count, "=&v", *map(str, range(count)), *["v"] * count, "r", "~{memory}"]
        )
        result = ir.LiteralStructType([_FLOATS] * (count + 1))
        kind = ir.FunctionType(result, [*[_FLOATS] * (2 * count), first.type])
        updated = []
        for at in range(0, len(sums), count):
            spread = f"vbroadcastss {4 * at // count}(${3 * count + 1}), ${count}"
            operands = [*sums[at : at + count], *vectors, first]
            parts = builder.asm(kind, spread + code, constraint, operands, side_effect=True)
            updated += [builder.extract_value(parts, c) for c in range(count)]
        return target.make_tuple(builder, tile, updated)

    return tile(tile, array, types.int64, types.int64, columns), emit
