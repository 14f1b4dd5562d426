"""GGUF's blocks of bytes as float32 lanes: unpacked in registers, thirty-two weights at a time.

A layout knows where a block's scales and packed values stand (storage/blocks.py has the formulas).
Its `quants` are a run's small integers, from which `zero` is still to be taken.
Blocks begin at any byte, so nothing here assumes an alignment. Every value is exact in float32:
scales have 11 + 8 significant bits at most, packed values 5 more.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from rung.simd.elements import half_to_float
from rung.simd.emit import (
    F32,
    I8,
    I16,
    I32,
    I64,
    call_llvm,
    element_pointer,
    integers,
    literal,
    load_vector,
    shuffle,
    splat,
    store_vector,
)
from rung.simd.lanes import LANES
from rung.simd.memory import emit_prefetch
from rung.simd.pieces import load_bytes, low_bits, shifted
from rung.simd.vectors import f32x16, vector_ir

RUN = 32  # weights that a layout unpacks at once
_V = vector_ir(f32x16)
_kernel_intrinsic = intrinsic(prefer_literal=True)


def _half(builder: Any, block: Any, offset: int, lanes: int) -> Any:
    """The float16 at a byte offset, in every lane."""
    pointer = builder.gep(block, [ir.Constant(I64, offset)])
    bits = builder.load(builder.bitcast(pointer, I16.as_pointer()), align=1)
    return splat(builder, half_to_float(builder, bits), lanes)


def _bits(builder: Any, value: Any, start: int, count: int) -> Any:
    """`count` bits of each lane, from bit `start` on."""
    return low_bits(builder, shifted(builder, value, start), count)


def _floats(builder: Any, run: Any, *, signed: bool) -> list[Any]:
    """A run of 32 bytes as two vectors of float32."""
    ints = ir.VectorType(I32, LANES)
    halves = [shuffle(builder, run, None, range(at, at + LANES)) for at in (0, LANES)]
    # Signed either way once widened: processors convert that in one instruction.
    widen = builder.sext if signed else builder.zext
    return [builder.sitofp(widen(half, ints), _V) for half in halves]


def _lane(builder: Any, values: Any, index: int) -> Any:
    """One lane of a vector in all sixteen."""
    return shuffle(builder, values, None, [index] * LANES)


class _Q80:
    """d, then 32 int8."""

    values, size, zero = 32, 34, 0

    @staticmethod
    def scales(builder: Any, block: Any) -> Any:
        return _half(builder, block, 0, LANES)

    @staticmethod
    def whole(builder: Any, block: Any) -> Any:
        return load_bytes(builder, block, 2, RUN)

    @classmethod
    def quants(cls, builder: Any, block: Any, index: int) -> Any:
        return cls.whole(builder, block)

    @classmethod
    def run(cls, builder: Any, block: Any, d: Any, index: int) -> list[Any]:
        q = _floats(builder, cls.whole(builder, block), signed=True)
        return [builder.fmul(d, part) for part in q]


class _Q40:
    """d, then 16 bytes: values 0 to 15 in the low half-bytes, 16 to 31 in the high."""

    values, size, zero = 32, 18, 8

    @staticmethod
    def scales(builder: Any, block: Any) -> Any:
        return _half(builder, block, 0, LANES)

    @staticmethod
    def quants(builder: Any, block: Any, index: int) -> Any:
        packed = load_bytes(builder, block, 2, LANES)
        high = shifted(builder, packed, 4)
        return shuffle(builder, low_bits(builder, packed, 4), high, range(RUN))

    @classmethod
    def whole(cls, builder: Any, block: Any) -> Any:
        return builder.sub(cls.quants(builder, block, 0), integers(I8, [cls.zero] * RUN))

    @classmethod
    def run(cls, builder: Any, block: Any, d: Any, index: int) -> list[Any]:
        q = _floats(builder, cls.whole(builder, block), signed=True)
        return [builder.fmul(d, part) for part in q]


class _FourBits:
    """The scales and half-bytes that q4_k and q5_k share: d, e, 12 bytes of s and m, …, q."""

    values, zero = 256, 0

    @staticmethod
    def scales(builder: Any, block: Any) -> Any:
        """d·s and −e·m of the 8 sub-blocks."""
        words = ir.VectorType(I32, 8)
        first, second, last = (load_bytes(builder, block, 4 + 4 * part, 4) for part in range(3))
        results = []
        for own, shared in (
            (first, low_bits(builder, last, 4)),
            (second, shifted(builder, last, 4)),
        ):
            # The upper two bits of sub-blocks 0 to 3 are bits 4 and 5 of sub-blocks 4 to 7.
            upper = shifted(builder, _bits(builder, own, 6, 2), -4)
            six = shuffle(builder, low_bits(builder, own, 6), builder.or_(shared, upper), range(8))
            results.append(
                builder.sitofp(builder.zext(six, words), ir.VectorType(F32, 8)),
            )
        s, m = results
        d, e = (_half(builder, block, at, 8) for at in (0, 2))
        return builder.fmul(d, s), builder.fneg(builder.fmul(e, m))

    @staticmethod
    def scaled(builder: Any, scales: Any, q: Any, index: int) -> list[Any]:
        """d·s·q − e·m of sub-block `index`."""
        factor, offset = (_lane(builder, part, index) for part in scales)
        return [
            call_llvm(builder, "llvm.fmuladd.v16f32", _V, [factor, part, offset])
            for part in _floats(builder, q, signed=False)
        ]


class _Q4K(_FourBits):
    """Sub-blocks 2j and 2j + 1 are the low and high half-bytes of 32 bytes."""

    size = 144

    @staticmethod
    def quants(builder: Any, block: Any, index: int) -> Any:
        packed = load_bytes(builder, block, 16 + index // 2 * RUN, RUN)
        return _bits(builder, packed, index % 2 * 4, 4)

    @classmethod
    def run(cls, builder: Any, block: Any, scales: Any, index: int) -> list[Any]:
        return cls.scaled(builder, scales, cls.quants(builder, block, index), index)


class _Q5K(_FourBits):
    """As q4_k, after 32 bytes whose bit j is the fifth bit in sub-block j."""

    size = 176

    @staticmethod
    def quants(builder: Any, block: Any, index: int) -> Any:
        packed = load_bytes(builder, block, 48 + index // 2 * RUN, RUN)
        fifth = _bits(builder, load_bytes(builder, block, 16, RUN), index, 1)
        return builder.or_(_bits(builder, packed, index % 2 * 4, 4), shifted(builder, fifth, -4))

    @classmethod
    def run(cls, builder: Any, block: Any, scales: Any, index: int) -> list[Any]:
        return cls.scaled(builder, scales, cls.quants(builder, block, index), index)


class _Q6K:
    """128 bytes of low halves, 64 of upper pairs of bits, 16 int8 scales, d."""

    values, size, zero = 256, 210, 32

    @staticmethod
    def scales(builder: Any, block: Any) -> Any:
        s = builder.sext(load_bytes(builder, block, 192, 16), ir.VectorType(I32, 16))
        return builder.fmul(_half(builder, block, 208, LANES), builder.sitofp(s, _V))

    @staticmethod
    def quants(builder: Any, block: Any, index: int) -> Any:
        half, quarter = divmod(index, 4)  # of 128 and of 32 values
        packed = load_bytes(builder, block, half * 64 + quarter % 2 * RUN, RUN)
        pairs = _bits(builder, load_bytes(builder, block, 128 + half * RUN, RUN), quarter * 2, 2)
        return builder.or_(
            _bits(builder, packed, quarter // 2 * 4, 4),
            shifted(builder, pairs, -4),
        )

    @classmethod
    def run(cls, builder: Any, block: Any, scales: Any, index: int) -> list[Any]:
        q = builder.sub(cls.quants(builder, block, index), integers(I8, [cls.zero] * RUN))
        return [
            builder.fmul(_lane(builder, scales, 2 * index + part), value)
            for part, value in enumerate(_floats(builder, q, signed=True))
        ]


_LAYOUTS: dict[int, Any] = {2: _Q40, 8: _Q80, 12: _Q4K, 13: _Q5K, 14: _Q6K}

FORMATS = {"q4_0": 2, "q8_0": 8, "q4_k": 12, "q5_k": 13, "q6_k": 14}
"""Storage types by the number that kernels know them by, which is GGUF's."""


def layout_of(FORMAT: Any, argument: int) -> Any:
    """The layout that an intrinsic's argument number `argument` names, a literal of FORMATS."""
    return _LAYOUTS[literal(FORMAT, argument)]


@_kernel_intrinsic
def block_values(context: Any, FORMAT: Any) -> Any:
    """Weights in a block of a format, a literal of FORMATS."""
    values = layout_of(FORMAT, 0).values

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return ir.Constant(I64, values)

    return types.int64(FORMAT), emit


def _block_pointer(
    target: Any, builder: Any, kind: Any, array: Any, row: Any, index: Any, layout: Any
) -> Any:
    """Pointer to block number `index` of a row of bytes."""
    offset = builder.mul(index, ir.Constant(I64, layout.size))
    return element_pointer(target, builder, kind, array, [row, offset])


def block_pointers(
    target: Any,
    builder: Any,
    kind: Any,
    array: Any,
    row: Any,
    index: Any,
    rows: int,
    layout: Any,
    step: int = 0,
) -> list[Any]:
    """Pointers to block number `index` + `step` of each of `rows` rows of bytes."""
    at = builder.add(index, ir.Constant(I64, step))
    return [
        _block_pointer(
            target, builder, kind, array, builder.add(row, ir.Constant(I64, c)), at, layout
        )
        for c in range(rows)
    ]


@_kernel_intrinsic
def tile_blocks(
    context: Any, tile: Any, x: Any, t: Any, w: Any, n: Any, index: Any, FORMAT: Any
) -> Any:
    """tile[c] += x[t, …] · w[n + c, …] over block `index` of each row, lane by lane."""
    layout = layout_of(FORMAT, 6)

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        tile, x_view, t, w_view, n, index, _ = arguments
        sums = cgutils.unpack_tuple(builder, tile)
        blocks = block_pointers(target, builder, w, w_view, n, index, len(sums), layout)
        scales = [layout.scales(builder, block) for block in blocks]
        k = builder.mul(index, ir.Constant(I64, layout.values))
        x_pointer = element_pointer(target, builder, x, x_view, [t, k])
        for run in range(layout.values // RUN):
            inputs = [
                builder.gep(x_pointer, [ir.Constant(I64, run * RUN + part * LANES)])
                for part in range(2)
            ]
            loaded = [load_vector(builder, pointer, _V, 4) for pointer in inputs]
            for c, block in enumerate(blocks):
                weights = layout.run(builder, block, scales[c], run)
                for a, b in zip(loaded, weights, strict=True):
                    sums[c] = call_llvm(builder, "llvm.fmuladd.v16f32", _V, [a, b, sums[c]])
        return target.make_tuple(builder, signature.args[0], sums)

    return tile(tile, x, types.int64, w, types.int64, types.int64, FORMAT), emit


@_kernel_intrinsic
def prefetch_blocks(context: Any, w: Any, n: Any, index: Any, C: Any, FORMAT: Any) -> Any:
    """Asks for C blocks, one after the other, from block `index` of row n on."""
    count, layout = literal(C, 3), layout_of(FORMAT, 4)

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        w_view, n, index, *_ = arguments
        block = _block_pointer(target, builder, w, w_view, n, index, layout)
        emit_prefetch(builder, block, count * layout.size)
        return target.get_dummy_value()

    return types.void(w, types.int64, types.int64, C, FORMAT), emit


@_kernel_intrinsic
def unpack_block(context: Any, y: Any, row: Any, w: Any, n: Any, index: Any, FORMAT: Any) -> Any:
    """y[row, …] = block `index` of row n of w, as float32."""
    layout = layout_of(FORMAT, 5)

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        y_view, row, w_view, n, index, _ = arguments
        block = _block_pointer(target, builder, w, w_view, n, index, layout)
        k = builder.mul(index, ir.Constant(I64, layout.values))
        y_pointer = element_pointer(target, builder, y, y_view, [row, k])
        _unpack(builder, layout, block, y_pointer)
        return target.get_dummy_value()

    return types.void(y, types.int64, w, types.int64, types.int64, FORMAT), emit


@_kernel_intrinsic
def unpack_block_at(
    context: Any, y: Any, row: Any, column: Any, w: Any, n: Any, index: Any, FORMAT: Any
) -> Any:
    """y[row, column : …] = block `index` of row n of w, as float32."""
    layout = layout_of(FORMAT, 6)

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        y_view, row, column, w_view, n, index, _ = arguments
        block = _block_pointer(target, builder, w, w_view, n, index, layout)
        y_pointer = element_pointer(target, builder, y, y_view, [row, column])
        _unpack(builder, layout, block, y_pointer)
        return target.get_dummy_value()

    whole = types.int64
    return types.void(y, whole, whole, w, whole, whole, FORMAT), emit


def _unpack(builder: Any, layout: Any, block: Any, y_pointer: Any) -> None:
    """Writes the values of a block to memory."""
    scales = layout.scales(builder, block)
    for run in range(layout.values // RUN):
        for part, value in enumerate(layout.run(builder, block, scales, run)):
            at = ir.Constant(I64, run * RUN + part * LANES)
            store_vector(builder, value, builder.gep(y_pointer, [at]), 4)
