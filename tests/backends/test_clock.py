"""The clock of compiled code: each system's call; its times are those of Python's clock."""

from __future__ import annotations

import ctypes
import time

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from rung.backends.cpu import clock

_NS = 1_000_000_000


def _address(function: ctypes._CFuncPtr) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0


def test_it_is_the_clock_of_perf_counter() -> None:
    @njit
    def read(address):
        return clock.read_clock(address)

    for _ in range(3):
        before = time.perf_counter_ns()
        now = clock.nanoseconds(read(clock.clock_address()), clock.ticks_per_s())
        assert before <= now <= time.perf_counter_ns()


def test_posix_takes_seconds_and_nanoseconds_of_the_right_clock() -> None:
    asked = []

    @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.POINTER(ctypes.c_int64))
    def gettime(which, now):
        asked.append(which)
        now[0], now[1] = 7, 42
        return 0

    @njit
    def read(address):
        return clock.posix_clock(address)

    assert read(_address(gettime)) == 7 * _NS + 42
    assert asked == [getattr(time, "CLOCK_MONOTONIC", 1)]


def test_a_mac_takes_nanoseconds_as_they_are() -> None:
    asked = []

    @ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_int)
    def gettime(which):
        asked.append(which)
        return 5_000_000_123

    @njit
    def read(address):
        return clock.mac_clock(address)

    assert read(_address(gettime)) == 5_000_000_123
    assert asked == [getattr(time, "CLOCK_UPTIME_RAW", 8)]


def test_windows_takes_ticks() -> None:
    @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int64))
    def counter(now):
        now[0] = 987_654_321_012
        return 1

    @njit
    def read(address):
        return clock.windows_clock(address)

    assert read(_address(counter)) == 987_654_321_012


@given(st.integers(0, 2**50), st.sampled_from([10_000_000, 3_579_545, 24_000_000, _NS]))
def test_ticks_become_nanoseconds_without_overflow(ticks: int, per_s: int) -> None:
    exact = ticks * _NS // per_s
    assert clock.nanoseconds(ticks, per_s) == exact
    assert clock.nanoseconds(np.array([ticks]), per_s).tolist() == [exact]
