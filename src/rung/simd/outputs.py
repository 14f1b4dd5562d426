"""What products with panels leave behind: tiles of sums, sixteen outputs a vector, in rows of y."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from rung.simd.emit import (
    I32,
    I64,
    clamped,
    element_pointer,
    integers,
    literal,
    masked_load,
    masked_store,
    splat,
)
from rung.simd.lanes import LANES
from rung.simd.vectors import f32x16, vector_ir

_FLOATS = vector_ir(f32x16)
_kernel_intrinsic = intrinsic(prefer_literal=True)


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
            loaded.append(masked_load(builder, pointer, _FLOATS, mask, 4))
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
            masked_store(builder, value, pointer, mask, 4)
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
    row = clamped(builder, t, r, last)
    column = builder.add(n, ir.Constant(I64, c * LANES))
    pointer = element_pointer(target, builder, y, view, [row, column])
    rest = builder.sub(builder.trunc(count, I32), ir.Constant(I32, c * LANES))
    limit = splat(builder, rest, LANES)
    return pointer, builder.icmp_signed("<", integers(I32, range(LANES)), limit)
