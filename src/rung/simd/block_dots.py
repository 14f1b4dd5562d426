"""GGUF's simple blocks as int8 lanes, for the integer products of simd/dots.py: q8_0 and q4_0.

C rows; two blocks of 32 weights fill the 64 lanes of a product, and a row of an odd number of
blocks ends with half of them empty.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from rung.simd.blocks import RUN, block_pointers, layout_of
from rung.simd.emit import literal, shuffle
from rung.simd.lanes import LANES
from rung.simd.vectors import f32x16, i8x64

_kernel_intrinsic = intrinsic(prefer_literal=True)


def _pair_up(
    context: Any, w: Any, C: Any, COUNT: Any, FORMAT: Any, kind: Any, one: Any, lanes: int
) -> Any:
    """An intrinsic that joins `one(builder, block)` of two blocks of each row: `lanes` of each."""
    result = types.UniTuple(kind, literal(C, 3))
    count, layout = literal(COUNT, 4), layout_of(FORMAT, 5)

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        view, n, index, *_ = arguments
        columns = [
            block_pointers(target, builder, w, view, n, index, result.count, layout, step)
            for step in range(count)
        ]
        joined = []
        for blocks in zip(*columns, strict=True):
            parts = [one(layout, builder, block) for block in blocks]
            parts += [ir.Constant(parts[0].type, None)] * (2 - count)
            order = [*range(lanes), *range(parts[0].type.count, parts[0].type.count + lanes)]
            joined.append(shuffle(builder, parts[0], parts[1], order))
        return target.make_tuple(builder, result, joined)

    return result(w, types.int64, types.int64, C, COUNT, FORMAT), emit


@_kernel_intrinsic
def block_bytes(context: Any, w: Any, n: Any, index: Any, C: Any, COUNT: Any, FORMAT: Any) -> Any:
    """Weights of blocks `index` and `index` + 1 of C rows as int8; COUNT of 1 leaves 32 zeros."""
    return _pair_up(
        context, w, C, COUNT, FORMAT, i8x64, lambda layout, b, p: layout.whole(b, p), RUN
    )


@_kernel_intrinsic
def block_scales(context: Any, w: Any, n: Any, index: Any, C: Any, COUNT: Any, FORMAT: Any) -> Any:
    """Scales of those blocks, one a lane of four weights."""
    return _pair_up(
        context,
        *(w, C, COUNT, FORMAT, f32x16),
        lambda layout, b, p: layout.scales(b, p),
        LANES // 2,
    )
