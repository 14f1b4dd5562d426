"""The instructions of AMX tiles: eight registers of sixteen rows of 64 bytes.

All of them pass through `issue`, which is where a test puts an emulation in their place.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir
from numba.core import cgutils

from rung.simd.emit import I8, call_llvm

TILE = 16  # rows of a register
ROW_BYTES = 64


def issue(builder: Any, name: str, operands: Sequence[Any]) -> None:
    """Emits one instruction by its LLVM name; registers are constants of 8 bits."""
    call_llvm(builder, f"llvm.x86.{name}", ir.VoidType(), operands)


def configure(builder: Any, row_bytes: Sequence[int], rows: Sequence[int]) -> None:
    """Gives this thread's registers their shapes, and zeros: bytes of a row, and rows, of each."""
    data = [0] * 64
    data[0] = 1  # the palette
    for register, (size, count) in enumerate(zip(row_bytes, rows, strict=True)):
        data[16 + 2 * register] = size
        data[48 + register] = count
    kind = ir.ArrayType(I8, len(data))
    place = cgutils.alloca_once(builder, kind)
    builder.store(ir.Constant(kind, data), place)
    issue(builder, "ldtilecfg", [builder.bitcast(place, I8.as_pointer())])


def release(builder: Any) -> None:
    """Frees this thread's registers."""
    issue(builder, "tilerelease", [])


def zero(builder: Any, register: int) -> None:
    issue(builder, "tilezero", [I8(register)])


def load(builder: Any, register: int, pointer: Any, stride: Any) -> None:
    """A register from memory, whose rows begin `stride` bytes apart."""
    issue(
        builder,
        "tileloadd64",
        [I8(register), builder.bitcast(pointer, I8.as_pointer()), stride],
    )


def store(builder: Any, register: int, pointer: Any, stride: Any) -> None:
    """A register to memory, whose rows begin `stride` bytes apart."""
    issue(
        builder,
        "tilestored64",
        [I8(register), builder.bitcast(pointer, I8.as_pointer()), stride],
    )


def multiply(builder: Any, name: str, c: int, a: int, b: int) -> None:
    """c += a · b by an instruction such as tdpbf16ps; b has neighbors of the depth together."""
    issue(builder, name, [I8(c), I8(a), I8(b)])
