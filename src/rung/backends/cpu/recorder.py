"""What the team's threads write down while they run a program, and how it is read afterwards."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rung.backends.cpu import loop
from rung.backends.cpu.clock import nanoseconds, ticks_per_s
from rung.backends.cpu.team import aligned_words
from rung.backends.recording import Recording, Track

MOST_RECORDS = 1 << 16
"""Parts of one program that a thread has room for: 1.5 MiB, touched only as far as it is used."""


class Recorder:
    """Memory for so many threads with `capacity` parts each (see loop.py for its layout).

    address: where the threads write.
    """

    def __init__(self, threads: int, capacity: int) -> None:
        self.capacity = capacity
        each = -(-capacity * loop.RECORD_WORDS // loop.LINE_WORDS) + 1
        self._words = aligned_words(loop.LINE_WORDS * (1 + threads * each))
        self._words[loop.CAPACITY] = capacity
        self._words[loop.STRIDE] = loop.LINE_WORDS * each * loop.WORD
        self._own = self._words[loop.LINE_WORDS :].reshape(threads, loop.LINE_WORDS * each)
        self.address = int(self._words.ctypes.data)
        self._ticks_per_s = ticks_per_s()

    def clear(self) -> None:
        """Forgets the last program."""
        self._own[:, : loop.LINE_WORDS] = 0

    def tell(self, recording: Recording, backend: str) -> None:
        """Gives what the threads have written to a recording."""
        taken = self._own[:, loop.TAKEN].tolist()
        most = min(max(taken), self.capacity)
        own = self._own[:, : loop.LINE_WORDS + most * loop.RECORD_WORDS].copy()
        recording.add(sum(taken), lambda: [self._track(backend, *t) for t in enumerate(own)])

    def _track(self, backend: str, thread: int, words: NDArray[np.int64]) -> Track:
        taken = int(words[loop.TAKEN])
        kept = min(taken, self.capacity)
        end = loop.LINE_WORDS + kept * loop.RECORD_WORDS
        records = words[loop.LINE_WORDS : end].reshape(kept, loop.RECORD_WORDS)
        return Track(
            backend,
            f"thread {thread}",
            entered_ns=self._ns(words[loop.ENTERED]),
            left_ns=self._ns(words[loop.LEFT]),
            steps=(records[:, 0] // loop.PARTS_BASE).astype(np.int32),
            parts=(records[:, 0] % loop.PARTS_BASE).astype(np.int32),
            starts_ns=np.array(nanoseconds(records[:, 1], self._ticks_per_s)),
            ends_ns=np.array(nanoseconds(records[:, 2], self._ticks_per_s)),
            lost=taken - kept,
        )

    def _ns(self, ticks: np.int64) -> int:
        return int(nanoseconds(int(ticks), self._ticks_per_s))
