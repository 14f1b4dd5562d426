"""What backends tell of the programs they run: which track computed what, from when to when.

A track does one thing at a time: a thread of the CPU, a queue of a device. All times are those of
time.perf_counter_ns; a device with a clock of its own converts them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rung.graph.ir import Node


@dataclass(frozen=True, eq=False)
class Track:
    """One track's part in one run of a program: N spans in order, none over another.

    entered_ns, left_ns: when it began with the program and when nothing was left to do; both are 0
    where it came too late for any. steps [N]: the program's step of each span. parts [N]: which
    part of it. lost: spans that found no room and are missing. kernels: by step, where the backend
    chose for this run; nodes: what was computed in the place of a step, where it was fused with its
    neighbors.
    """

    backend: str
    name: str
    entered_ns: int
    left_ns: int
    steps: NDArray[np.int32]
    parts: NDArray[np.int32]
    starts_ns: NDArray[np.int64]
    ends_ns: NDArray[np.int64]
    lost: int = 0
    kernels: Mapping[int, str] = field(default_factory=dict)
    nodes: Mapping[int, Node] = field(default_factory=dict)

    @property
    def busy_ns(self) -> int:
        """Time in spans."""
        return int((self.ends_ns - self.starts_ns).sum())


class Recording:
    """Collects the tracks of one run of a program; backends add to it until `synchronize`."""

    def __init__(self) -> None:
        self.spans = 0
        self._sources: list[Callable[[], Sequence[Track]]] = []

    def add(self, spans: int, read: Callable[[], Sequence[Track]]) -> None:
        """Tracks with so many spans, made by `read` when somebody looks: a run should not wait."""
        self.spans += spans
        self._sources.append(read)

    @cached_property
    def tracks(self) -> tuple[Track, ...]:
        """All that was told."""
        return tuple(track for read in self._sources for track in read())

    @property
    def lost(self) -> int:
        """Spans that found no room."""
        return sum(track.lost for track in self.tracks)

    @property
    def interval_ns(self) -> tuple[int, int] | None:
        """From the first track's beginning to the end of the last span; None without any."""
        entered = [track.entered_ns for track in self.tracks if track.entered_ns]
        if not entered:
            return None
        ends = [int(track.ends_ns[-1]) for track in self.tracks if len(track.ends_ns)]
        return min(entered), max(ends, default=max(entered))
