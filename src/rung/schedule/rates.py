"""What kernels of this machine have been measured to take, as numbers; predictions from them.

A kernel's time for T tokens is `fixed_s` + `work_s` · work, where work is what one token needs: the
operations of a product or of attention, the bytes of anything else. Both are measured for some T,
with weights in the cache; for products also with weights that come from memory, as those of a model
do that does not fit the last cache. How far reading and computing overlap differs from kernel to
kernel, so that is measured, too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Point:
    """Seconds for `tokens` tokens: fixed_s + work_s for each unit of one token's work."""

    tokens: int
    fixed_s: float
    work_s: float

    def seconds(self, work: float) -> float:
        """Predicted time."""
        return self.fixed_s + self.work_s * work


@dataclass(frozen=True)
class KernelRates:
    """One kernel: points by tokens with weights in the cache, and with weights from memory.

    far: none where that was not measured, or there are no weights.
    """

    points: tuple[Point, ...]
    far: tuple[Point, ...] = ()

    def seconds(self, tokens: int, work: float, *, far: bool = False) -> float:
        """Predicted time; `far` for weights that come from memory."""
        near = _between(self.points, max(tokens, 1), work)
        return max(near, _between(self.far, max(tokens, 1), work)) if far and self.far else near


def _between(points: tuple[Point, ...], tokens: int, work: float) -> float:
    """Between points by powers: a straight line through logarithms."""
    above = next((p for p in points if p.tokens >= tokens), None)
    below = next((p for p in reversed(points) if p.tokens <= tokens), None)
    if above is None or below is None:
        nearest = above or below
        assert nearest is not None
        return nearest.seconds(work) * max(1.0, tokens / nearest.tokens)
    if above.tokens == below.tokens:
        return above.seconds(work)
    share = math.log(tokens / below.tokens) / math.log(above.tokens / below.tokens)
    low, high = math.log(below.seconds(work)), math.log(above.seconds(work))
    return math.exp(low + share * (high - low))


@dataclass(frozen=True)
class Rates:
    """Everything that is known of a machine. kernels: by name, such as linear:f32/cpu=6.

    cache_bytes: of the last cache. copy_gbs: 1e9 bytes a second, memory to memory.
    threads, threads_batch: what was fastest for a token and for prompts. parts, parts_batch: into
    how many parts a thread's share of an op is best cut. 0 where it was not measured.
    """

    kernels: Mapping[str, KernelRates] = field(default_factory=dict)
    cache_bytes: int = 0
    copy_gbs: float = 0.0
    threads: int = 0
    threads_batch: int = 0
    parts: int = 0
    parts_batch: int = 0
    date: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "kernels": {
                name: {
                    "points": [[p.tokens, p.fixed_s, p.work_s] for p in rates.points],
                    "far": [[p.tokens, p.fixed_s, p.work_s] for p in rates.far],
                }
                for name, rates in sorted(self.kernels.items())
            },
            "cache_bytes": self.cache_bytes,
            "copy_gbs": self.copy_gbs,
            "threads": self.threads,
            "threads_batch": self.threads_batch,
            "parts": self.parts,
            "parts_batch": self.parts_batch,
            "date": self.date,
        }

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> Rates:
        """The rates again. Raises ValueError, KeyError or TypeError for anything else."""
        kernels = {str(name): _kernel_rates(known) for name, known in values["kernels"].items()}
        return Rates(
            kernels=kernels,
            cache_bytes=_count(values["cache_bytes"]),
            copy_gbs=_finite(values["copy_gbs"]),
            threads=_count(values["threads"]),
            threads_batch=_count(values["threads_batch"]),
            parts=_count(values["parts"]),
            parts_batch=_count(values["parts_batch"]),
            date=str(values["date"]),
        )


def _kernel_rates(values: Mapping[str, Any]) -> KernelRates:
    points = _points(values["points"])
    if not points:
        raise ValueError("no points")
    return KernelRates(points, _points(values["far"]))


def _points(values: Any) -> tuple[Point, ...]:
    points = tuple(
        Point(int(tokens), _finite(fixed_s), _finite(work_s)) for tokens, fixed_s, work_s in values
    )
    if list(points) != sorted(points, key=lambda point: point.tokens):
        raise ValueError("points in no order")
    if any(point.tokens < 1 or point.seconds(1.0) <= 0 for point in points):
        raise ValueError("a point that takes no time")
    return points


def _count(value: Any) -> int:
    if not 0 <= _finite(value) < 1 << 48:
        raise ValueError(f"{value} is no number of anything")
    return int(value)


def _finite(value: Any) -> float:
    number = float(value)
    if not 0 <= number < math.inf:
        raise ValueError(f"{number} is no time or rate")
    return number
