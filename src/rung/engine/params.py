"""Sampling parameters: meanings, defaults, ranges. No NumPy here: the command line imports it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypedDict

from rung.errors import UsageError

DEFAULT_MAX_TOKENS = 512
"""Tokens to generate where nothing else is asked for."""


@dataclass(frozen=True, kw_only=True)
class SamplingParams:
    """How to choose the next token; every filter can be switched off.

    temperature: 0 always takes the likeliest token; 1 samples from the model's own distribution.
    top_k: sample among this many likeliest tokens; 0 is off.
    top_p: sample among the likeliest tokens that make up this much probability; 1 is off.
    min_p: drop tokens less likely than this fraction of the likeliest; 0 is off.
    repeat_penalty: divides positive logits of recent tokens and multiplies negative ones; 1 is off.
    repeat_last_n: how many tokens are recent; 0 is none, -1 is all of them.
    seed: the same seed gives the same text; None draws a new one each time.

    Raises UsageError for a value outside its range.
    """

    temperature: float = 0.8
    top_k: int = 0
    top_p: float = 0.9
    min_p: float = 0.0
    repeat_penalty: float = 1.0
    repeat_last_n: int = 64
    seed: int | None = None

    def __post_init__(self) -> None:
        # Written so that NaN fails every test.
        _check("temperature", self.temperature, 0 <= self.temperature < math.inf, "at least 0")
        _check("top_k", self.top_k, self.top_k >= 0, "at least 0 (0 is off)")
        _check("top_p", self.top_p, 0 < self.top_p <= 1, "above 0 and at most 1 (1 is off)")
        _check("min_p", self.min_p, 0 <= self.min_p <= 1, "from 0 (off) to 1")
        _check(
            "repeat_penalty",
            self.repeat_penalty,
            0 < self.repeat_penalty < math.inf,
            "above 0 (1 is off)",
        )
        _check("repeat_last_n", self.repeat_last_n, self.repeat_last_n >= -1, "at least -1 (all)")
        _check("seed", self.seed, self.seed is None or self.seed >= 0, "at least 0")


class SamplingOptions(TypedDict, total=False):
    """How to choose tokens: see `SamplingParams` for meanings, defaults and ranges."""

    temperature: float
    top_k: int
    top_p: float
    min_p: float
    repeat_penalty: float
    repeat_last_n: int
    seed: int | None


def _check(name: str, value: object, valid: bool, expected: str) -> None:
    if not valid:
        raise UsageError(f"{name} is {value}, expected {expected}")
