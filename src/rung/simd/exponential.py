"""Exponential functions as instructions on vectors."""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from rung.simd.emit import I32, call_llvm, integers, vector_name


def emit_exp(builder: Any, x: Any) -> Any:
    """eˣ of each lane of a float32 vector; `lanes.exp` says how and how exactly."""
    floats, lanes = x.type, x.type.count
    ints = ir.VectorType(I32, lanes)

    def constant(value: float) -> Any:
        return ir.Constant(floats, [value] * lanes)

    def apply(name: str, *arguments: Any) -> Any:
        return call_llvm(builder, f"llvm.{name}.{vector_name(floats)}", floats, arguments)

    clamped = apply("minnum", x, constant(89.0))
    clamped = apply("maxnum", clamped, constant(-104.0))
    scaled = builder.fmul(clamped, constant(1.4426950408889634))
    n = apply("rint", scaled)
    r = apply("fmuladd", n, constant(-0.693359375), clamped)
    r = apply("fmuladd", n, constant(2.12194440e-4), r)
    value = constant(1 / 5040)
    for coefficient in (1 / 720, 1 / 120, 1 / 24, 1 / 6, 0.5, 1.0, 1.0):
        value = apply("fmuladd", value, r, constant(coefficient))
    whole = builder.fptosi(n, ints)
    half = builder.ashr(whole, integers(I32, [1] * lanes))
    for power in (half, builder.sub(whole, half)):
        bits = builder.shl(
            builder.add(power, integers(I32, [127] * lanes)), integers(I32, [23] * lanes)
        )
        value = builder.fmul(value, builder.bitcast(bits, floats))
    return builder.select(builder.fcmp_unordered("uno", x, x), x, value)


# 2ʳ for |r| ≤ ½ within 2e-9, fitted with relative weights; 1 at 0.
_POWERS_OF_TWO = (
    0.00015337576836200575,
    0.0013399860363211467,
    0.009618519534350715,
    0.05550328997517604,
    0.24022646608714077,
    0.6931472056005107,
    1.0,
)
_SHIFTER = 1.5 * 2.0**23  # a float32 beside which the last bit is worth 1


def emit_exp2(builder: Any, x: Any) -> Any:
    """2ˣ of each lane of a float32 vector for x ≤ 0; `functions.exp2` says how exactly."""
    floats, lanes = x.type, x.type.count
    ints = ir.VectorType(I32, lanes)

    def constant(value: float) -> Any:
        return ir.Constant(floats, [value] * lanes)

    # Rounded to a whole number by addition, which leaves that number in the last bits as well.
    shifted = builder.fadd(x, constant(_SHIFTER))
    r = builder.fsub(x, builder.fsub(shifted, constant(_SHIFTER)))
    value = constant(_POWERS_OF_TWO[0])
    for coefficient in _POWERS_OF_TWO[1:]:
        arguments = [value, r, constant(coefficient)]
        value = call_llvm(builder, f"llvm.fmuladd.{vector_name(floats)}", floats, arguments)
    exponent = builder.shl(builder.bitcast(shifted, ints), integers(I32, [23] * lanes))
    scaled = builder.bitcast(builder.add(builder.bitcast(value, ints), exponent), floats)
    # Not less, rather than at least: NaN stays what the polynomial made of it.
    return builder.select(builder.fcmp_ordered("<", x, constant(-125.0)), constant(0.0), scaled)
