"""Timing kernels by turns: each one checked, then timed a little in every round.

Turns, because a machine's speed drifts: what is timed in the same rounds can be compared.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle

from rung.backends.base import HOST, KernelBackend, Program
from rung.bench.kernels.check import Outcome, run_inputs
from rung.bench.kernels.prepare import Prepared, case_cost, programs, with_parts, with_workgroup
from rung.registry import Kernel

ROUNDS = 5
# A sample is at least so long, by many runs in one program, so that starting it does not count.
_SAMPLE_S = 200e-6
# On a device longer, with more to warm it up: between samples it is idle, and slows its clocks
# (H200: 39 µs instead of 18 with samples of 0.2 ms).
_DEVICE_SAMPLE_S = 2e-3
_DEVICE_WARM_S = 0.03
_MOST_NODES = 256
_SHORT_S = 0.1  # runs that may be repeated to see how long they take
_MOST_SAMPLES = 200  # in a round
_LEAST_S = 1e-8  # a clock of a device may not have moved
# Before a turn: until threads are awake, and those of the turn before are asleep.
_WARM_S = 0.005


@dataclass
class Entry:
    """One kernel at one number of threads and parts, and what came of it.

    parts: for each thread. workgroup: threads of a GPU's workgroup. None is as the kernel has it.
    """

    kernel: Kernel
    backend: KernelBackend
    parts: int | None = None
    workgroup: int | None = None
    outcome: Outcome | None = None
    left_out: str = ""  # why it was not timed
    samples: list[float] = field(default_factory=list)  # seconds of one run
    _programs: list[Program] = field(default_factory=list)
    _nodes: int = 1
    _run_s: float = 0.0

    @property
    def threads(self) -> int:
        """Threads that share the work."""
        return self.backend.threads

    @property
    def failed(self) -> bool:
        """Whether it computed something else than the reference."""
        return self.outcome is not None and not self.outcome.ok

    def check(self, prepared: Prepared, *, samples: int, budget_s: float) -> None:
        """Compares it with the reference, and settles whether the budget has room for `samples`."""
        case, inputs, expected = prepared.checked
        kernel = with_workgroup(with_parts(self.kernel, self.parts), self.workgroup)
        self.outcome = run_inputs(kernel, case, inputs, expected, self.backend, timed=True)
        if not self.outcome.ok:
            self.left_out = "does not compute the reference"
            return
        # How long a run of the whole case will take.
        seconds = self.outcome.seconds
        flops, small = prepared.cost.flops, case_cost(prepared.op, case).flops
        predicted = seconds * (flops / small if small else 1.0)
        if case == prepared.case or samples * predicted <= budget_s:
            self._prepare(prepared, kernel)
            predicted = self._run_s
        if samples * predicted > budget_s:
            needed = math.ceil(1.2 * samples * predicted)
            self.left_out = f"about {predicted:.2g} s a run; --budget {needed} would time it"
            self._programs = []

    def _prepare(self, prepared: Prepared, kernel: Kernel) -> None:
        """Builds programs whose runs are long enough to be timed."""
        self._programs = programs(prepared, kernel, self.backend, nodes=1)
        first = self._programs[0]
        self._run_s = self._seconds(first)
        if self._run_s < _SHORT_S:
            self._run_s = min(self._seconds(first) for _ in range(3))
        self._run_s = max(self._run_s, _LEAST_S)
        sample_s = _SAMPLE_S if self.backend.memory == HOST else _DEVICE_SAMPLE_S
        self._nodes = max(1, min(_MOST_NODES, round(sample_s / self._run_s)))
        if self._nodes > 1:
            self._programs = programs(prepared, kernel, self.backend, nodes=self._nodes)
            self._run_s = max(self._seconds(self._programs[0]) / self._nodes, _LEAST_S)

    def turn(self, *, samples: int | None, budget_s: float) -> None:
        """Times it for one round: so many samples, or as many as the budget has room for."""
        if self.left_out:
            return
        each = self._nodes * self._run_s
        room = max(1, min(_MOST_SAMPLES, int(budget_s / ROUNDS / each)))
        going_round = cycle(self._programs)
        warm_s = _WARM_S if self.backend.memory == HOST else _DEVICE_WARM_S
        until = time.perf_counter() + min(warm_s, budget_s)
        while True:
            self._seconds(next(going_round))
            if time.perf_counter() >= until:
                break
        for _ in range(room if samples is None else samples):
            self.samples.append(self._seconds(next(going_round)) / self._nodes)

    def _seconds(self, program: Program) -> float:
        return self.backend.run_seconds(program)


def rounds(repeats: int | None) -> int:
    """How many turns each entry gets; no more than samples are asked for."""
    return ROUNDS if repeats is None else min(ROUNDS, repeats)


def time_by_turns(entries: Sequence[Entry], *, repeats: int | None, budget_s: float) -> None:
    """Times all entries in rounds of turns: `repeats` samples of each, or what the budget holds."""
    turns = rounds(repeats)
    samples = None if repeats is None else -(-repeats // turns)
    for _ in range(turns):
        for entry in entries:
            entry.turn(samples=samples, budget_s=budget_s)
