"""AMX tiles: sixteen tokens by sixteen outputs by 32 values in one instruction, in int8.

A tile of activations is 16 rows of 32 bytes as they lie in memory; a tile of weights is a block of
a panel as it is; the products are sixteen rows of sixteen int32, which leave by way of memory.
Tile registers: 0 to 3 products, 4 and 5 activations, 6 and 7 weights. Everything is signed.

t a token, p a panel, b a block of 32 values; `half` counts products of 16 values where a format has
a scale for each 16.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from rung.simd.blocks import FORMATS, RUN
from rung.simd.emit import (
    I8,
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
from rung.simd.vectors import f32x16, vector_ir

TILE = 16
_ROW_BYTES = 64
_FLOATS = vector_ir(f32x16)
_INTS = ir.VectorType(I32, LANES)
_VOID = ir.VoidType()
_kernel_intrinsic = intrinsic(prefer_literal=True)


def halves_of(number: int) -> int:
    """Products of a block of 32 values: two where a scale belongs to 16 of them."""
    return 2 if number == FORMATS["q6_k"] else 1


def _configuration(number: int) -> list[int]:
    """The 64 bytes of ldtilecfg: palette 1, bytes of a row of each tile, then rows."""
    width = RUN // halves_of(number)  # values of one product
    row_bytes = [_ROW_BYTES] * 4 + [width] * 2 + [_ROW_BYTES] * 2
    rows = [TILE] * 6 + [width // 4] * 2
    data = [0] * 64
    data[0] = 1
    for tile, (size, count) in enumerate(zip(row_bytes, rows, strict=True)):
        data[16 + 2 * tile] = size
        data[48 + tile] = count
    return data


@_kernel_intrinsic
def tiles_open(context: Any, FORMAT: Any) -> Any:
    """Gives this thread's tile registers the shapes for a format."""
    data = _configuration(literal(FORMAT, 0))

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.ArrayType(I8, 64)
        place = cgutils.alloca_once(builder, kind)
        builder.store(ir.Constant(kind, data), place)
        call_llvm(builder, "llvm.x86.ldtilecfg", _VOID, [builder.bitcast(place, I8.as_pointer())])
        return target.get_dummy_value()

    return types.void(FORMAT), emit


@_kernel_intrinsic
def tiles_close(context: Any) -> Any:
    """Frees the tile registers."""

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        call_llvm(builder, "llvm.x86.tilerelease", _VOID, [])
        return target.get_dummy_value()

    return types.void(), emit


def _tile_load(builder: Any, register: int, pointer: Any, stride: Any) -> None:
    raw = builder.bitcast(pointer, I8.as_pointer())
    call_llvm(builder, "llvm.x86.tileloadd64", _VOID, [I8(register), raw, stride])


@_kernel_intrinsic
def tiles_multiply(
    context: Any,
    products: Any,
    slot: Any,
    x: Any,
    t: Any,
    panels: Any,
    p: Any,
    b: Any,
    UNROLL: Any,
    FORMAT: Any,
) -> Any:
    """products[slot + i] = x[t : t + 16] · panel p over block b + i, for UNROLL ≤ 2 blocks.

    products is int32 [slots, 256] ([2·slots, 256] where a block is two products).
    """
    blocks, number = literal(UNROLL, 7), literal(FORMAT, 8)
    halves = halves_of(number)
    width = RUN // halves

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        out, slot, x_view, t, panel_view, p, b, *_ = arguments
        K = cgutils.unpack_tuple(
            builder, target.make_array(x)(target, builder, x_view).shape, x.ndim
        )[1]
        work = []
        for step in range(blocks * halves):
            k = builder.add(builder.mul(b, I64(RUN)), I64(step * width))
            x_at = element_pointer(target, builder, x, x_view, [t, k])
            panel = [p, builder.mul(k, I64(LANES))]
            panel_at = element_pointer(target, builder, panels, panel_view, panel)
            at = builder.add(builder.mul(slot, I64(halves)), I64(step))
            out_at = element_pointer(target, builder, products, out, [at, I64(0)])
            work.append((x_at, panel_at, out_at))
        for step, (x_at, panel_at, _) in enumerate(work):
            c, a, w = step % 4, 4 + step % 2, 6 + step % 2
            call_llvm(builder, "llvm.x86.tilezero", _VOID, [I8(c)])
            _tile_load(builder, a, x_at, K)
            _tile_load(builder, w, panel_at, I64(_ROW_BYTES))
            call_llvm(builder, "llvm.x86.tdpbssd", _VOID, [I8(c), I8(a), I8(w)])
        for step, (_, _, out_at) in enumerate(work):
            raw = builder.bitcast(out_at, I8.as_pointer())
            operands = [I8(step % 4), raw, I64(_ROW_BYTES)]
            call_llvm(builder, "llvm.x86.tilestored64", _VOID, operands)
        return target.get_dummy_value()

    signature = types.void(
        *(products, types.int64, x, types.int64, panels, types.int64, types.int64, UNROLL, FORMAT)
    )
    return signature, emit


@_kernel_intrinsic
def tiles_add(
    context: Any,
    tile: Any,
    products: Any,
    slot: Any,
    x_scales: Any,
    x_offsets: Any,
    t: Any,
    factors: Any,
    p: Any,
    b: Any,
    FORMAT: Any,
) -> Any:
    """tile[r] += products[slot, r] scaled, the same operations as panel_dots.

    x_offsets is float32 [T, blocks]: a block's sum of x, scaled; read where weights have offsets.
    """
    number = literal(FORMAT, 9)
    count, halves = factors_of(number), halves_of(number)

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        totals, out, slot, sx_view, offset_view, t, factor_view, p, b, _ = arguments
        totals = cgutils.unpack_tuple(builder, totals)
        vectors = []
        if count:
            place = builder.mul(b, I64(count * LANES))
            at = element_pointer(target, builder, factors, factor_view, [p, place])
            vectors = [
                load_vector(builder, builder.gep(at, [I64(i * LANES)]), _FLOATS, 64)
                for i in range(count)
            ]
        for r, total in enumerate(totals):
            token = builder.add(t, I64(r))
            sx = builder.load(
                element_pointer(target, builder, x_scales, sx_view, [token, b]), align=4
            )
            scale = splat(builder, sx, LANES)
            for half in range(halves):
                index = builder.add(builder.mul(slot, I64(halves)), I64(half))
                at = element_pointer(target, builder, products, out, [index, I64(r * LANES)])
                value = builder.sitofp(load_vector(builder, at, _INTS, 64), _FLOATS)
                factor = builder.fmul(vectors[half], scale) if count else scale
                total = _multiply_add(builder, value, factor, total)
            if count == 2 and halves == 1:
                at = element_pointer(target, builder, x_offsets, offset_view, [token, b])
                offset = splat(builder, builder.load(at, align=4), LANES)
                total = _multiply_add(builder, vectors[1], offset, total)
            totals[r] = total
        return target.make_tuple(builder, tile, totals)

    signature = tile(
        *(tile, products, types.int64, x_scales, x_offsets, types.int64),
        *(factors, types.int64, types.int64, FORMAT),
    )
    return signature, emit


def _multiply_add(builder: Any, a: Any, b: Any, c: Any) -> Any:
    return call_llvm(builder, "llvm.fmuladd.v16f32", _FLOATS, [a, b, c])
