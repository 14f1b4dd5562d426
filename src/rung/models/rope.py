"""How fast each pair of a head turns: from a Rope to frequencies in radians a position.

E = dims / 2 frequencies.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from rung.models.config import Rope

Frequencies = NDArray[np.float64]


def rope_frequencies(rope: Rope, context_length: int) -> Frequencies:
    """The frequencies [E] for contexts of up to `context_length` tokens, float64.

    Pair e turns by base^(−2e / dims), divided by its explicit factor where there are factors, then
    stretched by the named scaling. Factors for long contexts hold where the planned context is
    longer than the original one: keys in the cache keep the rotation they were written with, so
    the choice is made once, when a model is loaded, and not when a text grows.
    """
    plain_E = rope.base ** (-np.arange(0, rope.dims, 2, dtype=np.float64) / rope.dims)
    factors = rope.factors
    if rope.long_factors is not None and context_length > rope.original_context:
        factors = rope.long_factors
    if factors is not None:
        plain_E = plain_E / np.asarray(factors, np.float64)
    if rope.scaling == "linear":
        return plain_E / rope.factor
    if rope.scaling == "llama3":
        return _llama3(rope, plain_E)
    if rope.scaling == "yarn":
        return _yarn(rope, plain_E)
    return plain_E


def yarn_attention_factor(factor: float, weight: float = 1.0) -> float:
    """0.1 · weight · ln(factor) + 1: what YaRN multiplies cosines and sines by.

    Source: Peng et al., YaRN, 2023, equation 22.
    """
    return 0.1 * weight * math.log(factor) + 1.0 if factor > 1 else 1.0


def longrope_attention_factor(context_length: int, original_context: int) -> float:
    """sqrt(1 + ln(context / original) / ln(original)), 1 where the context is not longer.

    Source: Ding et al., LongRoPE, 2024, as Phi-3 uses it.
    """
    if context_length <= original_context:
        return 1.0
    stretch = context_length / original_context
    return math.sqrt(1 + math.log(stretch) / math.log(original_context))


def _llama3(rope: Rope, plain_E: Frequencies) -> Frequencies:
    """Fast pairs stay, slow ones turn `factor` times slower, those between are blended.

    A pair is fast where it makes high_freq_factor turns or more in the original context, and slow
    where it makes fewer than low_freq_factor. Source: Llama 3.1's reference code.
    """
    turns_E = rope.original_context * plain_E / (2 * math.pi)
    low, high = rope.low_freq_factor, rope.high_freq_factor
    kept_E = np.clip((turns_E - low) / (high - low), 0.0, 1.0)
    return kept_E * plain_E + (1 - kept_E) * plain_E / rope.factor


def _yarn(rope: Rope, plain_E: Frequencies) -> Frequencies:
    """Fast pairs stay, slow ones turn `factor` times slower, by a ramp over the pair's number.

    The ramp goes from the pair with beta_fast turns in the original context to that with
    beta_slow. Source: Peng et al., YaRN, 2023, section 3.2, with the ramp's ends in whole pairs.
    """

    def pair_with(turns: float) -> float:
        span = rope.original_context / (2 * math.pi * turns)
        return rope.dims * math.log(span) / (2 * math.log(rope.base))

    first = max(math.floor(pair_with(rope.beta_fast)), 0)
    last = min(math.ceil(pair_with(rope.beta_slow)), rope.dims - 1)
    width = last - first or 0.001  # a ramp of no width is a step
    slow_E = np.clip((np.arange(len(plain_E)) - first) / width, 0.0, 1.0)
    return slow_E * plain_E / rope.factor + (1 - slow_E) * plain_E
