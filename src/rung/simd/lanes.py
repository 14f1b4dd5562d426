"""Vector operations for kernels, sixteen float32 lanes at a time, and tiles of accumulators.

R rows and C columns of a tile. `row`, `column` index elements of a two-dimensional C-contiguous
array. Nothing checks bounds: a kernel keeps to its shapes, and uses the `_some` forms for the last,
incomplete vector of a row. Sums run in one fixed order, so that a kernel which gives each output
its own accumulator gives the same bits whatever the tile.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic, overload

from rung.simd.elements import as_float, element_ir, from_float
from rung.simd.emit import (
    F32,
    I8,
    I32,
    I64,
    call_llvm,
    element_pointer,
    lane_mask,
    literal,
    load_vector,
    masked_load,
    masked_store,
    shuffle,
    splat,
    store_vector,
    sum_each,
    sum_lanes,
)
from rung.simd.exponential import emit_exp
from rung.simd.vectors import VectorType, f32x16, vector_ir

LANES = 16
_V = vector_ir(f32x16)
_kernel_intrinsic = intrinsic(prefer_literal=True)


def _zero() -> Any:
    return ir.Constant(_V, [0.0] * LANES)


def _plus(builder: Any, index: Any, step: int) -> Any:
    return builder.add(index, ir.Constant(I64, step)) if step else index


def _element_vector(array: Any) -> tuple[ir.VectorType, int]:
    """The vector of an array's elements and their size in bytes."""
    kind, size = element_ir(array)
    return ir.VectorType(kind, LANES), size


@_kernel_intrinsic
def load(context: Any, array: Any, row: Any, column: Any) -> Any:
    """array[row, column : column+16] as f32x16; int8, float16 and bfloat16 are converted."""
    kind, size = _element_vector(array)

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = element_pointer(target, builder, array, arguments[0], arguments[1:])
        return as_float(builder, array, load_vector(builder, pointer, kind, size))

    return f32x16(array, types.int64, types.int64), emit


@_kernel_intrinsic
def load_some(context: Any, array: Any, row: Any, column: Any, count: Any) -> Any:
    """array[row, column : column+count] as f32x16, zero beyond; count ≤ 16."""
    kind, size = _element_vector(array)

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = element_pointer(target, builder, array, arguments[0], arguments[1:3])
        mask = lane_mask(builder, arguments[3], LANES)
        return as_float(builder, array, masked_load(builder, pointer, kind, mask, size))

    return f32x16(array, types.int64, types.int64, types.int64), emit


@_kernel_intrinsic
def store(context: Any, array: Any, row: Any, column: Any, value: Any) -> Any:
    """array[row, column : column+16] = value, for an array of float32 or float16."""
    size = element_ir(array)[1]

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = element_pointer(target, builder, array, arguments[0], arguments[1:3])
        store_vector(builder, from_float(builder, array, arguments[3]), pointer, size)
        return target.get_dummy_value()

    return types.void(array, types.int64, types.int64, f32x16), emit


@_kernel_intrinsic
def store_some(context: Any, array: Any, row: Any, column: Any, value: Any, count: Any) -> Any:
    """array[row, column : column+count] = the first lanes of value; count ≤ 16."""
    size = element_ir(array)[1]

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = element_pointer(target, builder, array, arguments[0], arguments[1:3])
        mask = lane_mask(builder, arguments[4], LANES)
        masked_store(builder, from_float(builder, array, arguments[3]), pointer, mask, size)
        return target.get_dummy_value()

    return types.void(array, types.int64, types.int64, f32x16, types.int64), emit


@_kernel_intrinsic
def store_int8(context: Any, array: Any, row: Any, column: Any, value: Any) -> Any:
    """array[row, column : column+16] = value, whole numbers within ±127, as int8."""

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = element_pointer(target, builder, array, arguments[0], arguments[1:3])
        # By way of int32, as processors convert; LLVM narrows the lanes in one instruction.
        whole = builder.fptosi(arguments[3], ir.VectorType(I32, LANES))
        store_vector(builder, builder.trunc(whole, ir.VectorType(I8, LANES)), pointer, 1)
        return target.get_dummy_value()

    return types.void(array, types.int64, types.int64, f32x16), emit


@_kernel_intrinsic
def fill(context: Any, scalar: Any) -> Any:
    """All lanes equal to `scalar`."""

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return splat(builder, arguments[0], LANES)

    return f32x16(types.float32), emit


@_kernel_intrinsic
def fma(context: Any, a: Any, b: Any, c: Any) -> Any:
    """a·b + c, in one rounding where the processor has it."""

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _multiply_add(builder, *arguments)

    return f32x16(f32x16, f32x16, f32x16), emit


def _multiply_add(builder: Any, a: Any, b: Any, c: Any) -> Any:
    # fmuladd, not fma: without hardware FMA the latter is a slow library call a lane.
    return call_llvm(builder, "llvm.fmuladd.v16f32", _V, [a, b, c])


@_kernel_intrinsic
def total(context: Any, value: Any) -> Any:
    """The sum of the lanes."""

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return sum_lanes(builder, arguments[0])

    return types.float32(f32x16), emit


@_kernel_intrinsic
def largest(context: Any, value: Any) -> Any:
    """The maximum of the lanes; NaN lanes are ignored."""

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return call_llvm(builder, "llvm.vector.reduce.fmax.v16f32", F32, arguments)

    return types.float32(f32x16), emit


@_kernel_intrinsic
def lane(context: Any, value: Any, index: Any) -> Any:
    """One lane of a vector."""

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.extract_element(arguments[0], builder.trunc(arguments[1], I32))

    return types.float32(f32x16, types.int64), emit


@_kernel_intrinsic
def first_lanes(context: Any, value: Any, other: Any, count: Any) -> Any:
    """The first `count` lanes of value, then those of other."""

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        value, other, count = arguments
        return builder.select(lane_mask(builder, count, LANES), value, other)

    return f32x16(f32x16, f32x16, types.int64), emit


def _lanewise(name: str, operands: int) -> Callable[..., Any]:
    """An intrinsic that applies one LLVM function to each lane."""

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return call_llvm(builder, f"llvm.{name}.v16f32", _V, arguments)

    if operands == 1:

        @_kernel_intrinsic
        def unary(context: Any, a: Any) -> Any:
            return f32x16(f32x16), emit

        return unary  # type: ignore[no-any-return]

    @_kernel_intrinsic
    def binary(context: Any, a: Any, b: Any) -> Any:
        return f32x16(f32x16, f32x16), emit

    return binary  # type: ignore[no-any-return]


maximum = _lanewise("maxnum", 2)
minimum = _lanewise("minnum", 2)
nearest = _lanewise("rint", 1)
absolute = _lanewise("fabs", 1)
square_root = _lanewise("sqrt", 1)


@_kernel_intrinsic
def exp(context: Any, x: Any) -> Any:
    """eˣ of each lane, within 2 units in the last place; 0 below −87.3, infinity above 88.7.

    x = n·ln 2 + r with |r| ≤ ln 2 / 2, eʳ by its Taylor polynomial of degree 7, scaled by 2ⁿ in two
    steps so that both ends stay in range. (Cody and Waite, Software Manual, 1980.)
    """

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return emit_exp(builder, arguments[0])

    return f32x16(f32x16), emit


# ── tiles: R rows of one array against C rows of another ─────────────────────────────────────────


def _tile_type(count: int) -> Any:
    return types.UniTuple(f32x16, count)


@_kernel_intrinsic
def tile_zeros(context: Any, R: Any, C: Any) -> Any:
    """R·C accumulators, all zero. R and C are literal integers."""
    kind = _tile_type(literal(R, 0) * literal(C, 1))

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return target.make_tuple(builder, kind, [_zero()] * kind.count)

    return kind(R, C), emit


def _load_rows(array: Any, R: Any, load_one: Callable[[Any, Any], Any], partial: bool) -> Any:
    kind = _tile_type(literal(R, 3))

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        mask = lane_mask(builder, arguments[4], LANES) if partial else None
        loaded = []
        for step in range(kind.count):
            indices = [_plus(builder, arguments[1], step), arguments[2]]
            pointer = element_pointer(target, builder, array, arguments[0], indices)
            loaded.append(as_float(builder, array, load_one(builder, (pointer, mask))))
        return target.make_tuple(builder, kind, loaded)

    extra = (types.int64,) if partial else ()
    return kind(array, types.int64, types.int64, R, *extra), emit


@_kernel_intrinsic
def tile_load(context: Any, array: Any, row: Any, column: Any, R: Any) -> Any:
    """Sixteen columns of R rows of an array: a tuple of R vectors."""
    kind, size = _element_vector(array)
    return _load_rows(array, R, lambda b, at: load_vector(b, at[0], kind, size), partial=False)


@_kernel_intrinsic
def tile_load_some(context: Any, array: Any, row: Any, column: Any, R: Any, count: Any) -> Any:
    """The first `count` ≤ 16 columns of R rows, zero beyond."""
    kind, size = _element_vector(array)
    return _load_rows(array, R, lambda b, at: masked_load(b, at[0], kind, at[1], size), True)


@_kernel_intrinsic
def tile_fma(context: Any, tile: Any, rows: Any, columns: Any) -> Any:
    """tile[r, c] += rows[r] · columns[c], lane by lane."""

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        sums, left, right = (cgutils.unpack_tuple(builder, argument) for argument in arguments)
        products = [(a, b) for a in left for b in right]
        updated = [
            _multiply_add(builder, a, b, s) for (a, b), s in zip(products, sums, strict=True)
        ]
        return target.make_tuple(builder, tile, updated)

    return tile(tile, rows, columns), emit


@_kernel_intrinsic
def tile_store(context: Any, tile: Any, array: Any, row: Any, column: Any, C: Any) -> Any:
    """array[row + r, column + c] = the sum of the lanes of tile[r, c], for a tile of C columns."""
    columns = literal(C, 4)

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        for index, value in enumerate(cgutils.unpack_tuple(builder, arguments[0])):
            r, c = divmod(index, columns)
            indices = [_plus(builder, arguments[2], r), _plus(builder, arguments[3], c)]
            pointer = element_pointer(target, builder, array, arguments[1], indices)
            builder.store(sum_lanes(builder, value), pointer)
        return target.get_dummy_value()

    return types.void(tile, array, types.int64, types.int64, C), emit


@_kernel_intrinsic
def rows_fma(context: Any, sums: Any, weights: Any, array: Any, row: Any, column: Any) -> Any:
    """sums + Σ_j weights[j] · array[row + j, column : column+16] over the sixteen lanes j."""
    kind, size = _element_vector(array)

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        total, weights, view, row, column = arguments
        for j in range(LANES):
            # The lane number is a constant here, so that the lane never leaves the registers.
            weight = shuffle(builder, weights, None, [j] * LANES)
            indices = [_plus(builder, row, j), column]
            pointer = element_pointer(target, builder, array, view, indices)
            values = as_float(builder, array, load_vector(builder, pointer, kind, size))
            total = _multiply_add(builder, weight, values, total)
        return total

    return f32x16(f32x16, f32x16, array, types.int64, types.int64), emit


@_kernel_intrinsic
def tile_sums(context: Any, tile: Any) -> Any:
    """One vector whose lane i is the sum of the lanes of tile[i], for a tile of sixteen."""

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return sum_each(builder, cgutils.unpack_tuple(builder, arguments[0]))

    return f32x16(tile), emit


# ── operators ────────────────────────────────────────────────────────────────────────────────────


def _operator(symbol: Callable[[Any, Any], Any], instruction: str) -> None:
    @_kernel_intrinsic
    def apply(context: Any, a: Any, b: Any) -> Any:
        def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return getattr(builder, instruction)(*arguments)

        return f32x16(f32x16, f32x16), emit

    @overload(symbol)
    def resolve(a, b):  # type: ignore[no-untyped-def]  # Numba compares signatures
        if isinstance(a, VectorType) and isinstance(b, VectorType):
            return lambda a, b: apply(a, b)
        return None


_OPERATORS: Iterable[tuple[Callable[[Any, Any], Any], str]] = (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
)
for _symbol, _instruction in _OPERATORS:
    _operator(_symbol, _instruction)

__all__ = [
    "LANES",
    "absolute",
    "exp",
    "fill",
    "first_lanes",
    "fma",
    "lane",
    "largest",
    "load",
    "load_some",
    "maximum",
    "minimum",
    "nearest",
    "rows_fma",
    "square_root",
    "store",
    "store_int8",
    "store_some",
    "tile_fma",
    "tile_load",
    "tile_load_some",
    "tile_store",
    "tile_sums",
    "tile_zeros",
    "total",
]
