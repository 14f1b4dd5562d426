"""Multiply-and-add loops in registers: float32, products of int8, and pairs of bfloat16.

Sums are bytes of a vector whatever their type, and independent of each other, so that the next
instruction need not wait for the one before.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import int8, int64
from numba.core import cgutils, types
from numba.extending import intrinsic, register_jitable

from rung.bench.machine.probes.rates import SINK_BYTES, rate
from rung.simd.bfloat import BFloat
from rung.simd.dots import bytes_load
from rung.simd.emit import F32, I8, I16, I32, I64, call_llvm, integers, shuffle, splat
from rung.simd.lanes import LANES
from rung.simd.memory import array_at
from rung.simd.target import host
from rung.simd.vectors import i8x64, vector_ir

# Sums at a time: sixteen hide four cycles on two units of 64 bytes; four of them fill half the
# registers where a vector takes two or four.
CHAINS = 16 if host().vector_registers >= 32 else 4

_BYTES = vector_ir(i8x64)
_FLOATS = ir.VectorType(F32, LANES)
_INTS = ir.VectorType(I32, LANES)
_LONGS = ir.VectorType(I64, 8)
_PAIRS = ir.VectorType(BFloat(), 2 * LANES)


def _each(tile: Any, one: Any) -> Any:
    """An intrinsic's answer: `one(builder, sum)` for every sum of a tile."""

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        sums = cgutils.unpack_tuple(builder, arguments[0])
        return target.make_tuple(builder, tile, [one(builder, value) for value in sums])

    return tile(tile), emit


def _multiply_add(builder: Any, value: Any) -> Any:
    half, one = (splat(builder, ir.Constant(F32, number), LANES) for number in (0.5, 1.0))
    # The sum is a factor as well: a product of two constants would be taken out of the loop.
    operands = [builder.bitcast(value, _FLOATS), half, one]
    return builder.bitcast(call_llvm(builder, "llvm.fmuladd.v16f32", _FLOATS, operands), _BYTES)


def _pieces(builder: Any, value: Any, width: int) -> list[Any]:
    order = range(0, 64, width)
    return [shuffle(builder, value, None, range(at, at + width)) for at in order]


def _joined(builder: Any, parts: list[Any]) -> Any:
    while len(parts) > 1:
        both = range(2 * parts[0].type.count)
        pairs = zip(parts[::2], parts[1::2], strict=True)
        parts = [shuffle(builder, left, right, both) for left, right in pairs]
    return parts[0]


def _dot_in_parts(name: str, width: int) -> Any:
    """Sums of four products of bytes each, by an LLVM function on vectors of `width` bytes."""
    ints = ir.VectorType(I32, width // 4)
    weights = integers(I8, [1, 2, 3, 5] * (width // 4))
    operand = ir.VectorType(I8, width) if "aarch64" in name else ints

    def one(builder: Any, value: Any) -> Any:
        results = []
        for piece in _pieces(builder, value, width):
            w = builder.bitcast(weights, operand)
            total = call_llvm(builder, name, ints, [builder.bitcast(piece, ints), w, w])
            results.append(builder.bitcast(total, ir.VectorType(I8, width)))
        return _joined(builder, results)

    return one


def _dot_widened(builder: Any, value: Any) -> Any:
    """Any processor: bytes widened to 16 bits, multiplied, and added by fours."""
    words, ints = ir.VectorType(I16, 64), ir.VectorType(I32, 32)
    # The sums are the bytes that are multiplied, so that no product can be taken out of the loop.
    left, right = builder.sext(value, words), builder.sext(integers(I8, [1, 2, 3, 5] * 16), words)
    products = []
    for start in (0, 1):
        order = range(start, 64, 2)
        wide = [builder.sext(shuffle(builder, v, None, order), ints) for v in (left, right)]
        products.append(builder.mul(*wide))
    pairs = builder.add(*products)
    even, odd = (shuffle(builder, pairs, None, range(start, 32, 2)) for start in (0, 1))
    total = builder.add(builder.add(even, odd), builder.bitcast(value, _INTS))
    return builder.bitcast(total, _BYTES)


def _dot() -> tuple[str, Any]:
    """The name of this processor's instruction for products of bytes, and how it is emitted."""
    target = host()
    if target.has("avx512vnni"):
        return "vpdpbusd", _dot_in_parts("llvm.x86.avx512.vpdpbusd.512", 64)
    if target.has("avxvnni"):
        return "vpdpbusd", _dot_in_parts("llvm.x86.avx512.vpdpbusd.256", 32)
    if target.has("dotprod"):
        return "sdot", _dot_in_parts("llvm.aarch64.neon.sdot.v4i32.v16i8", 16)
    return "multiplied as 16 bits", _dot_widened


_DOT_NAME, _dot_add = _dot()


def _pair_add(builder: Any, value: Any) -> Any:
    ones = builder.bitcast(integers(I16, [0x3F00] * (2 * LANES)), _PAIRS)
    operands = [builder.bitcast(value, _FLOATS), ones, ones]
    name = "llvm.x86.avx512bf16.dpbf16ps.512"
    return builder.bitcast(call_llvm(builder, name, _FLOATS, operands), _BYTES)


@intrinsic
def _floats_step(context: Any, tile: Any) -> Any:
    """Each sum · ½ + 1, sixteen float32 lanes."""
    return _each(tile, _multiply_add)


@intrinsic
def _bytes_step(context: Any, tile: Any) -> Any:
    """Each sum plus 64 products of bytes, added by fours."""
    return _each(tile, _dot_add)


@intrinsic
def _pairs_step(context: Any, tile: Any) -> Any:
    """Each sum plus 32 products of bfloat16, added in pairs."""
    return _each(tile, _pair_add)


@intrinsic
def _folded(context: Any, tile: Any) -> Any:
    """All bits of all sums in one word."""

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        first, *others = cgutils.unpack_tuple(builder, arguments[0])
        for value in others:
            first = builder.xor(first, value)
        longs = builder.bitcast(first, _LONGS)
        return call_llvm(builder, "llvm.vector.reduce.xor.v8i64", I64, [longs])

    return types.int64(tile), emit


@register_jitable
def _chains(part, words, step):
    """Steps of CHAINS sums that begin with different values."""
    tile = bytes_load(array_at(words[1], (CHAINS, 64), int8), 0, 0, CHAINS)
    for _ in range(words[0]):
        tile = step(tile)
    array_at(words[2] + part * SINK_BYTES, (1,), int64)[0] = _folded(tile)


def _always() -> bool:
    return True


@rate("f32", instruction="fma", operations=2 * LANES * CHAINS, when=_always)
def multiply_floats(part, parts, words):
    _chains(part, words, _floats_step)


@rate("int8", instruction=_DOT_NAME, operations=2 * 64 * CHAINS, when=_always)
def multiply_bytes(part, parts, words):
    _chains(part, words, _bytes_step)


@rate(
    "bf16",
    instruction="vdpbf16ps",
    operations=2 * 2 * LANES * CHAINS,
    when=lambda: host().has("avx512bf16"),
)
def multiply_pairs(part, parts, words):
    _chains(part, words, _pairs_step)
