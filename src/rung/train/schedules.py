"""Learning rates: pure functions of the step, so that a resumed run goes on as it would have.

All rise in a line over the warm-up, from peak / warmup at step 0 to the peak at its last step.
Then, with p going from 0 at the first step after it to 1 at the step that would follow the last:

    constant  peak
    linear    min + (peak - min) · (1 - p)
    cosine    min + (peak - min) · (1 + cos π p) / 2
    wsd       the peak, then min + (peak - min) · (1 - √p) with p over the last `decay` of steps

So no step is spent at a rate of 0. llm.c has the same rates, but no warm-up before constant.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

from rung.errors import UsageError

Kind = Literal["cosine", "linear", "constant", "wsd"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """A learning rate over `steps` steps, the first `warmup` of which rise to `peak`.

    min_ratio: min as a share of the peak; constant has no use for it.
    decay: wsd only, the share of all steps in which the rate falls.

    Raises UsageError for numbers out of range.
    """

    kind: Kind = "cosine"
    peak: float
    steps: int
    warmup: int = 0
    min_ratio: float = 0.0
    decay: float = 0.2

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UsageError(f"schedule is {self.kind!r}, expected one of {', '.join(KINDS)}")
        if not 0 < self.peak < math.inf:
            raise UsageError(f"learning rate is {self.peak}, expected a positive number")
        if self.steps < 1:
            raise UsageError(f"steps is {self.steps}, expected at least 1")
        if not 0 <= self.warmup <= self.steps:
            raise UsageError(f"warmup is {self.warmup}, expected 0 to {self.steps}, all steps")
        if not 0 <= self.min_ratio <= 1:
            raise UsageError(f"min ratio is {self.min_ratio}, expected 0 to 1")
        if not 0 < self.decay <= 1:
            raise UsageError(f"decay is {self.decay}, expected more than 0, at most 1")

    def rate(self, step: int) -> float:
        """The learning rate of a step, the first of which is 0; beyond the last it is lowest."""
        if step < self.warmup:
            return self.peak * ((step + 1) / self.warmup)
        lowest = self.peak * self.min_ratio
        return self.peak - (self.peak - lowest) * _FALLS[self.kind](self._progress(step))

    def _progress(self, step: int) -> float:
        """p: how much of the fall is over."""
        start = self.warmup
        if self.kind == "wsd":
            falling = math.ceil(round(self.decay * self.steps, 6))  # 0.2 · 35 is 7.000000000000001
            start = max(start, self.steps - falling)
        if step >= self.steps:
            return 1.0
        return (step - start) / (self.steps - start) if step > start else 0.0


def _cosine(p: float) -> float:
    return (1 - math.cos(math.pi * p)) / 2


# How far the rate has fallen, from 0 to 1.
_FALLS: dict[str, Callable[[float], float]] = {
    "constant": lambda p: 0.0,
    "linear": lambda p: p,
    "cosine": _cosine,
    "wsd": math.sqrt,
}
