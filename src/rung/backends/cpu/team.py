"""The CPU's thread team: persistent threads that run programs together and sleep between them."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from rung.backends.cpu import clock, loop
from rung.backends.cpu.cache import CachedModule
from rung.errors import BackendError, UsageError

_SOURCE = '''\
"""Compiled functions of Rung's thread team."""

from numba import int64, njit, void

from rung.backends.cpu import loop

@njit(int64(int64, int64), cache=True, nogil=True)
def work(control, worker):
    return loop.work(control, worker)

@njit(int64(int64), cache=True, nogil=True)
def open_job(control):
    return loop.open_job(control)

@njit(int64(int64, int64), cache=True, nogil=True)
def claim_sleeper(control, worker):
    return loop.claim_sleeper(control, worker)

@njit(void(int64), cache=True, nogil=True)
def finish_job(control):
    loop.finish_job(control)
'''

MOST_THREADS = loop.MOST_PARTS


def module() -> CachedModule:
    """The team's compiled functions."""
    return CachedModule("team", _SOURCE, (loop.__file__, clock.__file__))


def aligned_words(count: int) -> NDArray[np.int64]:
    """`count` zeroed words that begin on a cache line."""
    raw = np.zeros(count + loop.LINE_WORDS, np.int64)
    skip = (-raw.ctypes.data // loop.WORD) % loop.LINE_WORDS
    return raw[skip : skip + count]


def _yield_address() -> int:
    """Address of the C function that gives the rest of a time slice to other threads."""
    if sys.platform == "win32":
        function = ctypes.WinDLL("kernel32").SwitchToThread
    else:
        function = ctypes.CDLL(None).sched_yield
    return ctypes.cast(function, ctypes.c_void_p).value or 0


class Team:
    """Threads, of which the caller's is one: `threads` for one token, `batch` for more at once."""

    def __init__(self, threads: int, batch: int | None = None) -> None:
        for name, count in (("threads", threads), ("threads for batches", batch)):
            if count is not None and not 1 <= count <= MOST_THREADS:
                raise UsageError(f"{name} is {count}, expected 1 to {MOST_THREADS}")
        self.threads = threads
        self.batch = threads if batch is None else batch
        # Into how many parts a thread's share of an op is cut, for a token and for more; 0 is as
        # each kernel has it.
        self.parts = self.parts_batch = 0
        self._functions: ModuleType = module().load()
        most = max(self.threads, self.batch)
        self._control = aligned_words(loop.ASLEEP + loop.LINE_WORDS * most)
        self._control[loop.YIELD] = _yield_address()
        self._control[loop.CLOCK] = clock.clock_address()
        self._address = int(self._control.ctypes.data)
        self._locks = [threading.Lock() for _ in range(most - 1)]
        self._workers: list[threading.Thread] = []
        self._process = os.getpid()
        for index, lock in enumerate(self._locks):
            lock.acquire()
            worker = threading.Thread(
                target=self._live, args=(index, lock), name=f"rung-cpu-{index + 1}", daemon=True
            )
            try:
                worker.start()
            except RuntimeError:
                self.close()
                raise BackendError(
                    f"the system allows no more than {index + 1} threads; use --threads"
                ) from None
            self._workers.append(worker)

    def _live(self, index: int, lock: threading.Lock) -> None:
        while self._functions.work(self._address, index):
            lock.acquire()

    def threads_for(self, tokens: int) -> int:
        """How many threads work on a batch of so many tokens."""
        return self.threads if tokens <= 1 else self.batch

    def parts_for(self, tokens: int) -> int:
        """How many parts for each thread; 0 leaves it to the kernel."""
        return self.parts if tokens <= 1 else self.parts_batch

    def run(
        self,
        ops: NDArray[np.int64],
        counters: NDArray[np.int64],
        threads: int,
        *,
        recorder: int = 0,
    ) -> None:
        """Runs a program (see loop.py) on so many threads; counters are cleared first.

        recorder: address of the memory where threads write down what they do, or 0.
        """
        if os.getpid() != self._process:
            raise BackendError("a model does not survive a fork; load it in the child process")
        counters.fill(0)
        control = self._control
        control[loop.PROGRAM] = ops.ctypes.data
        control[loop.PROGRAM + 1] = counters.ctypes.data
        control[loop.PROGRAM + 2] = len(ops)
        control[loop.THREADS] = threads
        control[loop.RECORD] = recorder
        functions, address = self._functions, self._address
        functions.open_job(address)
        for index, lock in enumerate(self._locks[: threads - 1]):
            if functions.claim_sleeper(address, index):
                lock.release()
        functions.finish_job(address)

    def close(self) -> None:
        """Ends the threads; the team can run nothing afterwards."""
        self._control[loop.QUIT] = 1
        for index, lock in enumerate(self._locks[: len(self._workers)]):
            if self._functions.claim_sleeper(self._address, index):
                lock.release()
        for worker in self._workers:
            worker.join()
        self._workers.clear()
