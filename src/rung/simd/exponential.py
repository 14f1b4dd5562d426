"""The exponential function as instructions on vectors."""

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
