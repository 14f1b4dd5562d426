"""Signals as requests to stop: heard at once, also where native code runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from rung.cli.train.stop_requests import StopRequests, terminable
from rung.errors import Terminated

# Ten minutes of native code, in which a handler of Python's own would not run.
_BUSY = """
import hashlib, os, signal, threading, time
from rung.cli.train.stop_requests import StopRequests

def ask():
    for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGINT):
        time.sleep(0.1)
        os.kill(os.getpid(), number)

with StopRequests(
    on_first=lambda number: print(f"asked by {number}", flush=True),
    on_end=lambda: print("the end", flush=True),
):
    threading.Thread(target=ask, daemon=True).start()
    hashlib.pbkdf2_hmac("sha256", b"", b"", 2_000_000_000)
"""


def test_native_code_is_no_reason_to_wait() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _BUSY], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 130
    assert done.stdout == f"asked by {signal.SIGTERM:d}\nthe end\n"


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_is_a_request(name: str) -> None:
    number = signal.Signals[name]
    before = signal.getsignal(number)
    told: list[int] = []
    with StopRequests(on_first=told.append, on_end=lambda: None) as requests:
        assert requests.signal is None
        os.kill(os.getpid(), number)
        deadline = time.monotonic() + 60
        while not told:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert requests.signal == number
    assert told == [number]
    assert signal.getsignal(number) is before
    assert signal.set_wakeup_fd(-1) == -1


def test_other_signals_are_no_requests() -> None:
    handled: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, frame: handled.append(number))
    told: list[int] = []
    try:
        with StopRequests(on_first=told.append, on_end=lambda: None) as requests:
            signal.raise_signal(signal.SIGUSR1)
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert handled == [signal.SIGUSR1]
    assert told == [signal.SIGTERM]  # what was sent before the end is heard
    assert requests.signal == signal.SIGTERM


def test_sigterm_elsewhere_closes_what_is_open() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Terminated), terminable():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before
