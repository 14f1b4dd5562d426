"""Running a probe on a team: one part a thread, wall-clock seconds."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rung.backends.cpu import loop
from rung.backends.cpu.cache import CachedModule
from rung.backends.cpu.team import Team, aligned_words
from rung.closing import Closing

Probe = Callable[[int, int, Any], None]
"""probe(part, parts, words): compiled by Numba; words are int64, given with each run."""

_WORDS = 8
_ENTRY = '''\
"""{function}: one part of a probe."""

from numba import cfunc, int64, njit, void

from rung.simd.memory import array_at
from {module} import {function}

probe = njit(nogil=True, error_model="numpy", no_cpython_wrapper=True)({function})

@cfunc(void(int64, int64, int64), cache=True, nopython=True)
def entry(block, part, parts):
    probe(part, parts, array_at(block, ({words},), int64))
'''


class ProbeTeam(Closing):
    """`threads` threads that run probes; close it, or use it in a `with` block."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._team = Team(threads)

    def close(self) -> None:
        """Ends the threads."""
        self._team.close()

    def run(self, probe: Probe, words: Sequence[int]) -> None:
        """Runs one part of the probe on each thread."""
        ops, counters, _kept = self._program(probe, words)
        self._team.run(ops, counters, self.threads)

    def seconds(self, probe: Probe, words: Sequence[int], *, repeats: int) -> float:
        """The least time of so many runs, after one that warms caches up."""
        ops, counters, _kept = self._program(probe, words)
        self._team.run(ops, counters, self.threads)
        best = float("inf")
        for _ in range(repeats):
            start = time.perf_counter()
            self._team.run(ops, counters, self.threads)
            best = min(best, time.perf_counter() - start)
        return best

    def _program(
        self, probe: Probe, words: Sequence[int]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """One op of as many parts as threads, its counters, and its words, to be kept alive."""
        block = aligned_words(_WORDS)
        block[: len(words)] = words
        ops = aligned_words(loop.OP_WORDS).reshape(1, loop.OP_WORDS)
        ops[0] = (load_probe(probe).address, block.ctypes.data, self.threads, -1)
        return ops, aligned_words(loop.LINE_WORDS), block


def load_probe(probe: Probe) -> Any:
    """The compiled entry of a probe; compiled once a machine."""
    source = _ENTRY.format(module=probe.__module__, function=probe.__name__, words=_WORDS)
    sources = (inspect.getsourcefile(probe) or "",)
    return CachedModule(f"probe_{probe.__name__}", source, sources).load().entry
