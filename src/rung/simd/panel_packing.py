"""Packing: blocks of sixteen rows of weights become a part of a panel, with their factors.

`p` a panel, `n` a row, `index` a block of the rows' format.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from rung.simd.blocks import FORMATS, RUN
from rung.simd.emit import (
    I8,
    I16,
    I32,
    I64,
    clamped,
    element_pointer,
    integers,
    literal,
    shuffle,
    store_vector,
)
from rung.simd.lanes import LANES
from rung.simd.panels import (
    SIGNED_FORMATS,
    TILE_FORM,
    Form,
    factors_of,
    form_of,
    panel_layout,
)
from rung.simd.pieces import at, halves, same, transposed
from rung.simd.vectors import f32x16, vector_ir

_FLOATS = vector_ir(f32x16)
_INTS = ir.VectorType(I32, LANES)
_LINE = 64
_kernel_intrinsic = intrinsic(prefer_literal=True)


def _row_pointers(
    target: Any, builder: Any, kind: Any, view: Any, n: Any, last: Any, first: Any
) -> list[Any]:
    """Pointers to byte `first` of rows n to n + 15, the last row in place of those beyond it."""
    pointers = []
    for step in range(LANES):
        row = clamped(builder, n, step, last)
        pointers.append(element_pointer(target, builder, kind, view, [row, first]))
    return pointers


def _factor_vectors(builder: Any, layout: Any, number: int, blocks: list[Any]) -> list[Any]:
    """The factors of sixteen blocks, run by run, as vectors over the rows."""
    count = factors_of(number)
    if count == 0:
        return []
    if count == 1:
        return [halves(builder, blocks)]
    words = []
    for block in blocks:
        scales = layout.scales(builder, block)
        if isinstance(scales, tuple):  # eight scales, eight offsets
            scales = shuffle(builder, scales[0], scales[1], range(LANES))
        words.append(builder.bitcast(scales, _INTS))
    vectors = [builder.bitcast(v, _FLOATS) for v in transposed(builder, words)]
    if number == FORMATS["q6_k"]:
        return vectors
    half = LANES // 2  # scales of the eight runs, then their offsets
    return [vector for pair in zip(vectors[:half], vectors[half:], strict=True) for vector in pair]


def _biased(builder: Any, layout: Any, number: int, form: Form, rows: list[Any]) -> list[Any]:
    """A run of each row as the integers that a panel holds, in bytes."""
    if number in SIGNED_FORMATS:
        return rows if form.signed else [builder.xor(row, same(row, -128)) for row in rows]
    if form.signed and layout.zero:
        return [builder.sub(row, same(row, layout.zero)) for row in rows]
    return rows


def _laid_out(builder: Any, form: Form, rows: list[Any]) -> list[Any]:
    """A run of sixteen rows as the vectors of a panel, one after another."""
    word = ir.IntType(8 * max(form.word, 4))
    words = ir.VectorType(word, RUN * 8 // word.width)
    vectors = transposed(builder, [builder.bitcast(row, words) for row in rows])
    if form.size == 1:
        return vectors
    results = []
    for vector in vectors:
        if form.name == "PAIRS":
            # Sign-extended where they stand: bytes 0 and 2 of each word, then 1 and 3.
            pairs = builder.bitcast(vector, ir.VectorType(I16, 2 * LANES))
            eight = same(pairs, 8)
            results.append(builder.ashr(builder.shl(pairs, eight), eight))
            results.append(builder.ashr(pairs, eight))
        else:
            for byte in range(4):
                up = builder.shl(vector, integers(I32, [24 - 8 * byte] * LANES))
                value = builder.ashr(up, integers(I32, [24] * LANES))
                results.append(builder.sitofp(value, _FLOATS))
    return results


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
    TILES: Any,
) -> Any:
    """Block `index` of rows n to n + 15 of w becomes part of panel p. Rows end at `last`.

    TILES (a literal) is 1 for AMX, and 0 for panel_dots.
    """
    layout, number = panel_layout(FORMAT, 7), literal(FORMAT, 7)
    form = TILE_FORM if literal(TILES, 8) == 1 else form_of(number)

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        panel_view, factor_view, p, w_view, n, last, index, *_ = arguments
        first = builder.mul(index, ir.Constant(I64, layout.size))
        blocks = _row_pointers(target, builder, w, w_view, n, last, first)
        place = builder.mul(index, ir.Constant(I64, layout.values * LANES * form.size))
        panel = element_pointer(target, builder, panels, panel_view, [p, place])
        panel = builder.bitcast(panel, I8.as_pointer())
        for run in range(layout.values // RUN):
            rows = [layout.quants(builder, block, run) for block in blocks]
            rows = _biased(builder, layout, number, form, rows)
            vectors = _laid_out(builder, form, rows)
            size = RUN * LANES * form.size // len(vectors)
            for step, vector in enumerate(vectors, run * len(vectors)):
                store_vector(builder, vector, at(builder, panel, step * size), _LINE)
        vectors = _factor_vectors(builder, layout, number, blocks)
        if vectors:
            place = builder.mul(index, ir.Constant(I64, len(vectors) * LANES))
            pointer = element_pointer(target, builder, factors, factor_view, [p, place])
            for step, vector in enumerate(vectors):
                store_vector(builder, vector, at(builder, pointer, step * LANES), _LINE)
        return target.get_dummy_value()

    signature = types.void(
        panels, factors, types.int64, w, types.int64, types.int64, types.int64, FORMAT, TILES
    )
    return signature, emit
