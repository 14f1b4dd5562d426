"""The clock that compiled code reads: the one behind time.perf_counter_ns, by a plain call to C.

Each system has its function; all of them stay in the process's own memory (20 to 40 ns on Zen 4).
The processor's own counter would be cheaper, but what its ticks are worth is not told portably.
"""

from __future__ import annotations

import ctypes
import sys
import time
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from rung.simd.emit import I32, I64

# The clock of time.perf_counter, where a system has several.
_MAC_CLOCK = getattr(time, "CLOCK_UPTIME_RAW", 8)
_POSIX_CLOCK = getattr(time, "CLOCK_MONOTONIC", 1)

_NS = 1_000_000_000


def _function(builder: Any, address: Any, result: ir.Type, *arguments: ir.Type) -> Any:
    return builder.inttoptr(address, ir.FunctionType(result, arguments).as_pointer())


@intrinsic
def posix_clock(context: Any, address: Any) -> Any:
    """Nanoseconds, by clock_gettime: int(clockid_t, struct timespec *)."""

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.ArrayType(I64, 2)
        now = cgutils.alloca_once(builder, kind)
        function = _function(builder, arguments[0], I32, I32, kind.as_pointer())
        builder.call(function, [I32(_POSIX_CLOCK), now])
        seconds, rest = (builder.load(builder.gep(now, [I32(0), I32(i)])) for i in range(2))
        return builder.add(builder.mul(seconds, I64(_NS)), rest)

    return types.int64(types.int64), emit


@intrinsic
def mac_clock(context: Any, address: Any) -> Any:
    """Nanoseconds, by clock_gettime_nsec_np: uint64_t(clockid_t)."""

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        function = _function(builder, arguments[0], I64, I32)
        return builder.call(function, [I32(_MAC_CLOCK)])

    return types.int64(types.int64), emit


@intrinsic
def windows_clock(context: Any, address: Any) -> Any:
    """Ticks, by QueryPerformanceCounter: BOOL(LARGE_INTEGER *)."""

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        now = cgutils.alloca_once(builder, I64)
        builder.call(_function(builder, arguments[0], I32, I64.as_pointer()), [now])
        return builder.load(now)

    return types.int64(types.int64), emit


read_clock = {"win32": windows_clock, "darwin": mac_clock}.get(sys.platform, posix_clock)
"""Ticks of this system's clock, whose function is at an address."""


def clock_address() -> int:
    """Address of the C function that `read_clock` calls."""
    if sys.platform == "win32":
        function = ctypes.WinDLL("kernel32").QueryPerformanceCounter
    elif sys.platform == "darwin":
        function = ctypes.CDLL(None).clock_gettime_nsec_np
    else:
        function = ctypes.CDLL(None).clock_gettime
    return ctypes.cast(function, ctypes.c_void_p).value or 0


def ticks_per_s() -> int:
    """Ticks of `read_clock` in a second."""
    if sys.platform != "win32":
        return _NS
    frequency = ctypes.c_int64()
    ctypes.WinDLL("kernel32").QueryPerformanceFrequency(ctypes.byref(frequency))
    return frequency.value


def nanoseconds(ticks: Any, per_s: int) -> Any:
    """Ticks, a number or an array of them, in the nanoseconds of time.perf_counter_ns."""
    if per_s == _NS:
        return ticks
    # In two steps, for the product of ticks and 10⁹ is beyond 64 bits after half an hour.
    return ticks // per_s * _NS + ticks % per_s * _NS // per_s
