"""Tiles whose columns lie side by side: R rows of an array × C vectors of sixteen columns each.

A product a · b, whose rows of b are vectors, runs through such a tile: one value of a row of a is
spread over all lanes, and each lane is an output of its own, which needs no sum across lanes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from rung.simd.elements import as_float, element_ir
from rung.simd.emit import I64, element_pointer, literal, load_vector, splat, store_vector
from rung.simd.lanes import LANES
from rung.simd.pieces import transposed
from rung.simd.vectors import f32x16, vector_ir

_intrinsic = intrinsic(prefer_literal=True)


def _pointers(
    target: Any, builder: Any, array: Any, arguments: Any, rows: int, columns: int
) -> Iterator[Any]:
    """Where each vector of a tile begins, row by row."""
    view, row, column = arguments
    for r in range(rows):
        for c in range(columns):
            indices = [builder.add(row, I64(r)), builder.add(column, I64(c * LANES))]
            yield element_pointer(target, builder, array, view, indices)


@_intrinsic
def grid_load(context: Any, array: Any, row: Any, column: Any, R: Any, C: Any) -> Any:
    """array[row : row+R, column : column+16·C] as R·C vectors, row by row."""
    rows, columns = literal(R, 3), literal(C, 4)
    kind = types.UniTuple(f32x16, rows * columns)
    element, size = element_ir(array)

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        memory = ir.VectorType(element, LANES)
        vectors = [
            as_float(builder, array, load_vector(builder, pointer, memory, size))
            for pointer in _pointers(target, builder, array, arguments[:3], rows, columns)
        ]
        return target.make_tuple(builder, kind, vectors)

    return kind(array, types.int64, types.int64, R, C), emit


@_intrinsic
def grid_store(context: Any, grid: Any, array: Any, row: Any, column: Any, C: Any) -> Any:
    """array[row : row+R, column : column+16·C] = a tile of C columns, float32."""
    columns = literal(C, 4)

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vectors = cgutils.unpack_tuple(builder, arguments[0])
        rows = len(vectors) // columns
        places = _pointers(target, builder, array, arguments[1:4], rows, columns)
        for vector, pointer in zip(vectors, places, strict=True):
            store_vector(builder, vector, pointer, 4)
        return target.get_dummy_value()

    return types.void(grid, array, types.int64, types.int64, C), emit


@_intrinsic
def grid_scale(context: Any, grid: Any, factors: Any) -> Any:
    """grid[r, c] · factors[r], for as many factors as the tile has rows."""

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vectors, each = (cgutils.unpack_tuple(builder, argument) for argument in arguments)
        columns = len(vectors) // len(each)
        scaled = [builder.fmul(v, each[i // columns]) for i, v in enumerate(vectors)]
        return target.make_tuple(builder, grid, scaled)

    return grid(grid, factors), emit


@_intrinsic
def spread(context: Any, array: Any, row: Any, column: Any, R: Any) -> Any:
    """array[row + r, column] in all lanes of vector r, for R rows of float32."""
    kind = types.UniTuple(f32x16, literal(R, 3))

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        view, row, column, _ = arguments
        vectors = []
        for r in range(kind.count):
            indices = [builder.add(row, I64(r)), column]
            pointer = element_pointer(target, builder, array, view, indices)
            vectors.append(splat(builder, builder.load(pointer, align=4), LANES))
        return target.make_tuple(builder, kind, vectors)

    return kind(array, types.int64, types.int64, R), emit


@_intrinsic
def spread_along(context: Any, array: Any, row: Any, column: Any, R: Any) -> Any:
    """array[row, column + r] in all lanes of vector r, for R values of float32."""
    kind = types.UniTuple(f32x16, literal(R, 3))

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        view, row, column, _ = arguments
        first = element_pointer(target, builder, array, view, [row, column])
        places = [builder.gep(first, [I64(r)]) for r in range(kind.count)]
        vectors = [splat(builder, builder.load(place, align=4), LANES) for place in places]
        return target.make_tuple(builder, kind, vectors)

    return kind(array, types.int64, types.int64, R), emit


@_intrinsic
def transpose(
    context: Any, array: Any, row: Any, column: Any, to: Any, to_row: Any, to_column: Any
) -> Any:
    """to[to_row + c, to_column + r] = array[row + r, column + c] for 16 × 16 values of float32."""
    kind = vector_ir(f32x16)

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, place = arguments[:3], arguments[3:]
        rows = [
            load_vector(builder, pointer, kind, 4)
            for pointer in _pointers(target, builder, array, source, LANES, 1)
        ]
        places = _pointers(target, builder, to, place, LANES, 1)
        for vector, pointer in zip(transposed(builder, rows), places, strict=True):
            store_vector(builder, vector, pointer, 4)
        return target.get_dummy_value()

    places = (types.int64, types.int64)
    return types.void(array, *places, to, *places), emit
