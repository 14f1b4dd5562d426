"""Functions of vectors that are built from others."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from rung.simd.emit import I32, call_llvm, shuffle
from rung.simd.exponential import emit_exp, emit_exp2
from rung.simd.lanes import LANES
from rung.simd.vectors import f32x16, vector_ir

_V = vector_ir(f32x16)

# Of (tanh x − x) / x³ in powers of x², for |x| < 0.625. Source: tanhf of the Cephes library.
_SMALL = (
    -5.70498872745e-3,
    2.06390887954e-2,
    -5.37397155531e-2,
    1.33314422036e-1,
    -3.33332819422e-1,
)


def _constant(value: float) -> Any:
    return ir.Constant(_V, [value] * LANES)


@intrinsic
def exp2(context: Any, x: Any) -> Any:
    """2ˣ of each lane for x ≤ 0, within 2 units in the last place; 0 below −125.

    Half the instructions of `lanes.exp`, for it has one end only and a base that splits exactly.
    """

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return emit_exp2(builder, arguments[0])

    return f32x16(f32x16), emit


def _greater(builder: Any, a: Any, b: Any) -> Any:
    # One instruction on x86, where the maximum that heeds NaN takes three.
    return builder.select(builder.fcmp_ordered(">", a, b), a, b)


@intrinsic
def greater(context: Any, a: Any, b: Any) -> Any:
    """a where it is greater than b, else b, lane by lane."""

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _greater(builder, *arguments)

    return f32x16(f32x16, f32x16), emit


@intrinsic
def greatest(context: Any, value: Any) -> Any:
    """The greatest lane; any lane where one is NaN."""

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        level = arguments[0]
        while (lanes := level.type.count) > 1:
            low = shuffle(builder, level, None, range(lanes // 2))
            high = shuffle(builder, level, None, range(lanes // 2, lanes))
            level = _greater(builder, low, high)
        return builder.extract_element(level, ir.Constant(I32, 0))

    return types.float32(f32x16), emit


def _lanes_of_two(order: list[int], says: str) -> Any:
    """An intrinsic that picks lanes of two vectors, the second's numbered from 16 on."""

    @intrinsic
    def pick(context: Any, a: Any, b: Any) -> Any:
        def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return shuffle(builder, arguments[0], arguments[1], order)

        return f32x16(f32x16, f32x16), emit

    pick.__doc__ = says
    return pick


_WOVEN = [lane for i in range(LANES) for lane in (i, i + LANES)]
evens = _lanes_of_two(list(range(0, 2 * LANES, 2)), "a0 a2 … a14 b0 b2 … b14")
odds = _lanes_of_two(list(range(1, 2 * LANES, 2)), "a1 a3 … a15 b1 b3 … b15")
woven_low = _lanes_of_two(_WOVEN[:LANES], "a0 b0 a1 b1 … a7 b7")
woven_high = _lanes_of_two(_WOVEN[LANES:], "a8 b8 a9 b9 … a15 b15")


def _is_normal(builder: Any, x: Any) -> Any:
    return builder.fcmp_ordered(">=", x, _constant(2.0**-126))


@intrinsic
def flushed(context: Any, x: Any) -> Any:
    """Each lane, or 0 where it is below the smallest normal float32."""

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.select(_is_normal(builder, arguments[0]), arguments[0], _constant(0.0))

    return f32x16(f32x16), emit


@intrinsic
def inverse_or_zero(context: Any, x: Any) -> Any:
    """1 / x of each lane, or 0 where x is below the smallest normal float32."""

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        inverse = builder.fdiv(_constant(1.0), arguments[0])
        return builder.select(_is_normal(builder, arguments[0]), inverse, _constant(0.0))

    return f32x16(f32x16), emit


@intrinsic
def tanh(context: Any, x: Any) -> Any:
    """tanh of each lane, within 3 units in the last place: by a polynomial near 0, else by exp."""

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        value = arguments[0]
        small = builder.fcmp_ordered(
            "<", call_llvm(builder, "llvm.fabs.v16f32", _V, [value]), _constant(0.625)
        )
        return builder.select(small, _near_zero(builder, value), _by_exp(builder, value))

    return f32x16(f32x16), emit


def _near_zero(builder: Any, x: Any) -> Any:
    square = builder.fmul(x, x)
    sum_ = _constant(_SMALL[0])
    for coefficient in _SMALL[1:]:
        arguments = [sum_, square, _constant(coefficient)]
        sum_ = call_llvm(builder, "llvm.fmuladd.v16f32", _V, arguments)
    cube = builder.fmul(square, x)
    return call_llvm(builder, "llvm.fmuladd.v16f32", _V, [sum_, cube, x])


def _by_exp(builder: Any, x: Any) -> Any:
    # 1 − 2 / (e^2x + 1), which is ±1 where the exponential leaves its range.
    power = emit_exp(builder, builder.fadd(x, x))
    quotient = builder.fdiv(_constant(2.0), builder.fadd(power, _constant(1.0)))
    return builder.fsub(_constant(1.0), quotient)
