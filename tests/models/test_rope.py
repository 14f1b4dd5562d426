"""Frequencies of every rotation against formulas written pair by pair."""

from __future__ import annotations

import math

import numpy as np
import pytest

import plain
from rung.models.config import Rope
from rung.models.rope import (
    longrope_attention_factor,
    rope_frequencies,
    yarn_attention_factor,
)

ROPES = {
    "plain": Rope(dims=64, base=500000.0),
    "linear": Rope(dims=64, scaling="linear", factor=8.0),
    "llama3": Rope(dims=128, base=500000.0, scaling="llama3", factor=32.0, original_context=8192),
    "yarn": Rope(dims=128, base=1e6, scaling="yarn", factor=4.0, original_context=32768),
    "yarn, ramp of no width": Rope(
        dims=8, scaling="yarn", factor=4.0, original_context=2, beta_fast=32, beta_slow=16
    ),
    "factors": Rope(dims=8, factors=(1.0, 2.0, 3.0, 4.0)),
}


@pytest.mark.parametrize("name", ROPES)
def test_frequencies(name: str) -> None:
    rope = ROPES[name]
    expected = 2 * math.pi / plain.wavelengths(rope, 100)
    assert rope_frequencies(rope, 100) == pytest.approx(expected, rel=1e-12)


def test_scalings_reach_from_plain_to_stretched() -> None:
    for name in ("llama3", "yarn"):
        rope = ROPES[name]
        plain_E = rope.base ** (-np.arange(0, rope.dims, 2) / rope.dims)
        ratio = plain_E / rope_frequencies(rope, 100)
        assert ratio[0] == 1
        assert ratio[-1] == pytest.approx(rope.factor)
        assert np.all(np.diff(ratio) >= -1e-12)


def test_attention_factors() -> None:
    assert yarn_attention_factor(1.0) == 1
    assert yarn_attention_factor(4.0) == pytest.approx(1.1386294)
    assert longrope_attention_factor(4096, 4096) == 1
    # Phi-3-mini-128k: sqrt(1 + ln 32 / ln 4096)
    assert longrope_attention_factor(131072, 4096) == pytest.approx(1.1902380714)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dims": 5}, "rope dims is 5"),
        ({"base": 0.0}, "rope base is 0.0"),
        ({"factor": math.nan}, "rope factor is nan"),
        ({"factors": (1.0,)}, "rope factors are 1 numbers, expected 2"),
        ({"long_factors": (1.0, -1.0), "original_context": 8}, "rope long_factors hold a number"),
        ({"long_factors": (1.0, 1.0)}, "rope original_context is 0"),
        ({"scaling": "yarn"}, "rope original_context is 0"),
        ({"scaling": "yarn", "base": 1.0, "original_context": 8}, "rope base is 1.0"),
        ({"scaling": "llama3", "high_freq_factor": 1.0}, "rope high_freq_factor is 1.0"),
    ],
)
def test_impossible_rotations_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message.replace(".", r"\.")):
        Rope(**({"dims": 4} | change))  # type: ignore[arg-type]
