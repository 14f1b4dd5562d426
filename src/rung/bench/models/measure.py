"""What is measured of a model, and by turns: A B A B, so that a busy moment falls on both sides."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from rung.bench.models.energy import EnergyMeter
from rung.bench.models.sides.base import Side
from rung.models.config import Config, rows_cols, weight_shapes

# Before a turn, where there are others: OpenMP's threads spin some milliseconds after their work.
_REST_S = 0.05
_WARM_TOKENS = 4  # decoded before timing: pages are mapped, threads awake, caches in their state

Progress = Callable[[int, int, str], None]
"""Called with steps done, steps in all, and what comes next."""


@dataclass(frozen=True)
class Task:
    """A prompt of so many tokens, or so many tokens decoded one by one after `depth` others."""

    kind: Literal["prompt", "decode"]
    tokens: int
    depth: int = 0

    @property
    def label(self) -> str:
        """Such as "prompt 256" or "decode 64 after 256"."""
        return f"{self.kind} {self.tokens}" + (f" after {self.depth}" if self.depth else "")

    @property
    def positions(self) -> int:
        """Positions of the cache that it needs."""
        return self.depth + self.tokens

    def run(self, side: Side) -> float:
        """Seconds that a side takes."""
        if self.kind == "prompt":
            return side.prompt(self.tokens)
        return side.decode(self.depth, self.tokens)

    def warm(self, side: Side) -> float:
        """Seconds of a run before those that count."""
        if self.kind == "prompt":
            return side.prompt(self.tokens)
        return side.decode(self.depth, min(self.tokens, _WARM_TOKENS))


@dataclass(frozen=True)
class Series:
    """The runs of a task: tok/s of each side in each round, joules a token of the first."""

    task: Task
    rounds: tuple[tuple[float, ...], ...]
    joules: tuple[float, ...] = ()

    def speeds(self, side: int = 0) -> list[float]:
        """tok/s of one side, a round each."""
        return [speeds[side] for speeds in self.rounds]

    def ratio(self, side: int) -> float:
        """Median over the rounds of the first side's speed over another's."""
        return statistics.median(speeds[0] / speeds[side] for speeds in self.rounds)

    @property
    def joules_per_token(self) -> float | None:
        """Median energy of the first side; None where the system does not tell."""
        return statistics.median(self.joules) if self.joules else None


@dataclass(frozen=True)
class Measured:
    """All series; of each side, the seconds of its first run of all, and its peak of memory."""

    series: tuple[Series, ...]
    first_task: Task
    first_s: tuple[float, ...]
    peak_memory_bytes: tuple[int, ...]


def measure(
    sides: Sequence[Side],
    tasks: Sequence[Task],
    *,
    rounds: int,
    progress: Progress = lambda done, total, label: None,
    meter: EnergyMeter | None = None,
) -> Measured:
    """Warms every side up on every task, then runs all sides on a task in turn, so many rounds."""
    meter = meter or EnergyMeter()
    total = len(tasks) * len(sides) * (1 + rounds)
    done = 0

    def step(label: str) -> None:
        nonlocal done
        progress(done, total, label)
        done += 1

    first_s: list[float] = []
    for number, task in enumerate(tasks):
        for side in sides:
            step(f"{side.opened.name}: warming up, {task.label}")
            seconds = task.warm(side)
            if number == 0:
                first_s.append(seconds)
    speeds: list[list[tuple[float, ...]]] = [[] for _ in tasks]
    joules: list[list[float]] = [[] for _ in tasks]
    for number in range(1, rounds + 1):
        for index, task in enumerate(tasks):
            seconds_of = []
            for side in sides:
                step(f"{side.opened.name}: {task.label}, round {number} of {rounds}")
                if len(sides) > 1:
                    time.sleep(_REST_S)
                meter.start()
                seconds_of.append(task.run(side))
                energy = meter.joules()
                if energy is not None and side is sides[0]:
                    joules[index].append(energy / task.tokens)
            speeds[index].append(tuple(task.tokens / seconds for seconds in seconds_of))
    progress(total, total, "")
    series = tuple(
        Series(task, tuple(runs), tuple(energies))
        for task, runs, energies in zip(tasks, speeds, joules, strict=True)
    )
    memory = tuple(side.peak_memory_bytes() for side in sides)
    return Measured(series, tasks[0], tuple(first_s), memory)


def prompt_flops(config: Config, tokens: int) -> float:
    """Operations of a prompt: 2 for each weight a token meets, 4 for each pair of positions.

    The output matrix meets only the last token. Norms, rotations and softmax are left out, as far
    below one percent.
    """
    per_token = head = 0
    for name, shape in weight_shapes(config).items():
        if name in ("token_embd.weight", "output.weight"):
            head = rows_cols(shape)
        elif len(shape) > 1 and name != "position_embd.weight":
            per_token += rows_cols(shape)
    attention = 0
    for layer in range(config.n_layers):
        window = config.sliding_window if config.slides(layer) else None
        most = tokens if window is None else min(window, tokens)
        seen = most * (most + 1) // 2 + (tokens - most) * most
        attention += 4 * seen * config.n_heads * config.head_dim
    return float(2 * (per_token * tokens + head) + attention)
