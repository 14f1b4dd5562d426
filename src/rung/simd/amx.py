"""AMX tiles: sixteen tokens by sixteen outputs by 32 values in one instruction, in int8.

A tile of activations is 16 rows of 32 bytes as they lie in memory; a tile of weights is a block of
a panel as it is; the products are sixteen rows of sixteen int32, which leave by way of memory.
Tile registers: 0 to 3 products, 4 and 5 activations, 6 and 7 weights. Everything is signed.

b a block of 32 values; `half` counts products of 16 values where a format has a scale for each 16.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from rung.simd import tile_instructions
from rung.simd.blocks import FORMATS, RUN
from rung.simd.emit import (
    I32,
    I64,
    call_llvm,
    element_pointer,
    literal,
    load_vector,
    splat,
)
from rung.simd.lanes import LANES
from rung.simd.panels import factors_of
from rung.simd.tile_instructions import ROW_BYTES, TILE
from rung.simd.vectors import f32x16, vector_ir

GROUP = 8  # blocks that are multiplied, then added
_FLOATS = vector_ir(f32x16)
_INTS = ir.VectorType(I32, LANES)
_kernel_intrinsic = intrinsic(prefer_literal=True)


def halves_of(number: int) -> int:
    """Products of a block of 32 values: two where a scale belongs to 16 of them."""
    return 2 if number == FORMATS["q6_k"] else 1


@_kernel_intrinsic
def tiles_open(context: Any, FORMAT: Any) -> Any:
    """Gives this thread's tile registers the shapes for a format."""
    width = RUN // halves_of(literal(FORMAT, 0))  # values of one product
    row_bytes = [ROW_BYTES] * 4 + [width] * 2 + [ROW_BYTES] * 2
    rows = [TILE] * 6 + [width // 4] * 2

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        tile_instructions.configure(builder, row_bytes, rows)
        return target.get_dummy_value()

    return types.void(FORMAT), emit


@_kernel_intrinsic
def tiles_close(context: Any) -> Any:
    """Frees the tile registers."""

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        tile_instructions.release(builder)
        return target.get_dummy_value()

    return types.void(), emit


@_kernel_intrinsic
def tiles_multiply(
    context: Any, products: Any, slot: Any, x: Any, tile: Any, panels: Any, b: Any, FORMAT: Any
) -> Any:
    """products[slot] = x[tile] · panel 0 over each of GROUP blocks from b on.

    products is int32 [slots, GROUP · halves · 256]; x int8 [tiles, blocks · 16 · 32], a block's
    sixteen tokens one after another. A product leaves its register just before that is needed
    again: 8 ns a block on one Emerald Rapids core, where storing all at the end took 13.
    """
    halves = halves_of(literal(FORMAT, 6))
    width = RUN // halves

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        out, slot, x_view, tile, panel_view, b, _ = arguments
        first = builder.mul(b, I64(RUN * LANES))
        x_at = element_pointer(target, builder, x, x_view, [tile, first])
        panel_at = element_pointer(target, builder, panels, panel_view, [I64(0), first])
        out_at = element_pointer(target, builder, products, out, [slot, I64(0)])

        def leave(step: int) -> None:
            place = builder.gep(out_at, [I64(step * TILE * LANES)])
            tile_instructions.store(builder, step % 4, place, I64(ROW_BYTES))

        steps = GROUP * halves
        for step in range(steps):
            c, a, w = step % 4, 4 + step % 2, 6 + step % 2
            if step >= 4:
                leave(step - 4)
            block, half = divmod(step, halves)
            tile_instructions.zero(builder, c)
            at = I64(block * RUN * TILE + half * width)
            tile_instructions.load(builder, a, builder.gep(x_at, [at]), I64(RUN))
            at = I64(step * width * LANES)
            tile_instructions.load(builder, w, builder.gep(panel_at, [at]), I64(ROW_BYTES))
            tile_instructions.multiply(builder, "tdpbssd", c, a, w)
        for step in range(steps - 4, steps):
            leave(step)
        return target.get_dummy_value()

    signature = types.void(products, types.int64, x, types.int64, panels, types.int64, FORMAT)
    return signature, emit


@_kernel_intrinsic
def tiles_add(
    context: Any,
    sums: Any,
    products: Any,
    slot: Any,
    scales: Any,
    tile: Any,
    factors: Any,
    b: Any,
    FORMAT: Any,
) -> Any:
    """sums[r] += products[slot] of GROUP blocks from b on, scaled: the operations of panel_dots.

    scales is float32 [tiles, blocks · 32]: sixteen scales of x and its sixteen scaled sums a block.
    """
    number = literal(FORMAT, 7)
    count, halves = factors_of(number), halves_of(number)

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        totals, out, slot, scale_view, tile, factor_view, b, _ = arguments
        totals = cgutils.unpack_tuple(builder, totals)
        out_at = element_pointer(target, builder, products, out, [slot, I64(0)])
        place = builder.mul(b, I64(2 * TILE))
        scale_at = element_pointer(target, builder, scales, scale_view, [tile, place])
        place = builder.mul(b, I64(count * LANES))
        if count:
            factor_at = element_pointer(target, builder, factors, factor_view, [I64(0), place])
        for block in range(GROUP):
            vectors = [
                load_vector(
                    builder, builder.gep(factor_at, [I64((block * count + i) * LANES)]), _FLOATS, 64
                )
                for i in range(count)
            ]
            for r in range(TILE):
                at = builder.gep(scale_at, [I64(block * 2 * TILE + r)])
                scale = splat(builder, builder.load(at, align=4), LANES)
                for half in range(halves):
                    index = ((block * halves + half) * TILE + r) * LANES
                    value = load_vector(builder, builder.gep(out_at, [I64(index)]), _INTS, 64)
                    factor = builder.fmul(vectors[half], scale) if count else scale
                    value = builder.sitofp(value, _FLOATS)
                    totals[r] = _multiply_add(builder, value, factor, totals[r])
                if count == 2 and halves == 1:
                    at = builder.gep(scale_at, [I64(block * 2 * TILE + TILE + r)])
                    offset = splat(builder, builder.load(at, align=4), LANES)
                    totals[r] = _multiply_add(builder, vectors[1], offset, totals[r])
        return target.make_tuple(builder, sums, totals)

    signature = sums(sums, products, types.int64, scales, types.int64, factors, types.int64, FORMAT)
    return signature, emit


def _multiply_add(builder: Any, a: Any, b: Any, c: Any) -> Any:
    return call_llvm(builder, "llvm.fmuladd.v16f32", _FLOATS, [a, b, c])
