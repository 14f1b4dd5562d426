"""Panels: sixteen rows of weights side by side, so that a vector holds sixteen outputs.

A panel holds the small integers of sixteen rows, four of a row together, as the dot instructions of
all processors take them: bytes [K/4][16][4]. Beside it stand, for every 32 values, one or two
vectors of sixteen float32 factors. With outputs in the lanes nothing is summed across lanes, and a
factor is applied to sixteen outputs at once.

Where a processor has no such instruction a panel is float32 [K][16]. Sums of 32 products of int8
are exact in float32, so both kinds give the same bits.

R tokens, C panels; `p` a panel, `n` a row, `b` a block of 32 values.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic, register_jitable

from rung.simd.blocks import FORMATS, RUN, layout_of
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
from rung.simd.target import host
from rung.simd.vectors import f32x16, vector_ir

_FLOATS = vector_ir(f32x16)
_INTS = ir.VectorType(I32, LANES)
_WORD = 4  # bytes of a row that stand together
_STEPS = RUN // _WORD
_kernel_intrinsic = intrinsic(prefer_literal=True)


def _dot_width() -> int:
    """Bytes that one dot instruction multiplies; 0 without one."""
    for feature, width in (("avx512vnni", 64), ("avxvnni", 32), ("dotprod", 16)):
        if host().has(feature):
            return width
    return 0


WIDTH = _dot_width()
INTEGERS = WIDTH > 0
"""Whether panels are bytes here; float32 otherwise."""

# vpdpbusd multiplies unsigned by signed bytes, so weights are kept unsigned; sdot wants signed.
SIGNED_PANELS = 0 if WIDTH in (32, 64) else 1


class _Int8Rows:
    """Rows of plain int8, whose scale is applied at the end."""

    values, size, zero = 32, 32, 0

    @staticmethod
    def quants(builder: Any, block: Any, index: int) -> Any:
        return load_vector(builder, block, ir.VectorType(I8, RUN), 1)


INT8_ROWS = 0
"""The format of rows of int8, which is none of GGUF's."""


def _layout(FORMAT: Any, argument: int) -> Any:
    return _Int8Rows if literal(FORMAT, argument) == INT8_ROWS else layout_of(FORMAT, argument)


_FACTORS = {INT8_ROWS: 0, FORMATS["q8_0"]: 1, FORMATS["q4_0"]: 1}
_SIGNED = {INT8_ROWS, FORMATS["q8_0"]}


def factors_of(number: int) -> int:
    """Vectors of factors for 32 values: a scale; or a scale and an offset; or two scales."""
    return _FACTORS.get(number, 2)


def _bias(number: int, zero: int, *, signed: bool) -> int:
    """What a panel's integers are too large by."""
    if signed:
        return 0
    return 128 if number in _SIGNED else zero


@_kernel_intrinsic
def panel_values(context: Any, FORMAT: Any) -> Any:
    """Weights of a row that `panel_pack` takes at once."""
    values = _layout(FORMAT, 0).values

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return ir.Constant(I64, values)

    return types.int64(FORMAT), emit


@_kernel_intrinsic
def panel_factors(context: Any, FORMAT: Any) -> Any:
    """Factors of a row for 32 values."""
    count = factors_of(literal(FORMAT, 0))

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return ir.Constant(I64, count)

    return types.int64(FORMAT), emit


_LINE = 64  # bytes of a cache line


@register_jitable  # type: ignore[misc]
def aligned_bytes(rows, columns):  # type: ignore[no-untyped-def]
    """An array of bytes that begins on a cache line."""
    raw = np.empty(rows * columns + _LINE, np.uint8)
    skip = -np.int64(raw.ctypes.data) % _LINE
    return raw[skip : skip + rows * columns].reshape(rows, columns)


@register_jitable  # type: ignore[misc]
def aligned_floats(rows, columns):  # type: ignore[no-untyped-def]
    """An array of float32 that begins on a cache line."""
    raw = np.empty(rows * columns + _LINE // 4, np.float32)
    skip = -np.int64(raw.ctypes.data) % _LINE // 4
    return raw[skip : skip + rows * columns].reshape(rows, columns)


@register_jitable  # type: ignore[misc]
def aligned_ints(rows, columns):  # type: ignore[no-untyped-def]
    """An array of int32 that begins on a cache line."""
    return aligned_floats(rows, columns).view(np.int32)


if INTEGERS:
    aligned_panels = aligned_bytes
    panel_inputs = register_jitable(lambda q_TK: q_TK)
else:
    aligned_panels = aligned_floats
    panel_inputs = register_jitable(lambda q_TK: q_TK.astype(np.float32))


# ── packing ──────────────────────────────────────────────────────────────────────────────────────


def _interleaved(builder: Any, left: Any, right: Any) -> tuple[Any, Any]:
    lanes = left.type.count
    order = [lane // 2 + lane % 2 * lanes for lane in range(2 * lanes)]
    return (
        shuffle(builder, left, right, order[:lanes]),
        shuffle(builder, left, right, order[lanes:]),
    )


def _transposed(builder: Any, rows: list[Any]) -> list[Any]:
    """Sixteen vectors of 8 or 16 words as 8 or 16 vectors of sixteen words."""
    sequences = [[row] for row in rows]
    while len(sequences) > 1:
        half = len(sequences) // 2
        joined = []
        for left, right in zip(sequences[:half], sequences[half:], strict=True):
            sequence: list[Any] = []
            for a, b in zip(left, right, strict=True):
                low, high = _interleaved(builder, a, b)
                if low.type.count < LANES:  # two halves of a row that fills half a vector
                    sequence.append(shuffle(builder, low, high, range(2 * low.type.count)))
                else:
                    sequence += [low, high]
            joined.append(sequence)
        sequences = joined
    return sequences[0]


def _clamped(builder: Any, start: Any, step: int, last: Any) -> Any:
    """start + step, or `last` where that is beyond it."""
    row = builder.add(start, ir.Constant(I64, step))
    return builder.select(builder.icmp_signed("<", row, last), row, last)


def _row_pointers(
    target: Any, builder: Any, kind: Any, view: Any, n: Any, last: Any, at: Any
) -> list[Any]:
    """Pointers to byte `at` of rows n to n + 15, the last row in place of those beyond it."""
    pointers = []
    for step in range(LANES):
        row = _clamped(builder, n, step, last)
        pointers.append(element_pointer(target, builder, kind, view, [row, at]))
    return pointers


def _at(builder: Any, pointer: Any, offset: Any) -> Any:
    return builder.gep(pointer, [ir.Constant(I64, offset)])


def _halves_at(builder: Any, blocks: list[Any], offset: int) -> Any:
    """The float16 at a byte offset of each of sixteen blocks, as float32."""
    bits = ir.Constant(ir.VectorType(I16, LANES), ir.Undefined)
    for lane, block in enumerate(blocks):
        pointer = builder.bitcast(_at(builder, block, offset), I16.as_pointer())
        bits = builder.insert_element(bits, builder.load(pointer, align=1), ir.Constant(I32, lane))
    return half_to_float(builder, bits)


def _factor_vectors(builder: Any, layout: Any, number: int, blocks: list[Any]) -> list[Any]:
    """The factors of sixteen blocks, run by run, as vectors over the rows."""
    count = factors_of(number)
    if count == 0:
        return []
    if count == 1:
        return [_halves_at(builder, blocks, 0)]
    words = []
    for block in blocks:
        scales = layout.scales(builder, block)
        if isinstance(scales, tuple):  # eight scales, eight offsets
            scales = shuffle(builder, scales[0], scales[1], range(LANES))
        words.append(builder.bitcast(scales, _INTS))
    vectors = [builder.bitcast(v, _FLOATS) for v in _transposed(builder, words)]
    if number == FORMATS["q6_k"]:
        return vectors
    half = LANES // 2  # scales of the eight runs, then their offsets
    return [vector for pair in zip(vectors[:half], vectors[half:], strict=True) for vector in pair]


@_kernel_intrinsic
def panel_pack(
    context: Any,
    panels: Any,
    factors: Any,
    p: Any,
    w: Any,
    n: Any,
    last: Any,
    index: Any,
    FORMAT: Any,
    SIGNED: Any,
) -> Any:
    """Block `index` of rows n to n + 15 of w becomes part of panel p. Rows end at `last`.

    SIGNED (a literal) is 1 for AMX, and SIGNED_PANELS for panel_dots.
    """
    layout, number = _layout(FORMAT, 7), literal(FORMAT, 7)
    runs = layout.values // RUN
    bias = _bias(number, layout.zero, signed=literal(SIGNED, 8) == 1)

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        panel_view, factor_view, p, w_view, n, last, index, *_ = arguments
        at = builder.mul(index, ir.Constant(I64, layout.size))
        blocks = _row_pointers(target, builder, w, w_view, n, last, at)
        first = builder.mul(index, ir.Constant(I64, layout.values * LANES))
        panel = element_pointer(target, builder, panels, panel_view, [p, first])
        for run in range(runs):
            rows = [layout.quants(builder, block, run) for block in blocks]
            if number in _SIGNED and bias:
                flip = integers(I8, [-128] * RUN)
                rows = [builder.xor(row, flip) for row in rows]
            elif number not in _SIGNED and not bias and layout.zero:
                zero = integers(I8, [layout.zero] * RUN)
                rows = [builder.sub(row, zero) for row in rows]
            words = [builder.bitcast(row, ir.VectorType(I32, _STEPS)) for row in rows]
            for step, vector in enumerate(_transposed(builder, words)):
                place = (run * _STEPS + step) * _WORD * LANES
                if INTEGERS:
                    store_vector(builder, vector, _at(builder, panel, place), 64)
                    continue
                for byte in range(_WORD):
                    # The byte of each word, shifted to its top and back: sign-extended.
                    up = builder.shl(vector, integers(I32, [24 - 8 * byte] * LANES))
                    value = builder.ashr(up, integers(I32, [24] * LANES))
                    target_pointer = _at(builder, panel, place + byte * LANES)
                    store_vector(builder, builder.sitofp(value, _FLOATS), target_pointer, 64)
        vectors = _factor_vectors(builder, layout, number, blocks)
        if vectors:
            offset = builder.mul(index, ir.Constant(I64, len(vectors) * LANES))
            pointer = element_pointer(target, builder, factors, factor_view, [p, offset])
            for place, vector in enumerate(vectors):
                store_vector(builder, vector, _at(builder, pointer, place * LANES), 64)
        return target.get_dummy_value()

    signature = types.void(
        panels, factors, types.int64, w, types.int64, types.int64, types.int64, FORMAT, SIGNED
    )
    return signature, emit


# ── products ─────────────────────────────────────────────────────────────────────────────────────


def _dot(builder: Any, sums: Any, weights: Any, word: Any) -> Any:
    """sums + the products of each four bytes of `weights` with the four bytes of a word."""
    lanes = WIDTH // _WORD
    name = {
        64: "llvm.x86.avx512.vpdpbusd.512",
        32: "llvm.x86.avx512.vpdpbusd.256",
        16: "llvm.aarch64.neon.sdot.v4i32.v16i8",
    }[WIDTH]
    ints = ir.VectorType(I32, lanes)
    operand = ir.VectorType(I8, WIDTH) if SIGNED_PANELS else ints
    repeated = builder.bitcast(splat(builder, word, lanes), operand)
    results = []
    for part in range(LANES // lanes):
        order = range(part * lanes, (part + 1) * lanes)
        total = shuffle(builder, sums, None, order)
        piece = builder.bitcast(shuffle(builder, weights, None, order), operand)
        results.append(call_llvm(builder, name, ints, [total, piece, repeated]))
    while len(results) > 1:
        count = 2 * results[0].type.count
        results = [
            shuffle(builder, a, b, range(count))
            for a, b in zip(results[::2], results[1::2], strict=True)
        ]
    return results[0]


@_kernel_intrinsic
def panel_dots(
    context: Any,
    tile: Any,
    x: Any,
    x_scales: Any,
    x_sums: Any,
    t: Any,
    last: Any,
    panels: Any,
    factors: Any,
    b: Any,
    C: Any,
    FORMAT: Any,
) -> Any:
    """tile[r, c] += x[t + r] · the rows of panel c, over block b of 32 values.

    Token `last` stands in for those beyond it.

    x is int8 [T, K], or float32 where panels are. One rounding for a block's sum times its scales
    (scale of the weights by that of x, rounded), another where weights have an offset.
    """
    columns, number = literal(C, 9), literal(FORMAT, 10)
    layout = _layout(FORMAT, 10)
    count = factors_of(number)
    halves = 2 if number == FORMATS["q6_k"] else 1
    bias = _bias(number, layout.zero, signed=SIGNED_PANELS == 1)
    rows = tile.count // columns

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        totals, x_view, sx_view, sums_view, t, last, panel_view, factor_view, b, *_ = arguments
        totals = cgutils.unpack_tuple(builder, totals)
        tokens = [_clamped(builder, t, r, last) for r in range(rows)]
        k = builder.mul(b, ir.Constant(I64, RUN))
        two = builder.mul(b, ir.Constant(I64, 2))
        x_at = [element_pointer(target, builder, x, x_view, [token, k]) for token in tokens]
        sx = [
            builder.load(element_pointer(target, builder, x_scales, sx_view, [token, b]), align=4)
            for token in tokens
        ]
        sums = []
        if bias or (count == 2 and halves == 1):
            for token in tokens:
                at = element_pointer(target, builder, x_sums, sums_view, [token, two])
                pair = [builder.load(_at(builder, at, half), align=4) for half in range(2)]
                sums.append(pair if halves == 2 else [builder.add(*pair)])
        first = builder.mul(b, ir.Constant(I64, RUN * LANES))
        place = builder.mul(b, ir.Constant(I64, count * LANES))
        panel_at = []
        factor_at = []
        for c in range(columns):
            panel = [ir.Constant(I64, c), first]
            panel_at.append(element_pointer(target, builder, panels, panel_view, panel))
            if count:
                factor = [ir.Constant(I64, c), place]
                factor_at.append(element_pointer(target, builder, factors, factor_view, factor))
        for half in range(halves):
            steps = range(half * _STEPS // halves, (half + 1) * _STEPS // halves)
            if INTEGERS:
                begin = []
                for r in range(rows):
                    if not bias:
                        begin.append(ir.Constant(_INTS, None))
                        continue
                    offset = builder.mul(sums[r][half], ir.Constant(I32, -bias))
                    begin.append(splat(builder, offset, LANES))
                dots = _integer_dots(builder, x_at, panel_at, begin, steps)
            else:
                dots = _float_dots(builder, x_at, panel_at, steps)
            for index, value in enumerate(dots):
                r, c = divmod(index, columns)
                factor = splat(builder, sx[r], LANES)
                if count:
                    at = _at(builder, factor_at[c], half * LANES)
                    factor = builder.fmul(load_vector(builder, at, _FLOATS, 64), factor)
                totals[index] = _multiply_add(builder, value, factor, totals[index])
        if count == 2 and halves == 1:
            for r in range(rows):
                sum_x = builder.fmul(builder.sitofp(sums[r][0], F32), sx[r])
                for c in range(columns):
                    at = _at(builder, factor_at[c], LANES)
                    offset = load_vector(builder, at, _FLOATS, 64)
                    total = totals[r * columns + c]
                    totals[r * columns + c] = _multiply_add(
                        builder, offset, splat(builder, sum_x, LANES), total
                    )
        return target.make_tuple(builder, tile, totals)

    signature = tile(
        *(tile, x, x_scales, x_sums, types.int64, types.int64),
        *(panels, factors, types.int64, C, FORMAT),
    )
    return signature, emit


def _multiply_add(builder: Any, a: Any, b: Any, c: Any) -> Any:
    return call_llvm(builder, "llvm.fmuladd.v16f32", _FLOATS, [a, b, c])


def _integer_dots(
    builder: Any, x_at: list[Any], panel_at: list[Any], begin: list[Any], steps: range
) -> list[Any]:
    dots = [begin[r] for r in range(len(x_at)) for _ in panel_at]
    for step in steps:
        weights = [
            load_vector(builder, _at(builder, panel, step * _WORD * LANES), _INTS, 64)
            for panel in panel_at
        ]
        for r, x in enumerate(x_at):
            pointer = builder.bitcast(_at(builder, x, step * _WORD), I32.as_pointer())
            word = builder.load(pointer, align=1)
            for c, weight in enumerate(weights):
                index = r * len(weights) + c
                dots[index] = _dot(builder, dots[index], weight, word)
    return [builder.sitofp(value, _FLOATS) for value in dots]


def _float_dots(builder: Any, x_at: list[Any], panel_at: list[Any], steps: range) -> list[Any]:
    dots = [ir.Constant(_FLOATS, None)] * (len(x_at) * len(panel_at))
    for k in range(steps.start * _WORD, steps.stop * _WORD):
        weights = [
            load_vector(builder, _at(builder, panel, k * LANES), _FLOATS, 64) for panel in panel_at
        ]
        for r, x in enumerate(x_at):
            value = splat(builder, builder.load(_at(builder, x, k), align=4), LANES)
            for c, weight in enumerate(weights):
                index = r * len(weights) + c
                dots[index] = _multiply_add(builder, value, weight, dots[index])
    return dots


@_kernel_intrinsic
def outputs_load(
    context: Any, tile: Any, y: Any, t: Any, last: Any, n: Any, count: Any, C: Any
) -> Any:
    """tile[r, c] = y[t + r, n + 16·c …], the first `count` of 16·C columns, zero beyond.

    Row `last` stands in for those beyond it.
    """
    columns = literal(C, 6)

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, view, t, last, n, count, _ = arguments
        loaded = []
        for index in range(tile.count):
            pointer, mask = _output(target, builder, y, view, t, last, n, count, index, columns)
            name = "llvm.masked.load.v16f32.p0"
            pointer = builder.bitcast(pointer, _FLOATS.as_pointer())
            operands = [pointer, ir.Constant(I32, 4), mask, ir.Constant(_FLOATS, None)]
            loaded.append(call_llvm(builder, name, _FLOATS, operands))
        return target.make_tuple(builder, tile, loaded)

    return tile(tile, y, types.int64, types.int64, types.int64, types.int64, C), emit


@_kernel_intrinsic
def outputs_store(
    context: Any, tile: Any, y: Any, t: Any, last: Any, n: Any, count: Any, C: Any
) -> Any:
    """y[t + r, n + 16·c …] = tile[r, c], the first `count` of 16·C columns, up to row `last`.

    Rows beyond it must be copies of it.
    """
    columns = literal(C, 6)

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        values, view, t, last, n, count, _ = arguments
        for index, value in enumerate(cgutils.unpack_tuple(builder, values)):
            pointer, mask = _output(target, builder, y, view, t, last, n, count, index, columns)
            pointer = builder.bitcast(pointer, _FLOATS.as_pointer())
            operands = [value, pointer, ir.Constant(I32, 4), mask]
            call_llvm(builder, "llvm.masked.store.v16f32.p0", ir.VoidType(), operands)
        return target.get_dummy_value()

    return types.void(tile, y, types.int64, types.int64, types.int64, types.int64, C), emit


def _output(
    target: Any,
    builder: Any,
    y: Any,
    view: Any,
    t: Any,
    last: Any,
    n: Any,
    count: Any,
    index: int,
    columns: int,
) -> tuple[Any, Any]:
    """Where vector `index` of a tile stands in y, and which of its lanes are wanted."""
    r, c = divmod(index, columns)
    row = _clamped(builder, t, r, last)
    column = builder.add(n, ir.Constant(I64, c * LANES))
    pointer = element_pointer(target, builder, y, view, [row, column])
    rest = builder.sub(builder.trunc(count, I32), ir.Constant(I32, c * LANES))
    limit = splat(builder, rest, LANES)
    return pointer, builder.icmp_signed("<", integers(I32, range(LANES)), limit)
