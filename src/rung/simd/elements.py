"""Elements of arrays as float32: int8, float16 and bfloat16 are converted on the way in.

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

_HALF_INFINITY = 0x7C00 << 13  # as it stands among a float32's bits


def _like(kind: ir.Type, lane: ir.Type) -> ir.Type:
    """`lane`, or a vector of it where `kind` is a vector."""
    return ir.VectorType(lane, kind.count) if isinstance(kind, ir.VectorType) else lane


def _constant(kind: ir.Type, value: float) -> Any:
    return ir.Constant(kind, [value] * kind.count if isinstance(kind, ir.VectorType) else value)


def half_to_float(builder: Any, bits: Any) -> Any:
    """float16 bits (an int16 or a vector of them) as float32, exactly."""
    machine = platform.machine().lower()
    if host().has("f16c") or machine in ("aarch64", "arm64"):
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
