"""Products of tokens with panels, over a block of 32 values at a time.

R tokens, C panels; `b` a block of 32 values. The sums of a block are integers, exact in any order;
what follows in float32 is the same for all forms of panels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from rung.simd.blocks import FORMATS, RUN
from rung.simd.emit import (
    F32,
    I8,
    I16,
    I32,
    I64,
    call_llvm,
    clamped,
    element_pointer,
    integers,
    literal,
    load_vector,
    shuffle,
    splat,
)
from rung.simd.lanes import LANES
from rung.simd.panels import Form, bias_of, factors_of, form_of, panel_layout
from rung.simd.pieces import at, join, load_bytes
from rung.simd.vectors import f32x16, vector_ir

_FLOATS = vector_ir(f32x16)
_INTS = ir.VectorType(I32, LANES)
_kernel_intrinsic = intrinsic(prefer_literal=True)

_DOTS = {
    64: "llvm.x86.avx512.vpdpbusd.512",
    32: "llvm.x86.avx512.vpdpbusd.256",
    16: "llvm.aarch64.neon.sdot.v4i32.v16i8",
}
_FEW_BITS = {
    64: "llvm.x86.avx512.pmaddubs.w.512",
    32: "llvm.x86.avx2.pmadd.ub.sw",
    16: "llvm.x86.ssse3.pmadd.ub.sw.128",
}
_PAIRS = {
    64: "llvm.x86.avx512.pmaddw.d.512",
    32: "llvm.x86.avx2.pmadd.wd",
    16: "llvm.x86.sse2.pmadd.wd",
}
_MATRICES = "llvm.aarch64.neon.smmla.v4i32.v16i8"

_GREATEST = {"q4_0": 15, "q4_k": 15, "q5_k": 31, "q6_k": 63}


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

    Token `last` stands in for those beyond it. x is what `panel_inputs` gives, [T, K].

    One rounding for a block's sum times its scales (scale of the weights by that of x, rounded),
    another where weights have an offset.
    """
    columns, number = literal(C, 9), literal(FORMAT, 10)
    layout, form = panel_layout(FORMAT, 10), form_of(number)
    count = factors_of(number)
    halves = 2 if number == FORMATS["q6_k"] else 1
    bias = bias_of(number, layout.zero, form)
    rows = tile.count // columns

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        totals, x_view, sx_view, sums_view, t, last, panel_view, factor_view, b, *_ = arguments
        totals = cgutils.unpack_tuple(builder, totals)
        tokens = [clamped(builder, t, r, last) for r in range(rows)]
        k = builder.mul(b, ir.Constant(I64, RUN))
        two = builder.mul(b, ir.Constant(I64, 2))
        x_at = [element_pointer(target, builder, x, x_view, [token, k]) for token in tokens]
        sx_at = [
            element_pointer(target, builder, x_scales, sx_view, [token, b]) for token in tokens
        ]
        sums = []
        if bias or (count == 2 and halves == 1):
            for token in tokens:
                pair_at = element_pointer(target, builder, x_sums, sums_view, [token, two])
                pair = [builder.load(at(builder, pair_at, half), align=4) for half in range(2)]
                sums.append(pair if halves == 2 else [builder.add(*pair)])
        first = builder.mul(b, ir.Constant(I64, RUN * LANES * form.size))
        place = builder.mul(b, ir.Constant(I64, count * LANES))
        panel_at = []
        factor_at = []
        for c in range(columns):
            panel = element_pointer(target, builder, panels, panel_view, [I64(c), first])
            panel_at.append(builder.bitcast(panel, I8.as_pointer()))
            if count:
                factor = [I64(c), place]
                factor_at.append(element_pointer(target, builder, factors, factor_view, factor))
        for half in range(halves):
            values = range(half * RUN // halves, (half + 1) * RUN // halves)
            starts = []
            if bias:
                starts = [builder.mul(pair[half], ir.Constant(I32, -bias)) for pair in sums]
            dots = _block_dots(builder, form, number, x_at, panel_at, starts, values)
            sx = [builder.load(pointer, align=4) for pointer in sx_at]
            for index, value in enumerate(dots):
                r, c = divmod(index, columns)
                factor = splat(builder, sx[r], LANES)
                if count:
                    vector_at = at(builder, factor_at[c], half * LANES)
                    factor = builder.fmul(load_vector(builder, vector_at, _FLOATS, 64), factor)
                totals[index] = _multiply_add(builder, value, factor, totals[index])
        if count == 2 and halves == 1:
            for r in range(rows):
                sum_x = builder.fmul(builder.sitofp(sums[r][0], F32), sx[r])
                for c in range(columns):
                    vector_at = at(builder, factor_at[c], LANES)
                    offset = load_vector(builder, vector_at, _FLOATS, 64)
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


def _block_dots(
    builder: Any,
    form: Form,
    number: int,
    x_at: list[Any],
    panel_at: list[Any],
    starts: list[Any],
    values: range,
) -> list[Any]:
    """x · the rows of each panel over `values` of a block, plus the tokens' starts, in float32."""
    if form.name == "FLOATS":
        return _float_dots(builder, x_at, panel_at, values)
    lanes = form.width // 4
    zero = ir.Constant(ir.VectorType(I32, lanes), None)
    parts = LANES // lanes
    begin = [splat(builder, start, lanes) for start in starts] or [zero] * len(x_at)
    panels = [at(builder, panel, p * form.width) for panel in panel_at for p in range(parts)]
    if form.name == "MATRICES":
        dots = _matrix_dots(builder, x_at, panel_at, values)
    else:
        sums = [begin[r] for r in range(len(x_at)) for _ in panels]
        if form.name == "FEW_BITS":
            dots = _few_bit_dots(builder, form, number, x_at, panels, sums, values)
        else:
            dots = _dots(builder, form, x_at, panels, sums, values)
    whole = [join(builder, dots[i : i + parts]) for i in range(0, len(dots), parts)]
    return [builder.sitofp(value, _FLOATS) for value in whole]


def _word(builder: Any, x: Any, offset: int, lanes: int) -> Any:
    """Four bytes of a token from value number `offset` on, in each lane."""
    pointer = builder.bitcast(at(builder, x, offset), I32.as_pointer())
    return splat(builder, builder.load(pointer, align=1), lanes)


def _weights(builder: Any, form: Form, panels: Sequence[Any], k: int) -> list[Any]:
    """The vectors of each part of a panel that begin with value k of a block."""
    bytes_kind = ir.VectorType(I8, form.width)
    offset = k * form.size * LANES
    return [
        load_vector(builder, at(builder, panel, offset), bytes_kind, form.width) for panel in panels
    ]


def _dots(
    builder: Any, form: Form, x_at: list[Any], panels: list[Any], sums: list[Any], values: range
) -> list[Any]:
    """Four products a lane, or two where panels are pairs, into int32."""
    ints = sums[0].type
    if form.name == "PAIRS":
        operand = ir.VectorType(I16, form.width // 2)
    else:
        operand = ir.VectorType(I8, form.width) if form.signed else ints
    for k in values[:: form.word]:
        weights = [builder.bitcast(w, operand) for w in _weights(builder, form, panels, k)]
        for r, x in enumerate(x_at):
            word = builder.bitcast(_word(builder, x, k, ints.count), operand)
            for c, weight in enumerate(weights):
                index = r * len(panels) + c
                if form.name == "PAIRS":
                    pairs = call_llvm(builder, _PAIRS[form.width], ints, [weight, word])
                    sums[index] = _in_order(builder, builder.add(sums[index], pairs))
                else:
                    operands = [sums[index], weight, word]
                    sums[index] = call_llvm(builder, _DOTS[form.width], ints, operands)
    return sums


def _in_order(builder: Any, value: Any) -> Any:
    """The same value, by way of an assembly of no instructions, which LLVM leaves where it is.

    LLVM adds integers up in an order of its own: one sum after another, and all vectors of weights
    wait on the stack: 96 GFLOP/s for 256 tokens of q8_0, 127 in this order (Zen 4, AVX2).
    """
    kind = ir.FunctionType(value.type, [value.type])
    return builder.asm(kind, "", "=x,0", [value], side_effect=True)


def _few_bit_dots(
    builder: Any,
    form: Form,
    number: int,
    x_at: list[Any],
    panels: list[Any],
    sums: list[Any],
    values: range,
) -> list[Any]:
    """Two products a lane into int16, as many of them as fit there added up, then into int32."""
    ints, words = sums[0].type, ir.VectorType(I16, form.width // 2)
    bytes_kind = ir.VectorType(I8, form.width)
    ones = integers(I16, [1] * words.count)
    greatest = next(_GREATEST[name] for name, known in FORMATS.items() if known == number)
    size = min((2**15 - 1) // (2 * greatest * 127), 8) * form.word
    for start in values[::size]:
        pairs: list[Any] = [None] * len(sums)
        for k in range(start, min(start + size, values.stop), form.word):
            weights = _weights(builder, form, panels, k)
            for r, x in enumerate(x_at):
                word = builder.bitcast(_word(builder, x, k, ints.count), bytes_kind)
                for c, weight in enumerate(weights):
                    index = r * len(panels) + c
                    two = call_llvm(builder, _FEW_BITS[form.width], words, [weight, word])
                    two = two if k == start else builder.add(pairs[index], two)
                    pairs[index] = _in_order(builder, two)
        for index, pair in enumerate(pairs):
            four = call_llvm(builder, _PAIRS[form.width], ints, [pair, ones])
            sums[index] = builder.add(sums[index], four)
    return sums


def _matrix_dots(builder: Any, x_at: list[Any], panel_at: list[Any], values: range) -> list[Any]:
    """Eight products for each of two tokens and two outputs into int32, then by tokens."""
    ints, eight = ir.VectorType(I32, 4), ir.VectorType(I8, 8)
    pairs = [(r, min(r + 1, len(x_at) - 1)) for r in range(0, len(x_at), 2)]
    count = LANES // 2 * len(panel_at)
    sums = [[ir.Constant(ints, None)] * count for _ in pairs]
    for k in values[::8]:
        weights = [
            load_bytes(builder, panel, k * LANES + two * 16, 16)
            for panel in panel_at
            for two in range(LANES // 2)
        ]
        for known, pair in zip(sums, pairs, strict=True):
            x = join(
                builder, [load_vector(builder, at(builder, x_at[r], k), eight, 1) for r in pair]
            )
            for c, weight in enumerate(weights):
                known[c] = call_llvm(builder, _MATRICES, ints, [known[c], x, weight])
    results = []
    for known in sums:
        for order in ((0, 1, 4, 5), (2, 3, 6, 7)):
            results += [
                shuffle(builder, a, b, order) for a, b in zip(known[::2], known[1::2], strict=True)
            ]
    return results[: len(x_at) * count // 2]


def _float_dots(builder: Any, x_at: list[Any], panel_at: list[Any], values: range) -> list[Any]:
    """A product a lane in float32, where sums of so small integers are exact."""
    dots = [ir.Constant(_FLOATS, None)] * (len(x_at) * len(panel_at))
    for k in values:
        weights = [
            load_vector(builder, at(builder, panel, k * LANES * 4), _FLOATS, 64)
            for panel in panel_at
        ]
        for r, x in enumerate(x_at):
            value = splat(builder, builder.load(at(builder, x, k), align=4), LANES)
            for c, weight in enumerate(weights):
                index = r * len(weights) + c
                dots[index] = _multiply_add(builder, value, weight, dots[index])
    return dots
