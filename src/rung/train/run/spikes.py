"""Spikes: losses far above the mean of those before them."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable

WINDOW = 128
_LEAST = 32  # losses that a deviation is worth something of
REMARKABLE = 6.0
"""Deviations above the mean that are told, even where nothing is skipped."""


class Spikes:
    """The last losses, and how far a new one lies above their mean, in their deviations.

    Every loss joins them, a spike too: so a level that has risen for good is a spike only at first.
    """

    def __init__(self, losses: Iterable[float] = ()) -> None:
        self._losses = deque(losses, maxlen=WINDOW)

    @property
    def losses(self) -> tuple[float, ...]:
        """What is remembered, for a checkpoint."""
        return tuple(self._losses)

    def add(self, loss: float) -> float:
        """Deviations by which this loss is above the mean of the last; 0 while they are few."""
        height = self._height(loss)
        self._losses.append(loss)
        return height

    def _height(self, loss: float) -> float:
        count = len(self._losses)
        if count < _LEAST:
            return 0.0
        mean = math.fsum(self._losses) / count
        deviation = math.sqrt(math.fsum((x - mean) ** 2 for x in self._losses) / count)
        return (loss - mean) / deviation if deviation else 0.0
