"""Helpers that emit LLVM instructions; the intrinsics of this room are built from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.errors import ForceLiteralArg

I1, I8, I16, I32, I64 = (ir.IntType(width) for width in (1, 8, 16, 32, 64))
F32 = ir.FloatType()


def literal(argument: Any, index: int) -> int:
    """The value of an intrinsic's argument number `index`, which must be known when compiling.

    Numba then compiles the calling functions, up to where the number is written, for that number.
    """
    if not isinstance(argument, types.IntegerLiteral):
        raise ForceLiteralArg({index}, fold_arguments=lambda positional, keywords: positional)
    return int(argument.literal_value)


def scalar_ir(element: types.Type) -> ir.Type:
    """The LLVM type of a scalar Numba type."""
    if isinstance(element, types.Float):
        return {16: ir.HalfType(), 32: F32, 64: ir.DoubleType()}[element.bitwidth]
    return ir.IntType(element.bitwidth)


def integers(width_type: ir.Type, values: Sequence[int]) -> Any:
    """A constant vector of integers."""
    return ir.Constant(ir.VectorType(width_type, len(values)), list(values))


def call_llvm(builder: Any, name: str, result: ir.Type, arguments: Sequence[Any]) -> Any:
    """Calls an LLVM intrinsic by its full name, such as llvm.fma.v16f32."""
    kind = ir.FunctionType(result, [argument.type for argument in arguments])
    function = cgutils.get_or_insert_function(builder.module, kind, name)
    return builder.call(function, list(arguments))


def splat(builder: Any, scalar: Any, lanes: int) -> Any:
    """A vector whose every lane is `scalar`."""
    undefined = ir.Constant(ir.VectorType(scalar.type, lanes), ir.Undefined)
    one = builder.insert_element(undefined, scalar, ir.Constant(I32, 0))
    return builder.shuffle_vector(one, undefined, integers(I32, [0] * lanes))


def shuffle(builder: Any, left: Any, right: Any, order: Sequence[int]) -> Any:
    """Lanes of left and right (numbered on) in the given order; right may be None."""
    if right is None:
        right = ir.Constant(left.type, ir.Undefined)
    return builder.shuffle_vector(left, right, integers(I32, order))


def sum_lanes(builder: Any, value: Any) -> Any:
    """The sum of a float vector's lanes, by halves: the same order on every machine."""
    lanes = value.type.count
    while lanes > 1:
        half = lanes // 2
        low = shuffle(builder, value, None, range(half))
        high = shuffle(builder, value, None, range(half, lanes))
        value = builder.fadd(low, high)
        lanes = half
    return builder.extract_element(value, ir.Constant(I32, 0))


def sum_each(builder: Any, values: Sequence[Any]) -> Any:
    """One vector whose lane i is the sum of the lanes of values[i]; as many values as lanes.

    Pairs are interleaved and added, 2n−1 additions in all instead of n·log2(n).
    """
    lanes = values[0].type.count
    width = 1  # lanes of each partial sum that already belong together
    level = list(values)
    while len(level) > 1:
        half = len(level) // 2
        paired = []
        for left, right in zip(level[:half], level[half:], strict=True):
            even, odd = [], []
            for start in range(0, lanes, 2 * width):
                for lane in range(start, start + width):
                    even += [lane, lane + lanes]
                    odd += [lane + width, lane + width + lanes]
            # Keep each result `width`-blocked: lanes of left and right alternate.
            paired.append(
                builder.fadd(
                    shuffle(builder, left, right, even), shuffle(builder, left, right, odd)
                )
            )
        level = paired
        width *= 2
    return level[0]


def element_pointer(
    context: Any, builder: Any, array_type: Any, array: Any, indices: Sequence[Any]
) -> Any:
    """Pointer to array[indices] of a C-contiguous array; no bounds check."""
    view = context.make_array(array_type)(context, builder, array)
    shape = cgutils.unpack_tuple(builder, view.shape, array_type.ndim)
    offset = indices[0]
    for size, index in zip(shape[1:], indices[1:], strict=True):
        offset = builder.add(builder.mul(offset, size, flags=["nsw"]), index, flags=["nsw"])
    return builder.gep(view.data, [offset])


def clamped(builder: Any, start: Any, step: int, last: Any) -> Any:
    """start + step, or `last` where that is beyond it."""
    index = builder.add(start, ir.Constant(I64, step))
    return builder.select(builder.icmp_signed("<", index, last), index, last)


def load_vector(builder: Any, pointer: Any, kind: ir.VectorType, align: int) -> Any:
    """Loads a vector from memory aligned to `align` bytes."""
    return builder.load(builder.bitcast(pointer, kind.as_pointer()), align=align)


def store_vector(builder: Any, value: Any, pointer: Any, align: int) -> None:
    """Stores a vector to memory aligned to `align` bytes."""
    builder.store(value, builder.bitcast(pointer, value.type.as_pointer()), align=align)


def lane_mask(builder: Any, count: Any, lanes: int) -> Any:
    """A mask whose first `count` lanes (a 64-bit integer) are set."""
    limit = splat(builder, builder.trunc(count, I32), lanes)
    return builder.icmp_signed("<", integers(I32, range(lanes)), limit)


def masked_load(builder: Any, pointer: Any, kind: ir.VectorType, mask: Any, align: int) -> Any:
    """Loads the lanes of the mask, zero elsewhere; memory of the other lanes is not touched."""
    typed = builder.bitcast(pointer, kind.as_pointer())
    name = f"llvm.masked.load.{vector_name(kind)}.p0"
    arguments = [typed, ir.Constant(I32, align), mask, ir.Constant(kind, None)]
    return call_llvm(builder, name, kind, arguments)


def masked_store(builder: Any, value: Any, pointer: Any, mask: Any, align: int) -> None:
    """Stores the lanes of the mask and leaves the rest of the memory alone."""
    typed = builder.bitcast(pointer, value.type.as_pointer())
    name = f"llvm.masked.store.{vector_name(value.type)}.p0"
    call_llvm(builder, name, ir.VoidType(), [value, typed, ir.Constant(I32, align), mask])


def vector_name(kind: ir.VectorType) -> str:
    """A vector type as intrinsic names spell it: v16f32, v64i8."""
    letter = "f32" if isinstance(kind.element, ir.FloatType) else f"i{kind.element.width}"
    return f"v{kind.count}{letter}"
