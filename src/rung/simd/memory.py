"""Addresses, atomics and thread hints for kernels and the thread team: all words are int64."""

from __future__ import annotations

import platform
from typing import Any

import numpy as np
from llvmlite import ir
from numba import carray
from numba.core import cgutils, types
from numba.extending import intrinsic, register_jitable

from rung.simd.emit import I8, I32, I64, call_llvm, element_pointer, literal

LINE_BYTES = 64


def _pointer(builder: Any, address: Any, kind: ir.Type = I64) -> Any:
    return builder.inttoptr(address, kind.as_pointer())


@intrinsic
def pointer_to(context: Any, address: Any) -> Any:
    """An address as a void pointer, for `carray`."""

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], target.get_value_type(types.voidptr))

    return types.voidptr(types.int64), emit


@register_jitable  # type: ignore[misc]
def array_at(address, shape, dtype):  # type: ignore[no-untyped-def]
    """The memory at `address` as a C-contiguous array of this shape."""
    return carray(pointer_to(address), shape, dtype)


@intrinsic
def word_load(context: Any, address: Any) -> Any:
    """The word at an address, seen in one order by all threads (sequentially consistent)."""

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load_atomic(_pointer(builder, arguments[0]), "seq_cst", 8)

    return types.int64(types.int64), emit


@intrinsic
def word_store(context: Any, address: Any, value: Any) -> Any:
    """Sets the word at an address, seen in one order by all threads."""

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.store_atomic(arguments[1], _pointer(builder, arguments[0]), "seq_cst", 8)
        return target.get_dummy_value()

    return types.void(types.int64, types.int64), emit


@intrinsic
def word_add(context: Any, address: Any, value: Any) -> Any:
    """Adds to the word at an address and returns what it was."""

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.atomic_rmw("add", _pointer(builder, arguments[0]), arguments[1], "seq_cst")

    return types.int64(types.int64, types.int64), emit


@intrinsic
def word_or(context: Any, address: Any, bits: Any) -> Any:
    """Sets bits of the word at an address and returns what it was."""

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.atomic_rmw("or", _pointer(builder, arguments[0]), arguments[1], "seq_cst")

    return types.int64(types.int64, types.int64), emit


@intrinsic
def word_swap(context: Any, address: Any, value: Any) -> Any:
    """Sets the word at an address and returns what it was."""

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.atomic_rmw("xchg", _pointer(builder, arguments[0]), arguments[1], "seq_cst")

    return types.int64(types.int64, types.int64), emit


@intrinsic
def pause(context: Any) -> Any:
    """Tells the processor that this thread spins."""
    machine = platform.machine().lower()

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if machine in ("x86_64", "amd64"):
            call_llvm(builder, "llvm.x86.sse2.pause", ir.VoidType(), [])
        elif machine in ("aarch64", "arm64"):
            call_llvm(builder, "llvm.aarch64.hint", ir.VoidType(), [ir.Constant(I32, 1)])
        return target.get_dummy_value()

    return types.void(), emit


def emit_prefetch(builder: Any, pointer: Any, size_bytes: int) -> None:
    """Asks for the cache lines of `size_bytes` bytes, which may lie beyond an array's end."""
    first = builder.bitcast(pointer, I8.as_pointer())
    for offset in range(0, size_bytes, LINE_BYTES):
        line = builder.gep(first, [I64(offset)])
        # A read, into the second-level cache, of data.
        call_llvm(builder, "llvm.prefetch.p0", ir.VoidType(), [line, I32(0), I32(2), I32(1)])


@intrinsic
def prefetch_line(context: Any, array: Any, row: Any, column: Any) -> Any:
    """Asks for the cache line of array[row, column], which may lie beyond the array."""

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        first = element_pointer(target, builder, array, arguments[0], arguments[1:])
        emit_prefetch(builder, first, LINE_BYTES)
        return target.get_dummy_value()

    return types.void(array, types.int64, types.int64), emit


@intrinsic(prefer_literal=True)
def prefetch(context: Any, array: Any, row: Any, column: Any, lines: Any) -> Any:
    """Asks for `lines` cache lines from array[row, column] on, which may lie beyond the array."""
    size_bytes = LINE_BYTES * literal(lines, 3)

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        first = element_pointer(target, builder, array, arguments[0], arguments[1:3])
        emit_prefetch(builder, first, size_bytes)
        return target.get_dummy_value()

    return types.void(array, types.int64, types.int64, lines), emit


@intrinsic
def align_stack(context: Any) -> Any:
    """Begins the calling function's stack frame on a cache line.

    LLVM does so for a variable that wants it, not for vectors that it moves out of registers; one
    across two lines is slow to come back, and whether it is differs from process to process.
    """
    line = ir.ArrayType(I8, LINE_BYTES)
    taker = ir.FunctionType(ir.VoidType(), [line.as_pointer()])

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        variable = cgutils.alloca_once(builder, line)
        variable.align = LINE_BYTES
        builder.asm(taker, "", "r", [variable], side_effect=True)  # so that it is not dropped
        return target.get_dummy_value()

    return types.void(), emit


@intrinsic
def call_kernel(context: Any, address: Any, block: Any, part: Any, parts: Any) -> Any:
    """Runs a compiled kernel on part `part` of `parts` of what a parameter block describes."""

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(ir.VoidType(), [I64, I64, I64])
        builder.call(_pointer(builder, arguments[0], kind), list(arguments[1:]))
        return target.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64, types.int64), emit


@intrinsic
def call_plain(context: Any, address: Any) -> Any:
    """Calls a C function without arguments (sched_yield and its like)."""

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.call(_pointer(builder, arguments[0], ir.FunctionType(I32, [])), [])
        return target.get_dummy_value()

    return types.void(types.int64), emit


@register_jitable  # type: ignore[misc]
def aligned_floats(count):  # type: ignore[no-untyped-def]
    """`count` float32 values of fresh memory that begins on a cache line."""
    memory = np.empty(count + LINE_BYTES // 4, np.float32)
    skip = (-memory.ctypes.data) % LINE_BYTES // 4
    return memory[skip : skip + count]
