"""Groups of 32-weight units as bytes for integer products: how each storage type of weights packs.

A group is what four rows contribute at a time: 128 weights of types with small blocks, a block of
256 of the K types. A *unit* is a run of weights that share a scale: 32 of them, 16 in q6_k. A
vector of 64 bytes holds sixteen bytes (a *quarter*) of each of four units, so that dot products
by fours leave four partial sums a unit, side by side.

A layout gives, for one row, its vectors of bytes; for the activations, the vectors that meet
them; and for four rows, scales with a unit in each quarter of a vector and a row in each lane.
"""

# U units of a vector (4), R rows (4)

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir

from rung.simd.elements import half_to_float
from rung.simd.emit import F32, I8, I16, I32, call_llvm, integers, load_vector, shuffle
from rung.simd.pieces import at, halves, join, load_bytes, low_bits, same, shifted, transposed
from rung.simd.target import host

ROWS = 4  # rows of weights in a group, one a lane of each quarter
UNITS = 4  # units in a vector, one a quarter
QUARTER = 16  # bytes
_BYTES = ir.VectorType(I8, 64)
_INTS = ir.VectorType(I32, 16)
_FLOATS = ir.VectorType(F32, 16)


def quarters(builder: Any, left: Any, right: Any, order: Sequence[int]) -> Any:
    """Quarters of two vectors, numbered on, in the given order."""
    size = left.type.count // 4
    lanes = [size * quarter + lane for quarter in order for lane in range(size)]
    return shuffle(builder, left, right, lanes)


def even_and_odd(builder: Any, first: Any, second: Any) -> list[Any]:
    """The even quarters of two vectors, then the odd ones."""
    return [quarters(builder, first, second, order) for order in ((0, 2, 4, 6), (1, 3, 5, 7))]


def _low(builder: Any, value: Any) -> Any:
    """The lower half of each byte."""
    return low_bits(builder, value, 4)


def _high(builder: Any, value: Any) -> Any:
    """The upper half of each byte."""
    return shifted(builder, value, 4)


# Bytes of sixteen (row, unit) pairs, rows outermost, as pairs of (unit, row).
_BY_UNIT = [4 * row + unit for unit in range(UNITS) for row in range(ROWS)]


class _Small:
    """What types with a scale for 32 weights share: a group is four blocks, or one at a row's end.

    Each unit is two quarters, which stand in two vectors whose products are added up.
    """

    values, vectors, dots, scales_count = 32, 2, ((0, 1),), 1
    order = tuple((0, unit) for unit in range(UNITS))
    unit, size, minimum, signed = 32, 0, False, False

    @staticmethod
    def inputs(builder: Any, x: Any, count: int) -> list[Any]:
        """Activations: the first quarters of four blocks, and the second ones."""
        runs = [load_bytes(builder, x, 32 * block, 32) for block in range(count)]
        return _split(builder, runs)

    @classmethod
    def scales(cls, builder: Any, rows: Sequence[Any], count: int) -> list[Any]:
        pointers = [at(builder, row, cls.size * block) for block in range(count) for row in rows]
        scales = halves(builder, pointers)
        return [_widened(builder, scales)]


def _widened(builder: Any, value: Any) -> Any:
    """A vector of four lanes for each of some units with zeros for the units that are not there."""
    lanes = value.type.count
    if lanes == ROWS * UNITS:
        return value
    zero = ir.Constant(value.type, None)
    return shuffle(builder, value, zero, [min(lane, lanes) for lane in range(ROWS * UNITS)])


def _split(builder: Any, runs: Sequence[Any]) -> list[Any]:
    """Runs of 32 bytes as a vector of their first quarters and one of their second; zero beyond."""
    if len(runs) == UNITS:
        return even_and_odd(builder, join(builder, runs[:2]), join(builder, runs[2:]))
    zero = ir.Constant(runs[0].type, None)
    lanes = [[*range(start, start + 16), *[32] * 48] for start in (0, 16)]
    return [shuffle(builder, runs[0], zero, order) for order in lanes]


def _flipped(builder: Any, value: Any) -> Any:
    """Signed bytes as the unsigned ones that are 128 greater, where products need those."""
    return builder.xor(value, same(value, -128)) if UNSIGNED else value


UNSIGNED = host().has("avx512vnni") or host().has("avxvnni")
"""Whether products multiply unsigned weights with signed activations, and nothing else will do."""


class _I8(_Small):
    """int8, without a scale among the weights."""

    size, offset, scales_count, signed = 32, 128 if UNSIGNED else 0, 0, True

    @staticmethod
    def row(builder: Any, pointer: Any, count: int) -> list[Any]:
        runs = [load_bytes(builder, pointer, 32 * block, 32) for block in range(count)]
        return [_flipped(builder, part) for part in _split(builder, runs)]

    @staticmethod
    def scales(builder: Any, rows: Sequence[Any], count: int) -> list[Any]:
        return []


class _Q80(_Small):
    """d, then 32 int8."""

    size, offset, signed = 34, 128 if UNSIGNED else 0, True

    @staticmethod
    def row(builder: Any, pointer: Any, count: int) -> list[Any]:
        runs = [load_bytes(builder, pointer, 34 * block + 2, 32) for block in range(count)]
        return [_flipped(builder, part) for part in _split(builder, runs)]


class _Q40(_Small):
    """d, then 16 bytes: the first quarter in their lower halves, the second in their upper."""

    size, offset = 18, 8

    @staticmethod
    def row(builder: Any, pointer: Any, count: int) -> list[Any]:
        runs = [load_bytes(builder, pointer, 18 * block + 2, QUARTER) for block in range(count)]
        if count == 1:
            zero = ir.Constant(runs[0].type, None)
            packed = shuffle(builder, runs[0], zero, [min(lane, 16) for lane in range(64)])
        else:
            packed = join(builder, runs)
        return [_low(builder, packed), _high(builder, packed)]


class _FourBits:
    """What q4_k and q5_k share: d, e, 12 bytes of s and m, …, then 32 bytes for two units.

    Vectors hold the first quarters of units 0, 2, 4, 6, their second ones, and those of 1, 3, 5, 7.
    """

    values, vectors, dots, scales_count, unit = 256, 4, ((0, 1), (2, 3)), 4, 32
    order = tuple((unit % 2, unit // 2) for unit in range(8))
    offset, minimum, signed = 0, True, False

    @staticmethod
    def inputs(builder: Any, x: Any, count: int) -> list[Any]:
        loaded = [load_bytes(builder, x, 64 * part, 64) for part in range(4)]
        results = []
        for order in ((0, 1, 4, 5), (2, 3, 6, 7)):
            pairs = [quarters(builder, loaded[i], loaded[i + 1], order) for i in (0, 2)]
            results += even_and_odd(builder, *pairs)
        return results

    @staticmethod
    def packed(builder: Any, pointer: Any, offset: int) -> list[Any]:
        return even_and_odd(
            builder, *(load_bytes(builder, pointer, offset + part, 64) for part in (0, 64))
        )

    @staticmethod
    def scales(builder: Any, rows: Sequence[Any], count: int) -> list[Any]:
        """d·s of units 0, 2, 4, 6 and of 1, 3, 5, 7, then −e·m of the same."""
        words = ir.VectorType(I32, 4)
        both, *packed = transposed(builder, [load_vector(builder, row, words, 1) for row in rows])
        first, second, last = packed

        def bits(value: Any, right: int, mask: int) -> Any:
            if right:
                value = builder.lshr(value, same(value, right))
            return builder.and_(value, same(value, mask * 0x01010101))

        results = []
        for own, shared, start in ((first, 0, 0), (second, 4, 16)):
            low = bits(own, 0, 63)
            # The upper two bits of units 0 to 3 are bits 4 and 5 of units 4 to 7.
            high = builder.or_(bits(last, shared, 15), bits(own, 2, 48))
            factor = _halves_of(builder, both, start)
            results += [
                builder.fmul(factor, _small_floats(builder, part, signed=False))
                for part in _even_units(builder, low, high)
            ]
        return results[:2] + [builder.fneg(value) for value in results[2:]]


def _halves_of(builder: Any, words: Any, start: int) -> Any:
    """The float16 at bit `start` of four words, in each quarter."""
    if start:
        words = builder.lshr(words, same(words, start))
    bits = builder.trunc(words, ir.VectorType(I16, 4))
    return shuffle(builder, half_to_float(builder, bits), None, list(range(ROWS)) * UNITS)


def _even_units(builder: Any, low: Any, high: Any) -> list[Any]:
    """Units 0 to 3 and 4 to 7 by rows as units 0, 2, 4, 6 and 1, 3, 5, 7 by units."""
    kind = ir.VectorType(I8, 16)
    order = [4 * row + unit for unit in (0, 2, 1, 3) for row in range(ROWS)]
    low, high = (shuffle(builder, builder.bitcast(v, kind), None, order) for v in (low, high))
    return [
        shuffle(builder, low, high, [*range(start, start + 8), *range(start + 16, start + 24)])
        for start in (0, 8)
    ]


def _small_floats(builder: Any, value: Any, *, signed: bool) -> Any:
    """Sixteen bytes as float32."""
    wide = (builder.sext if signed else builder.zext)(value, _INTS)
    return builder.sitofp(wide, _FLOATS)


class _Q4K(_FourBits):
    """d, e, s and m, 128 bytes of halves."""

    size = 144

    @classmethod
    def row(cls, builder: Any, pointer: Any, count: int) -> list[Any]:
        packed = cls.packed(builder, pointer, 16)
        return [half(builder, part) for half in (_low, _high) for part in packed]


class _Q5K(_FourBits):
    """As q4_k, after 32 bytes whose bit j is the fifth bit in unit j."""

    size = 176

    @classmethod
    def row(cls, builder: Any, pointer: Any, count: int) -> list[Any]:
        packed = cls.packed(builder, pointer, 48)
        results = []
        for odd, half in enumerate((_low, _high)):
            for index, part in enumerate(packed):
                bits = load_bytes(builder, pointer, 16 + QUARTER * index, QUARTER)
                spread = shuffle(builder, bits, None, list(range(QUARTER)) * UNITS)
                results.append(
                    builder.or_(half(builder, part), _bit_four(builder, spread, (0, 2, 4, 6), odd))
                )
        return results


def _bit_four(builder: Any, value: Any, units: Sequence[int], odd: int) -> Any:
    """Bit unit + odd of the bytes of each quarter, moved to bit 4."""
    # Rotated as words of four bytes: one instruction, whichever way the bit moves.
    words = builder.bitcast(value, _INTS)
    left = integers(I32, [(4 - unit - odd) % 32 for unit in units for _ in range(4)])
    words = call_llvm(builder, "llvm.fshl.v16i32", _INTS, [words, words, left])
    return builder.and_(builder.bitcast(words, _BYTES), integers(I8, [16] * 64))


def _upper_pairs(builder: Any, value: Any, left: Sequence[int], right: Sequence[int]) -> Any:
    """Two bits of the bytes of each quarter, shifted to bits 4 and 5."""
    words = builder.bitcast(value, ir.VectorType(I16, 32))
    for shift, by in ((builder.shl, left), (builder.lshr, right)):
        if any(by):
            words = shift(words, integers(I16, [each for each in by for _ in range(8)]))
    return builder.and_(builder.bitcast(words, _BYTES), integers(I8, [48] * 64))


class _Q6K:
    """128 bytes of lower halves, 64 of upper pairs of bits, 16 int8 scales, d; units of 16."""

    values, vectors, dots, scales_count, unit = 256, 4, ((0,), (1,), (2,), (3,)), 4, 16
    order = tuple((dot, unit) for dot in range(4) for unit in range(UNITS))
    size, offset, minimum, signed = 210, 32, False, False

    @staticmethod
    def inputs(builder: Any, x: Any, count: int) -> list[Any]:
        return [load_bytes(builder, x, 64 * part, 64) for part in range(4)]

    @staticmethod
    def row(builder: Any, pointer: Any, count: int) -> list[Any]:
        results = []
        for part in range(2):
            packed = load_bytes(builder, pointer, 64 * part, 64)
            pairs = load_bytes(builder, pointer, 128 + 32 * part, 32)
            spread = shuffle(builder, pairs, None, list(range(32)) * 2)
            low = _upper_pairs(builder, spread, (4, 4, 2, 2), (0, 0, 0, 0))
            high = _upper_pairs(builder, spread, (0, 0, 0, 0), (0, 0, 2, 2))
            results += [
                builder.or_(_low(builder, packed), low),
                builder.or_(_high(builder, packed), high),
            ]
        return results

    @staticmethod
    def scales(builder: Any, rows: Sequence[Any], count: int) -> list[Any]:
        words = ir.VectorType(I32, 4)
        loaded = [load_vector(builder, at(builder, row, 192), words, 1) for row in rows]
        d = halves(builder, [at(builder, row, 208) for row in rows])
        factor = shuffle(builder, d, None, list(range(ROWS)) * UNITS)
        results = []
        for part in transposed(builder, loaded):
            by_unit = shuffle(builder, builder.bitcast(part, ir.VectorType(I8, 16)), None, _BY_UNIT)
            results.append(builder.fmul(factor, _small_floats(builder, by_unit, signed=True)))
        return results


GROUPS: dict[int, Any] = {0: _I8, 2: _Q40, 8: _Q80, 12: _Q4K, 13: _Q5K, 14: _Q6K}
"""Layouts by the numbers of simd/blocks.py's FORMATS; 0 are rows of int8."""

__all__ = ["GROUPS", "QUARTER", "ROWS", "UNITS", "UNSIGNED"]
