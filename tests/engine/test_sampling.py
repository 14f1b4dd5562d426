"""Sampling: what each filter keeps, the limits that must equal greedy, and the draw itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rung.engine.params import SamplingParams
from rung.engine.sampling import Sampler
from rung.errors import RungError, UsageError

LOGITS = arrays(
    np.float32,
    st.integers(1, 60),
    elements=st.floats(-30, 30, width=32),
)
# Few values, so that there are many equals.
TIED_LOGITS = arrays(np.float32, st.integers(1, 60), elements=st.sampled_from([-2.0, 0.0, 1.0]))
SEEDS = st.integers(0, 2**32 - 1)
OFF = {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0}


def sample(logits, history=(), **params):
    return Sampler(SamplingParams(**{**OFF, "seed": 0, **params})).sample(logits, history)


def probabilities(logits, temperature=1.0):
    scaled = logits.astype(np.float64) / temperature
    weights = np.exp(scaled - scaled.max())
    return weights / weights.sum()


def smallest_nucleus(p, top_p):
    """Sizes of the nucleus, up to rounding, the plain way."""
    cumulative = np.cumsum(np.sort(p)[::-1])
    return (
        int(np.searchsorted(cumulative, top_p - 1e-9)) + 1,
        int(np.searchsorted(cumulative, top_p + 1e-9)) + 1,
    )


@given(LOGITS | TIED_LOGITS)
def test_temperature_0_takes_the_first_of_the_largest(logits):
    assert sample(logits, temperature=0) == logits.argmax()


@given(LOGITS | TIED_LOGITS, SEEDS)
def test_top_k_1_is_greedy(logits, seed):
    assert sample(logits, top_k=1, seed=seed) == logits.argmax()


@given(LOGITS | TIED_LOGITS, SEEDS)
def test_a_tiny_top_p_is_greedy(logits, seed):
    # Logits that differ by less than a probability can tell are ties.
    probabilities = np.exp(logits.astype(np.float64) - logits.max())
    assert probabilities[sample(logits, top_p=1e-9, seed=seed)] == 1


@given(TIED_LOGITS, SEEDS)
def test_a_tiny_temperature_draws_among_the_largest(logits, seed):
    for temperature in (1e-30, 1e-320):
        assert logits[sample(logits, temperature=temperature, seed=seed)] == logits.max()


@given(TIED_LOGITS, SEEDS)
def test_min_p_1_draws_among_the_largest(logits, seed):
    assert logits[sample(logits, min_p=1, seed=seed)] == logits.max()


@given(LOGITS | TIED_LOGITS, SEEDS, st.integers(1, 70))
def test_top_k_draws_among_the_k_largest(logits, seed, k):
    token = sample(logits, top_k=k, seed=seed)
    larger = (logits > logits[token]).sum() + (logits[:token] == logits[token]).sum()
    assert larger < k


@given(LOGITS | TIED_LOGITS, SEEDS, st.floats(0.01, 0.99))
def test_top_p_draws_from_the_nucleus(logits, seed, top_p):
    token = sample(logits, top_p=top_p, seed=seed)
    p = probabilities(logits)
    # Those likelier by more than rounding leave part of top_p open, or the token is not needed.
    assert p[p > p[token] * (1 + 1e-9)].sum() < top_p + 1e-9


@given(LOGITS, SEEDS, st.floats(0.001, 1))
def test_min_p_drops_what_is_less_likely(logits, seed, min_p):
    token = sample(logits, min_p=min_p, seed=seed)
    p = probabilities(logits)
    assert p[token] >= min_p * p.max() * (1 - 1e-12)


@given(LOGITS, SEEDS)
def test_filters_that_are_off_change_nothing(logits, seed):
    everything = sample(logits, seed=seed)
    assert everything == sample(logits, seed=seed, top_k=len(logits))
    assert everything == sample(logits, seed=seed, min_p=1e-300)
    assert everything == sample(logits, [0], seed=seed, repeat_penalty=1, repeat_last_n=-1)
    assert everything == sample(logits, [0], seed=seed, repeat_penalty=2, repeat_last_n=0)


@pytest.mark.parametrize("scale", [0.0, 0.1, 1.0, 3.0, 8.0])
@pytest.mark.parametrize("top_p", [0.01, 0.3, 0.9, 0.999])
def test_the_nucleus_of_a_large_vocabulary_is_the_smallest(scale, top_p):
    """Through the buckets as well, which only large sets use."""
    logits = np.random.default_rng(0).standard_normal(20_000).astype(np.float32) * scale
    sampler = Sampler(SamplingParams(**{**OFF, "top_p": top_p, "seed": 1}))
    drawn = np.array([sampler.sample(logits) for _ in range(300)])
    p = probabilities(logits)
    least, most = smallest_nucleus(p, top_p)
    rank = np.empty(len(p), int)
    rank[np.argsort(-p, kind="stable")] = np.arange(len(p))
    assert rank[drawn].max() < most
    # The whole nucleus is drawn from, not a part of it: the last drawn lies near its end.
    cumulative = np.cumsum(np.sort(p)[::-1]) / p[rank < least].sum()
    assert cumulative[rank[drawn].max()] > 0.95


def test_draws_follow_the_probabilities():
    logits = np.log(np.array([0.5, 0.25, 0.15, 0.1], np.float32))
    sampler = Sampler(SamplingParams(**OFF, seed=7))
    n = 4000
    counts = np.bincount([sampler.sample(logits) for _ in range(n)], minlength=4)
    expected = n * np.array([0.5, 0.25, 0.15, 0.1])
    assert ((counts - expected) ** 2 / expected).sum() < 16.3  # chi-square, 3 degrees, p = 0.001


def test_temperature_comes_before_top_p():
    logits = np.log(np.array([0.6, 0.3, 0.1], np.float32))
    drawn = {sample(logits, temperature=3.0, top_p=0.8, seed=s) for s in range(100)}
    assert drawn == {0, 1, 2}  # at temperature 1 the third would be left out
    drawn = {sample(logits, temperature=1.0, top_p=0.8, seed=s) for s in range(100)}
    assert drawn == {0, 1}


def test_top_p_counts_what_top_k_left():
    logits = np.log(np.array([0.4, 0.3, 0.2, 0.1], np.float32))
    # Of the two that top-k leaves, the first alone has 0.57.
    assert {sample(logits, top_k=2, top_p=0.5, seed=s) for s in range(50)} == {0}


def test_the_repeat_penalty_divides_positive_and_multiplies_negative_logits():
    logits = np.array([2.0, 1.5, -1.0, -1.2], np.float32)
    assert sample(logits, [0], temperature=0, repeat_penalty=2.0) == 1
    assert sample(logits[2:], [0], temperature=0, repeat_penalty=2.0) == 1
    assert sample(logits, [0, 0, 3], temperature=0, repeat_penalty=1.2) == 0  # once, not twice
    assert logits[0] == 2.0  # the caller's logits stay


def test_the_repeat_penalty_looks_at_the_last_tokens_only():
    logits = np.array([2.0, 1.5], np.float32)
    history = [0] + [1] * 64
    assert sample(logits, history, temperature=0, repeat_penalty=1e9) == 0
    assert sample(logits, history[:-1], temperature=0, repeat_penalty=1e9) == 0
    penalty = {"repeat_penalty": 1.5, "repeat_last_n": -1}
    assert sample(np.array([2.0, 0.0, 1.5], np.float32), history, temperature=0, **penalty) == 2


def test_an_extreme_repeat_penalty_leaves_logits_finite():
    logits = np.array([1e30, -1e30, 0.0], np.float32)
    assert sample(logits, [1], repeat_penalty=1e300, temperature=0) == 0
    assert sample(logits, [0], repeat_penalty=1e-300, temperature=1) == 0


@given(LOGITS, SEEDS)
def test_the_same_seed_gives_the_same_tokens(logits, seed):
    a, b = (Sampler(SamplingParams(seed=seed)) for _ in range(2))
    assert [a.sample(logits) for _ in range(5)] == [b.sample(logits) for _ in range(5)]


def test_without_a_seed_each_sampler_draws_its_own_and_tells_it():
    logits = np.zeros(1000, np.float32)
    a, b = (Sampler(SamplingParams(**OFF)) for _ in range(2))
    drawn = [a.sample(logits) for _ in range(5)]
    assert drawn != [b.sample(logits) for _ in range(5)]
    again = Sampler(SamplingParams(**OFF, seed=a.seed))
    assert drawn == [again.sample(logits) for _ in range(5)]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_logits_that_are_not_finite_are_refused(bad, temperature):
    logits = np.zeros(10, np.float32)
    logits[7] = bad
    with pytest.raises(RungError, match=r"not finite.*token 7"):
        sample(logits, temperature=temperature)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", -0.1),
        ("temperature", float("nan")),
        ("temperature", float("inf")),
        ("top_k", -1),
        ("top_p", 0.0),
        ("top_p", 1.1),
        ("top_p", float("nan")),
        ("min_p", -0.1),
        ("min_p", 1.1),
        ("min_p", float("nan")),
        ("repeat_penalty", 0.0),
        ("repeat_penalty", float("nan")),
        ("repeat_penalty", float("inf")),
        ("repeat_last_n", -2),
        ("seed", -1),
    ],
)
def test_values_outside_their_range_are_refused_by_name(name, value):
    with pytest.raises(UsageError, match=f"{name} is {value}"):
        SamplingParams(**{name: value})
