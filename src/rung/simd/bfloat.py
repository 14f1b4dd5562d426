"""bfloat16 on the way out: float32 rounded to its upper half, to nearest, ties to even."""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from rung.simd.emit import I16, I32, call_llvm, integers, shuffle
from rung.simd.target import host

_LANES = 16


class BFloat(ir.types.Type):  # type: ignore[misc]
    """LLVM's bfloat, which llvmlite does not name."""

    def _to_string(self) -> str:
        return "bfloat"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BFloat)

    def __hash__(self) -> int:
        return hash(BFloat)


_PAIR = ir.VectorType(BFloat(), 2 * _LANES)
_BITS = ir.VectorType(I16, 2 * _LANES)


def rounded(builder: Any, low: Any, high: Any) -> Any:
    """Two vectors of sixteen float32 as the bits of 32 bfloat16, those of `low` first.

    AVX512-BF16 takes subnormal numbers for 0, and so do the tiles that multiply them.
    """
    if host().has("avx512bf16"):
        name = "llvm.x86.avx512bf16.cvtne2ps2bf16.512"
        return builder.bitcast(call_llvm(builder, name, _PAIR, [high, low]), _BITS)
    left, right = (_rounded_bits(builder, part) for part in (low, high))
    return shuffle(builder, left, right, range(2 * _LANES))


def _rounded_bits(builder: Any, value: Any) -> Any:
    """Half a step less one is added, and one more where the bit that stays is odd."""
    wide = ir.VectorType(I32, _LANES)

    def all_of(number: int) -> Any:
        return integers(I32, [number] * _LANES)

    bits = builder.bitcast(value, wide)
    odd = builder.and_(builder.lshr(bits, all_of(16)), all_of(1))
    nearest = builder.add(bits, builder.add(odd, all_of(0x7FFF)))
    # A carry out of a NaN's bits would make it a number; a set quiet bit keeps it one.
    quiet = builder.or_(bits, all_of(0x400000))
    is_nan = builder.fcmp_unordered("uno", value, value)
    chosen = builder.select(is_nan, quiet, nearest)
    return builder.trunc(builder.lshr(chosen, all_of(16)), ir.VectorType(I16, _LANES))
