"""Integer products of four rows of weights with activations, for the streams of linear.

`group_load` unpacks what four rows hold in a group (simd/groups.py), `group_dot` multiplies it
with a token's activations. Every unit of a row adds to the row's one float32 sum, in order of k.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from rung.simd.dots import add_products
from rung.simd.emit import (
    F32,
    I32,
    I64,
    call_llvm,
    element_pointer,
    integers,
    literal,
    load_vector,
    shuffle,
)
from rung.simd.groups import GROUPS, ROWS, UNITS
from rung.simd.vectors import f32x4, f32x16, i8x64, vector_ir

_INTS = ir.VectorType(I32, 16)
_FLOATS = vector_ir(f32x16)
_FOUR = vector_ir(f32x4)
_kernel_intrinsic = intrinsic(prefer_literal=True)


@_kernel_intrinsic
def group_zeros(context: Any) -> Any:
    """Four sums of zero."""

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return ir.Constant(_FOUR, [0.0] * ROWS)

    return f32x4(), emit


@_kernel_intrinsic
def group_values(context: Any, FORMAT: Any) -> Any:
    """Weights of a row in a block of a format, a literal."""
    values = GROUPS[literal(FORMAT, 0)].values

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return ir.Constant(I64, values)

    return types.int64(FORMAT), emit


def _row_pointers(
    target: Any, builder: Any, w: Any, view: Any, n: Any, stride: Any, index: Any, layout: Any
) -> list[Any]:
    """Block `index` of rows n, n + stride, n + 2·stride, n + 3·stride."""
    offset = builder.mul(index, ir.Constant(I64, layout.size))
    pointers = []
    for _row in range(ROWS):
        pointers.append(element_pointer(target, builder, w, view, [n, offset]))
        n = builder.add(n, stride)
    return pointers


@_kernel_intrinsic
def group_load(
    context: Any, w: Any, n: Any, stride: Any, index: Any, COUNT: Any, FORMAT: Any
) -> Any:
    """COUNT blocks from number `index` on of rows n, n + stride, n + 2·stride, n + 3·stride.

    Their bytes, then their scales. COUNT is 4 or 1 (always 1 for blocks of 256).
    """
    count, layout = literal(COUNT, 4), GROUPS[literal(FORMAT, 5)]
    kind = types.Tuple([i8x64] * (ROWS * layout.vectors) + [f32x16] * layout.scales_count)

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        view, n, stride, index, *_ = arguments
        pointers = _row_pointers(target, builder, w, view, n, stride, index, layout)
        parts = [part for pointer in pointers for part in layout.row(builder, pointer, count)]
        parts += layout.scales(builder, pointers, count)
        return target.make_tuple(builder, kind, parts)

    return kind(w, types.int64, types.int64, types.int64, COUNT, FORMAT), emit


@_kernel_intrinsic
def group_dot(
    context: Any, total: Any, group: Any, x: Any, t: Any, index: Any, COUNT: Any, FORMAT: Any
) -> Any:
    """total[r] + the products of row r of a group with token t's activations there.

    x: the planes of activations: int8, scales of 32 and sums of 16 each.
    """
    count, layout = literal(COUNT, 5), GROUPS[literal(FORMAT, 6)]

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        total, group, planes, t, index, *_ = arguments
        parts = cgutils.unpack_tuple(builder, group)
        split = ROWS * layout.vectors
        rows = [parts[i : i + layout.vectors] for i in range(0, split, layout.vectors)]
        token = _token(target, builder, x, planes, t, index, layout, count)
        sums = _products(builder, layout, rows, token)
        return _accumulate(builder, layout, total, sums, parts[split:], token)

    return f32x4(f32x4, group, x, types.int64, types.int64, COUNT, FORMAT), emit


@_kernel_intrinsic
def group_stream(
    context: Any,
    total: Any,
    w: Any,
    n: Any,
    stride: Any,
    x: Any,
    t: Any,
    index: Any,
    COUNT: Any,
    FORMAT: Any,
) -> Any:
    """group_dot(total, group_load(w, n, stride, …), x, t, …), a row unpacked at a time.

    So few vectors are alive at once that none leaves the registers: a stored one that crosses a
    cache line, as some do in one process and not in another, cost q4_k 30 % (Zen 4).
    """
    count, layout = literal(COUNT, 7), GROUPS[literal(FORMAT, 8)]

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        total, w_view, n, stride, planes, t, index, *_ = arguments
        pointers = _row_pointers(target, builder, w, w_view, n, stride, index, layout)
        token = _token(target, builder, x, planes, t, index, layout, count)
        rows = (layout.row(builder, pointer, count) for pointer in pointers)
        sums = _products(builder, layout, rows, token)
        scales = layout.scales(builder, pointers, count)
        return _accumulate(builder, layout, total, sums, scales, token)

    index64 = types.int64
    return f32x4(f32x4, w, index64, index64, x, index64, index64, COUNT, FORMAT), emit


def _token(
    target: Any, builder: Any, x: Any, planes: Any, t: Any, index: Any, layout: Any, count: int
) -> _Token:
    k = builder.mul(index, ir.Constant(I64, layout.values))
    views = cgutils.unpack_tuple(builder, planes)
    pointers = [
        element_pointer(target, builder, plane, view, [t, builder.sdiv(k, ir.Constant(I64, size))])
        for plane, view, size in zip(x.types, views, (1, 32, 16), strict=True)
    ]
    return _Token(builder, layout, pointers, count)


class _Token:
    """A token's activations in a group, arranged as the weights are."""

    def __init__(self, builder: Any, layout: Any, pointers: list[Any], count: int) -> None:
        x, scales, sums = pointers
        blocks = layout.values // 32 * count
        self.units = blocks * 32 // layout.unit
        self.vectors = layout.inputs(builder, x, count)
        by_block = load_vector(builder, scales, ir.VectorType(F32, blocks), 4)
        halves = load_vector(builder, sums, ir.VectorType(I32, 2 * blocks), 4)
        self.scales = self._by_unit(builder, layout, by_block)
        self.starts = [ir.Constant(_INTS, None)] * len(layout.dots)
        self.minima: list[Any] = []
        if layout.minimum:
            even, odd = (
                shuffle(builder, halves, None, range(start, 2 * blocks, 2)) for start in (0, 1)
            )
            whole = builder.sitofp(builder.add(even, odd), by_block.type)
            self.minima = self._by_unit(builder, layout, builder.fmul(whole, by_block))
        elif layout.offset:
            by = integers(I32, [-layout.offset] * halves.type.count)
            self.starts = self._starts(builder, layout, builder.mul(halves, by))

    def _by_unit(self, builder: Any, layout: Any, by_block: Any) -> list[Any]:
        """A value a block of 32 as one a unit, in all lanes of its quarter."""
        results = []
        for dot in range(len(layout.dots)):
            units = [0] * UNITS
            for position, (other, quarter) in enumerate(layout.order[: self.units]):
                if other == dot:
                    units[quarter] = position * layout.unit // 32
            results.append(shuffle(builder, by_block, None, [u for u in units for _ in range(4)]))
        return results

    def _starts(self, builder: Any, layout: Any, halves: Any) -> list[Any]:
        """Sums of 16 as the first lanes of the quarter that their products are added up in."""
        each = layout.unit // 16
        zero = ir.Constant(halves.type, None)
        results = []
        for dot in range(len(layout.dots)):
            order = [halves.type.count] * 16
            for position, (other, quarter) in enumerate(layout.order[: self.units]):
                if other == dot:
                    for part in range(each):
                        order[quarter * 4 + part] = position * each + part
            results.append(shuffle(builder, halves, zero, order))
        return results


def _products(builder: Any, layout: Any, rows: Iterable[list[Any]], token: _Token) -> list[Any]:
    """For each dot product of a layout: its sums, a unit in each quarter and a row in each lane."""
    each: list[list[Any]] = [[] for _ in layout.dots]
    for row in rows:
        for dot, vectors in enumerate(layout.dots):
            value = token.starts[dot]
            for index in vectors:
                value = add_products(
                    builder, value, row[index], token.vectors[index], signed=layout.signed
                )
            each[dot].append(value)
    return [_sum_lanes_of_rows(builder, sums) for sums in each]


def _accumulate(
    builder: Any, layout: Any, total: Any, sums: list[Any], scales: list[Any], token: _Token
) -> Any:
    operands: list[tuple[Any, Any]] = []
    for dot, quarter in layout.order[: token.units]:
        if dot == len(operands):
            scale = token.scales[dot]
            factor = builder.fmul(scales[dot], scale) if scales else scale
            operands.append((builder.sitofp(sums[dot], _FLOATS), factor))
        picked = [_quarter(builder, value, quarter) for value in operands[dot]]
        total = call_llvm(builder, "llvm.fmuladd.v4f32", _FOUR, [*picked, total])
        if token.minima:
            minimum = _quarter(builder, scales[len(layout.dots) + dot], quarter)
            offset = _quarter(builder, token.minima[dot], quarter)
            total = call_llvm(builder, "llvm.fmuladd.v4f32", _FOUR, [minimum, offset, total])
    return total


def _quarter(builder: Any, value: Any, index: int) -> Any:
    return shuffle(builder, value, None, range(4 * index, 4 * index + 4))


def _sum_lanes_of_rows(builder: Any, rows: list[Any]) -> Any:
    """Lane r of each quarter: the sum of the four lanes of that quarter of rows[r]."""

    def pick(left: Any, right: Any, order: tuple[int, ...]) -> Any:
        lanes = [
            4 * quarter + lane % 4 + 16 * (lane // 4) for quarter in range(4) for lane in order
        ]
        return shuffle(builder, left, right, lanes)

    first, second = (
        builder.add(pick(left, right, (0, 4, 1, 5)), pick(left, right, (2, 6, 3, 7)))
        for left, right in (rows[:2], rows[2:])
    )
    return builder.add(pick(first, second, (0, 1, 4, 5)), pick(first, second, (2, 3, 6, 7)))


@_kernel_intrinsic
def group_store(context: Any, total: Any, array: Any, row: Any, column: Any, stride: Any) -> Any:
    """array[row, column + r·stride] = total[r]."""

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        total, view, row, column, stride = arguments
        for r in range(ROWS):
            pointer = element_pointer(target, builder, array, view, [row, column])
            builder.store(builder.extract_element(total, ir.Constant(I32, r)), pointer)
            column = builder.add(column, stride)
        return target.get_dummy_value()

    return types.void(f32x4, array, types.int64, types.int64, types.int64), emit


@_kernel_intrinsic
def group_sums_load(context: Any, array: Any, row: Any) -> Any:
    """The four floats of a row of an array."""

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = element_pointer(
            target, builder, array, arguments[0], [arguments[1], ir.Constant(I64, 0)]
        )
        return load_vector(builder, pointer, _FOUR, 4)

    return f32x4(array, types.int64), emit
