"""Running ahead: steps of one token that a device makes one after another, without the host.

The host has several submissions in flight, and waits for the oldest alone: so the device always has
work, and what it computed arrives as it comes.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from rung.backends.base import Arriving, Backend, Buffer, RepeatedProgram
from rung.graph.ir import Graph, Tensor
from rung.storage import stored

# Submissions in flight: one that runs, one that waits so that the device never does, one for a host
# that is late.
FLIGHTS = 3
# Steps of a submission: as many as take about a millisecond, so that its cost (60 µs of the host,
# H200) does not count; and few enough for text to appear smoothly.
_SHORT_S = 0.8e-3
_LONG_S = 3e-3
_MOST_STEPS = 16

_SIZES = {"T": 1, "R": 1}


class Follow(Protocol):
    """Nodes to run after a step that make its inputs into the next one's.

    shared: tensors whose memory is that of a tensor of the step's graph. result: one number, which
    the host wants to know. given: what the host gives beforehand, by name.
    """

    @property
    def graph(self) -> Graph:
        """The nodes."""
        ...

    @property
    def shared(self) -> Mapping[Tensor, Tensor]:
        """This graph's tensor: the step's."""
        ...

    @property
    def result(self) -> Tensor:
        """What the host wants to know of each step."""
        ...

    @property
    def given(self) -> Mapping[str, Tensor]:
        """What the host gives, by name."""
        ...


class Ahead:
    """A program of one step and what follows it; `start` begins a row of steps."""

    def __init__(
        self,
        program: RepeatedProgram,
        backend: Backend,
        result: Buffer,
        given: Mapping[str, Buffer],
        write_inputs: Callable[[Mapping[str, NDArray[np.int32]]], None],
    ) -> None:
        self._program = program
        self._backend = backend
        self._result = result
        self._given = given
        self._write_inputs = write_inputs

    def start(
        self,
        inputs: Mapping[str, NDArray[np.int32]],
        given: Mapping[str, NDArray[np.float32]],
        *,
        steps: int,
    ) -> Flight:
        """At most so many steps, of which the first has these inputs.

        Values given are the first of their tensors'; the others stay as they are.
        """
        self._write_inputs(inputs)
        for name, buffer in self._given.items():
            values = stored(given[name])
            self._backend.write(buffer, values, values.shape)
        return Flight(self._program, self._result, steps)


class Flight:
    """What steps result in, one after another as they come, until `stop` or the last.

    Nothing else may run on the device's memory before it has stopped.
    """

    def __init__(self, program: RepeatedProgram, result: Buffer, steps: int) -> None:
        self._program = program
        self._result = result
        self._left = steps  # not yet submitted
        self._in_flight: deque[tuple[Arriving, int]] = deque()
        self._arrived: deque[int] = deque()
        self._steps = 1
        self._last_ns = 0

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> int:
        """The next number; waits for it, and for nothing after it."""
        if not self._arrived:
            self._launch()
            if not self._in_flight:
                raise StopIteration
            arriving, steps = self._in_flight.popleft()
            self._arrived.extend(arriving.get())
            self._pace(steps)
        return self._arrived.popleft()

    def stop(self) -> None:
        """Takes no more; what is still in flight does no harm, and nobody waits for it."""
        self._left = 0
        self._arrived.clear()
        while self._in_flight:
            self._in_flight.popleft()[0].drop()

    def _launch(self) -> None:
        while len(self._in_flight) < FLIGHTS and self._left:
            steps = min(self._steps, self._left)
            self._in_flight.append((self._program.repeat(_SIZES, steps, self._result), steps))
            self._left -= steps

    def _pace(self, steps: int) -> None:
        """More steps in a submission while they are short, fewer where they take too long."""
        now = time.perf_counter_ns()
        passed_s = (now - self._last_ns) / 1e9
        if self._last_ns and steps == self._steps:
            if passed_s < _SHORT_S:
                self._steps = min(2 * steps, _MOST_STEPS)
            elif passed_s > _LONG_S:
                self._steps = max(steps // 2, 1)
        self._last_ns = now
