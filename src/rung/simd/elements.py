"""Elements of arrays as float32: int8, float16 and bfloat16 are converted on the way in.

float16 is converted on the way out as well.

Numba has no 16-bit floats on the CPU, so their bits travel as integers: float16 as int16, bfloat16
as uint16.
"""

from __future__ import annotations

import platform
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from rung.simd.emit import F32, I8, I16, I32, element_pointer
from rung.simd.target import host

LARGEST_HALF = 65504.0  # the greatest finite float16
_HALF_INFINITY = 0x7C00 << 13  # as it stands among a float32's bits


def _like(kind: ir.Type, lane: ir.Type) -> ir.Type:
    """`lane`, or a vector of it where `kind` is a vector."""
    return ir.VectorType(lane, kind.count) if isinstance(kind, ir.VectorType) else lane


def _constant(kind: ir.Type, value: float) -> Any:
    return ir.Constant(kind, [value] * kind.count if isinstance(kind, ir.VectorType) else value)


def _converts_halves() -> bool:
    """Whether the processor has instructions between float16 and float32."""
    return host().has("f16c") or platform.machine().lower() in ("aarch64", "arm64")


def half_to_float(builder: Any, bits: Any) -> Any:
    """float16 bits (an int16 or a vector of them) as float32, exactly."""
    if _converts_halves():
        half = builder.bitcast(bits, _like(bits.type, ir.HalfType()))
        return builder.fpext(half, _like(bits.type, F32))
    # LLVM would call a function a lane that may not be there. Shifted into place, the bits are a
    # float32 2¹¹² times too small, subnormals included; only the infinite exponent needs more.
    wide, floats = _like(bits.type, I32), _like(bits.type, F32)
    extended = builder.zext(bits, wide)
    sign = builder.shl(builder.and_(extended, _constant(wide, 0x8000)), _constant(wide, 16))
    rest = builder.shl(builder.and_(extended, _constant(wide, 0x7FFF)), _constant(wide, 13))
    scaled = builder.fmul(builder.bitcast(rest, floats), _constant(floats, 2.0**112))
    special = builder.icmp_unsigned(">=", rest, _constant(wide, _HALF_INFINITY))
    exponent = builder.select(special, _constant(wide, 0x7F800000), _constant(wide, 0))
    value = builder.or_(builder.or_(builder.bitcast(scaled, wide), exponent), sign)
    return builder.bitcast(value, floats)


def float_to_half(builder: Any, value: Any) -> Any:
    """float32 (one or a vector) as float16 bits, to nearest, ties to even.

    What is beyond float16's range becomes its greatest finite value, NaN stays NaN.
    """
    floats, wide = value.type, _like(value.type, I32)
    for symbol, most in ((">", LARGEST_HALF), ("<", -LARGEST_HALF)):
        limit = _constant(floats, most)
        value = builder.select(builder.fcmp_ordered(symbol, value, limit), limit, value)
    if _converts_halves():
        half = builder.fptrunc(value, _like(floats, ir.HalfType()))
        return builder.bitcast(half, _like(floats, I16))
    bits = builder.bitcast(value, wide)
    sign = builder.and_(builder.lshr(bits, _constant(wide, 16)), _constant(wide, 0x8000))
    rest = builder.and_(bits, _constant(wide, 0x7FFFFFFF))
    # Below 2⁻¹⁴ the steps are equal: adding a half lets the addition itself round to them.
    half_bits = _constant(wide, 0x3F000000)
    moved = builder.fadd(builder.bitcast(rest, floats), builder.bitcast(half_bits, floats))
    small = builder.sub(builder.bitcast(moved, wide), half_bits)
    # Above, 13 bits go: half a step less one, and one more where the bit that stays is odd.
    odd = builder.and_(builder.lshr(rest, _constant(wide, 13)), _constant(wide, 1))
    rounded = builder.add(builder.add(rest, _constant(wide, 0xFFF - (112 << 23))), odd)
    normal = builder.lshr(rounded, _constant(wide, 13))
    is_small = builder.icmp_unsigned("<", rest, _constant(wide, 113 << 23))
    result = builder.select(is_small, small, normal)
    is_nan = builder.icmp_unsigned(">", rest, _constant(wide, 0x7F800000))
    result = builder.select(is_nan, _constant(wide, 0x7E00), result)
    return builder.trunc(builder.or_(result, sign), _like(floats, I16))


def _bfloat_to_float(builder: Any, bits: Any) -> Any:
    """bfloat16 bits are the upper half of a float32's."""
    wide = _like(bits.type, I32)
    shifted = builder.shl(builder.zext(bits, wide), _constant(wide, 16))
    return builder.bitcast(shifted, _like(bits.type, F32))


def element_ir(array: Any) -> tuple[ir.Type, int]:
    """The LLVM type of an array's elements and their size in bytes."""
    known = {
        types.float32: (F32, 4),
        types.int8: (I8, 1),
        types.int16: (I16, 2),
        types.uint16: (I16, 2),
    }
    if array.dtype not in known:
        raise TypeError(f"no vector load for {array.dtype}")
    return known[array.dtype]


def as_float(builder: Any, array: Any, value: Any) -> Any:
    """An element of `array`, or a vector of them, as float32."""
    if array.dtype == types.int8:
        return builder.sitofp(value, _like(value.type, F32))
    if array.dtype == types.int16:
        return half_to_float(builder, value)
    if array.dtype == types.uint16:
        return _bfloat_to_float(builder, value)
    return value


def from_float(builder: Any, array: Any, value: Any) -> Any:
    """float32 (one or a vector) as elements of an array of float32 or float16."""
    if array.dtype == types.int16:
        return float_to_half(builder, value)
    if array.dtype != types.float32:
        raise TypeError(f"no store of float32 into {array.dtype}")
    return value


@intrinsic
def element(context: Any, array: Any, row: Any, column: Any) -> Any:
    """array[row, column] as float32."""
    size = element_ir(array)[1]

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = element_pointer(target, builder, array, arguments[0], arguments[1:])
        return as_float(builder, array, builder.load(pointer, align=size))

    return types.float32(array, types.int64, types.int64), emit


@intrinsic
def half_at(context: Any, array: Any, row: Any, column: Any) -> Any:
    """The float16 in bytes column and column+1 of a row of bytes, as float32."""

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = element_pointer(target, builder, array, arguments[0], arguments[1:])
        bits = builder.load(builder.bitcast(pointer, I16.as_pointer()), align=1)
        return half_to_float(builder, bits)

    return types.float32(array, types.int64, types.int64), emit


@intrinsic
def put(context: Any, array: Any, row: Any, column: Any, value: Any) -> Any:
    """array[row, column] = value, for an array of float32 or float16."""
    size = element_ir(array)[1]

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = element_pointer(target, builder, array, arguments[0], arguments[1:3])
        builder.store(from_float(builder, array, arguments[3]), pointer, align=size)
        return target.get_dummy_value()

    return types.void(array, types.int64, types.int64, types.float32), emit
