"""Dot products of int8 lanes: 64 products summed by fours into sixteen int32 lanes.

R rows of activations against C rows of weights, G values that share a scale. Sums are exact, so
every processor's instructions give the same integers in the same lanes.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from rung.simd.emit import (
    F32,
    I1,
    I8,
    I16,
    I32,
    I64,
    call_llvm,
    element_pointer,
    integers,
    lane_mask,
    literal,
    load_vector,
    masked_load,
    shuffle,
    splat,
    store_vector,
)
from rung.simd.lanes import LANES
from rung.simd.target import host
from rung.simd.vectors import f32x16, i8x64, vector_ir

BYTES = 64
_BYTES = vector_ir(i8x64)
_INTS = ir.VectorType(I32, LANES)
_FLOATS = vector_ir(f32x16)
_kernel_intrinsic = intrinsic(prefer_literal=True)


def _tile(kind: Any, count: int) -> Any:
    return types.UniTuple(kind, count)


def _rows(builder: Any, row: Any, count: int) -> list[Any]:
    return [builder.add(row, ir.Constant(I64, step)) for step in range(count)]


@_kernel_intrinsic
def bytes_load(context: Any, array: Any, row: Any, column: Any, R: Any) -> Any:
    """64 columns of R rows of an int8 array."""
    kind = _tile(i8x64, literal(R, 3))

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointers = [
            element_pointer(target, builder, array, arguments[0], [row, arguments[2]])
            for row in _rows(builder, arguments[1], kind.count)
        ]
        loaded = [load_vector(builder, pointer, _BYTES, 1) for pointer in pointers]
        return target.make_tuple(builder, kind, loaded)

    return kind(array, types.int64, types.int64, R), emit


@_kernel_intrinsic
def copy_run(context: Any, to: Any, i: Any, j: Any, source: Any, row: Any, column: Any) -> Any:
    """to[i, j : j + 32] = source[row, column : column + 32], bytes both."""
    run = ir.VectorType(I8, 32)

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        at = element_pointer(target, builder, source, arguments[3], arguments[4:])
        value = load_vector(builder, at, run, 1)
        at = element_pointer(target, builder, to, arguments[0], arguments[1:3])
        store_vector(builder, value, at, 1)
        return target.get_dummy_value()

    places = (types.int64, types.int64)
    return types.void(to, *places, source, *places), emit


@_kernel_intrinsic
def bytes_load_some(context: Any, array: Any, row: Any, column: Any, R: Any, count: Any) -> Any:
    """The first `count` ≤ 64 columns of R rows of an int8 array, zero beyond."""
    kind = _tile(i8x64, literal(R, 3))

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        mask = lane_mask(builder, arguments[4], BYTES)
        loaded = []
        for row in _rows(builder, arguments[1], kind.count):
            pointer = element_pointer(target, builder, array, arguments[0], [row, arguments[2]])
            loaded.append(masked_load(builder, pointer, _BYTES, mask, 1))
        return target.make_tuple(builder, kind, loaded)

    return kind(array, types.int64, types.int64, R, types.int64), emit


@_kernel_intrinsic
def scales_load(context: Any, array: Any, row: Any, column: Any, R: Any, G: Any, count: Any) -> Any:
    """Scales of R rows for the 64 values from `column` on, one a lane of four values.

    `array` holds one float32 scale for every G values of a row; G (a literal) is a multiple of 64,
    or divides 64 and is at least 4. Only the scales of the first `count` values are read.
    """
    kind = _tile(f32x16, literal(R, 3))
    group = literal(G, 4)
    scales = max(1, BYTES // group)  # scales that 64 values need

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        view, row, column, *_, count = arguments
        first = builder.sdiv(column, ir.Constant(I64, group))
        loaded = []
        for index in _rows(builder, row, kind.count):
            pointer = element_pointer(target, builder, array, view, [index, first])
            if scales == 1:
                loaded.append(splat(builder, builder.load(pointer, align=4), LANES))
                continue
            # A masked load: the last 64 values of a row may be fewer, and so may their scales.
            there = builder.sdiv(
                builder.add(count, ir.Constant(I64, group - 1)), ir.Constant(I64, group)
            )
            some = ir.VectorType(F32, scales)
            value = masked_load(builder, pointer, some, lane_mask(builder, there, scales), 4)
            order = [lane * scales // LANES for lane in range(LANES)]
            loaded.append(shuffle(builder, value, None, order))
        return target.make_tuple(builder, kind, loaded)

    return kind(array, types.int64, types.int64, R, G, types.int64), emit


@_kernel_intrinsic
def tile_dot(context: Any, tile: Any, xs: Any, ws: Any, x_scales: Any, w_scales: Any) -> Any:
    """tile[r, c] += x_scales[r] · w_scales[c] · (xs[r] · ws[c] summed by fours)."""

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        sums, x, w, sx, sw = (cgutils.unpack_tuple(builder, argument) for argument in arguments)
        products = _products(builder, x, w)
        updated = []
        for index, total in enumerate(sums):
            r, c = divmod(index, len(w))
            value = builder.sitofp(products[index], _FLOATS)
            scale = builder.fmul(sx[r], sw[c])
            multiplied = call_llvm(builder, "llvm.fmuladd.v16f32", _FLOATS, [value, scale, total])
            updated.append(multiplied)
        return target.make_tuple(builder, tile, updated)

    return tile(tile, xs, ws, x_scales, w_scales), emit


def _products(builder: Any, xs: list[Any], ws: list[Any]) -> list[Any]:
    """The integer dot products of every x with every w, row by row."""
    target = host()
    if target.has("avx512vnni") or target.has("avxvnni"):
        return _products_vnni(builder, xs, ws, 64 if target.has("avx512vnni") else 32)
    one = _sdot if target.has("dotprod") else _product_pairs
    return [one(builder, x, w) for x in xs for w in ws]


def _products_vnni(builder: Any, xs: list[Any], ws: list[Any], width: int) -> list[Any]:
    """vpdpbusd multiplies unsigned by signed bytes: (a + 128)·b − 128·b, a + 128 by flipping a bit.

    The second product belongs to b alone, and so does the start of its sums. b is the side with
    fewer vectors: activations in a tile of one token.
    """
    flip = integers(I8, [-128] * BYTES)
    zero = ir.Constant(_INTS, None)
    few = len(xs) < len(ws)
    starts = [builder.sub(zero, _vpdpbusd(builder, flip, b, width)) for b in (xs if few else ws)]
    unsigned = [builder.xor(a, flip) for a in (ws if few else xs)]
    products = []
    for r, x in enumerate(xs):
        for c, w in enumerate(ws):
            a, b, start = (unsigned[c], x, starts[r]) if few else (unsigned[r], w, starts[c])
            products.append(_vpdpbusd(builder, a, b, width, start))
    return products


def _vpdpbusd(builder: Any, unsigned: Any, signed: Any, width: int, total: Any = None) -> Any:
    parts = BYTES // width
    lanes = LANES // parts
    ints = ir.VectorType(I32, lanes)
    results = []
    for part in range(parts):
        operands = [_part(builder, total, part, lanes)]
        for value in (unsigned, signed):
            piece = shuffle(builder, value, None, range(part * width, (part + 1) * width))
            operands.append(builder.bitcast(piece, ints))
        results.append(call_llvm(builder, f"llvm.x86.avx512.vpdpbusd.{width * 8}", ints, operands))
    return _join(builder, results)


def _part(builder: Any, total: Any, part: int, lanes: int) -> Any:
    """Part number `part` of sixteen sums; zeros where there are none yet."""
    if total is None:
        return ir.Constant(ir.VectorType(I32, lanes), None)
    return shuffle(builder, total, None, range(part * lanes, (part + 1) * lanes))


def _sdot(builder: Any, x: Any, w: Any, total: Any = None) -> Any:
    """sdot, sixteen bytes at a time."""
    ints = ir.VectorType(I32, 4)
    results = []
    for part in range(4):
        order = range(part * 16, part * 16 + 16)
        operands = [_part(builder, total, part, 4)]
        operands += [shuffle(builder, value, None, order) for value in (x, w)]
        results.append(call_llvm(builder, "llvm.aarch64.neon.sdot.v4i32.v16i8", ints, operands))
    return _join(builder, results)


def _product_pairs(builder: Any, x: Any, w: Any) -> Any:
    """Any processor: bytes widened to 16 bits, multiplied and added in pairs (pmaddwd on x86)."""
    words = ir.VectorType(I16, BYTES)
    x16, w16 = builder.sext(x, words), builder.sext(w, words)
    halves = []
    for start in (0, 1):
        order = range(start, BYTES, 2)
        wide = ir.VectorType(I32, BYTES // 2)
        left = builder.sext(shuffle(builder, x16, None, order), wide)
        right = builder.sext(shuffle(builder, w16, None, order), wide)
        halves.append(builder.mul(left, right))
    pairs = builder.add(*halves)
    even = shuffle(builder, pairs, None, range(0, BYTES // 2, 2))
    odd = shuffle(builder, pairs, None, range(1, BYTES // 2, 2))
    return builder.add(even, odd)


def _join(builder: Any, parts: list[Any]) -> Any:
    while len(parts) > 1:
        lanes = parts[0].type.count
        parts = [
            shuffle(builder, left, right, range(2 * lanes))
            for left, right in zip(parts[::2], parts[1::2], strict=True)
        ]
    return builder.bitcast(parts[0], _INTS)


def add_products(builder: Any, total: Any, w: Any, x: Any, *, signed: bool) -> Any:
    """total + w · x summed by fours: 64 weights with 64 activations from −127 to 127.

    Weights are unsigned bytes on processors with vpdpbusd, and everywhere else those up to 127 or,
    where `signed` says so, signed ones.
    """
    target = host()
    if target.has("avx512vnni") or target.has("avxvnni"):
        return _vpdpbusd(builder, w, x, 64 if target.has("avx512vnni") else 32, total)
    if target.has("dotprod"):
        return _sdot(builder, w, x, total)
    if target.has("avx2"):
        return builder.add(total, _product_avx2(builder, w, x, signed=signed))
    return builder.add(total, _product_pairs(builder, x, w))


def _product_avx2(builder: Any, w: Any, x: Any, *, signed: bool) -> Any:
    """vpmaddubsw, which multiplies unsigned with signed bytes and adds pairs in 16 bits.

    Two products stay below 2¹⁵: 2·63·127 for unsigned weights of six bits; 2·128·127 for signed
    ones, whose signs are moved to the activations first.
    """
    half, words = ir.VectorType(I8, 32), ir.VectorType(I16, 16)
    ints = ir.VectorType(I32, 8)
    results = []
    for part in range(2):
        order = range(part * 32, part * 32 + 32)
        left, right = (shuffle(builder, value, None, order) for value in (w, x))
        if signed:
            right = call_llvm(builder, "llvm.x86.avx2.psign.b", half, [right, left])
            left = call_llvm(builder, "llvm.abs.v32i8", half, [left, ir.Constant(I1, 0)])
        pairs = call_llvm(builder, "llvm.x86.avx2.pmadd.ub.sw", words, [left, right])
        ones = integers(I16, [1] * 16)
        results.append(call_llvm(builder, "llvm.x86.avx2.pmadd.wd", ints, [pairs, ones]))
    return _join(builder, results)
