"""AMX tiles in plain Python, for processors that have none: the instructions by their names.

Kernels that are compiled within `emulated` call these functions where they would have instructions.
There is one set of registers, so one thread at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from llvmlite import ir
from numba import cfunc, types

from rung.simd import tile_instructions
from rung.simd.emit import I64
from rung.simd.memory import array_at

ROWS, ROW_BYTES = 16, 64
CONFIGURATION = np.zeros(64, np.uint8)
TILES = np.zeros((8, ROWS, ROW_BYTES), np.uint8)
_CONFIGURATION_AT, _TILES_AT = CONFIGURATION.ctypes.data, TILES.ctypes.data


def _instruction(count: int) -> Any:
    return cfunc(types.void(*[types.int64] * count))


@_instruction(1)
def ldtilecfg(place):  # type: ignore[no-untyped-def]
    array_at(_CONFIGURATION_AT, (64,), np.uint8)[:] = array_at(place, (64,), np.uint8)
    array_at(_TILES_AT, (8, 16, 64), np.uint8)[:] = 0


@_instruction(0)
def tilerelease():  # type: ignore[no-untyped-def]
    array_at(_CONFIGURATION_AT, (64,), np.uint8)[:] = 0


@_instruction(1)
def tilezero(register):  # type: ignore[no-untyped-def]
    array_at(_TILES_AT, (8, 16, 64), np.uint8)[register] = 0


@_instruction(3)
def tileloadd64(register, place, stride):  # type: ignore[no-untyped-def]
    shapes = array_at(_CONFIGURATION_AT, (64,), np.uint8)
    tile = array_at(_TILES_AT, (8, 16, 64), np.uint8)[register]
    tile[:] = 0
    size = shapes[16 + 2 * register]
    for r in range(shapes[48 + register]):
        tile[r, :size] = array_at(place + r * stride, (64,), np.uint8)[:size]


@_instruction(3)
def tilestored64(register, place, stride):  # type: ignore[no-untyped-def]
    shapes = array_at(_CONFIGURATION_AT, (64,), np.uint8)
    tile = array_at(_TILES_AT, (8, 16, 64), np.uint8)[register]
    size = shapes[16 + 2 * register]
    for r in range(shapes[48 + register]):
        array_at(place + r * stride, (64,), np.uint8)[:size] = tile[r, :size]


@_instruction(3)
def tdpbf16ps(c, a, b):  # type: ignore[no-untyped-def]
    shapes = array_at(_CONFIGURATION_AT, (64,), np.uint8)
    words = array_at(_TILES_AT, (8, 16, 16), np.uint32)
    sums = array_at(_TILES_AT, (8, 16, 16), np.float32)
    parts = np.empty(4, np.uint32)
    values = parts.view(np.float32)
    for m in range(shapes[48 + c]):
        for n in range(shapes[16 + 2 * c] // 4):
            even = odd = np.float32(0)
            for k in range(shapes[16 + 2 * a] // 4):
                left, right = words[a, m, k], words[b, k, n]
                parts[0], parts[1] = left << 16, right << 16
                parts[2], parts[3] = left & 0xFFFF0000, right & 0xFFFF0000
                even += values[0] * values[1]
                odd += values[2] * values[3]
            sums[c, m, n] += even + odd


@_instruction(3)
def tdpbssd(c, a, b):  # type: ignore[no-untyped-def]
    shapes = array_at(_CONFIGURATION_AT, (64,), np.uint8)
    values = array_at(_TILES_AT, (8, 16, 16, 4), np.int8)
    sums = array_at(_TILES_AT, (8, 16, 16), np.int32)
    for m in range(shapes[48 + c]):
        for n in range(shapes[16 + 2 * c] // 4):
            for k in range(shapes[16 + 2 * a] // 4):
                for i in range(4):
                    sums[c, m, n] += np.int32(values[a, m, k, i]) * np.int32(values[b, k, n, i])


_INSTRUCTIONS = (
    *(ldtilecfg, tilerelease, tilezero),
    *(tileloadd64, tilestored64, tdpbf16ps, tdpbssd),
)
_ADDRESSES = {function.__name__: function.address for function in _INSTRUCTIONS}


def _issue(builder: Any, name: str, operands: Sequence[Any]) -> None:
    """A call of the function of this name, whose operands are all words."""
    words = [
        builder.ptrtoint(operand, I64)
        if isinstance(operand.type, ir.PointerType)
        else builder.zext(operand, I64)
        if operand.type.width < I64.width
        else operand
        for operand in operands
    ]
    kind = ir.FunctionType(ir.VoidType(), [I64] * len(words))
    function = builder.inttoptr(I64(_ADDRESSES[name]), kind.as_pointer())
    builder.call(function, words)


@contextmanager
def emulated() -> Iterator[None]:
    """Kernels compiled in this block have calls where they would have AMX instructions."""
    real = tile_instructions.issue
    tile_instructions.issue = _issue
    try:
        yield
    finally:
        tile_instructions.issue = real
