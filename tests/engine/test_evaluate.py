"""Logits of given tokens, and perplexity."""

from __future__ import annotations

import math

import numpy as np
import pytest

from engine_fakes import VOCAB_SIZE, FakeRunner, fake_model
from rung.errors import ContextError, RungError, UsageError


def expected_logits(ids):
    return np.random.default_rng(list(ids)).standard_normal(VOCAB_SIZE, np.float32) * 3


def surprise(history, token):
    logits_V = expected_logits(history).astype(np.float64)
    return math.log(np.exp(logits_V).sum()) - logits_V[token]


@pytest.mark.parametrize("n", [0, 1, 7, 8, 9, 20])
def test_logits_of_every_token(n):
    ids = list(range(10, 10 + n))
    model = fake_model(FakeRunner(max_tokens=8))
    logits_TV = model.logits(ids)
    assert logits_TV.shape == (n, VOCAB_SIZE)
    for t in range(n):
        np.testing.assert_array_equal(logits_TV[t], expected_logits(ids[: t + 1]))
    model.generate().complete()  # the slot is back


def test_logits_refuse_what_does_not_fit():
    model = fake_model(FakeRunner(context_length=8))
    with pytest.raises(ContextError, match=r"9 tokens.*holds 8"):
        model.logits([10] * 9)
    with pytest.raises(UsageError, match="token 0"):
        model.logits([VOCAB_SIZE])


def test_perplexity_within_the_context():
    ids = [10, 20, 30, 40, 50]
    expected = math.exp(np.mean([surprise(ids[:t], ids[t]) for t in range(1, 5)]))
    assert fake_model().perplexity(ids) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("n", [8, 9, 10, 17, 18, 30])
def test_perplexity_of_windows_predicts_every_token_once(n):
    C = 8
    ids = [10 + i % 7 for i in range(n)]
    model = fake_model(FakeRunner(context_length=C, max_tokens=3))
    costs = [surprise(ids[(t - 1) // C * C : t], ids[t]) for t in range(1, n)]
    assert model.perplexity(ids) == pytest.approx(math.exp(np.mean(costs)), rel=1e-12)


def test_perplexity_of_text_begins_after_bos():
    model = fake_model()
    assert model.perplexity("abc") == model.perplexity(model.tokenizer.encode("abc"))


def test_perplexity_of_even_logits_is_the_vocabulary():
    class Even(FakeRunner):
        def _logits(self, slot, position):
            return np.zeros(VOCAB_SIZE, np.float32)

    assert fake_model(Even()).perplexity("abc") == pytest.approx(VOCAB_SIZE)


def test_perplexity_refuses_too_little_text_and_damaged_logits():
    with pytest.raises(UsageError, match="at least 2"):
        fake_model().perplexity("")

    class Damaged(FakeRunner):
        def _logits(self, slot, position):
            return np.full(VOCAB_SIZE, np.nan, np.float32)

    model = fake_model(Damaged())
    for _ in range(2):  # the slot is given back
        with pytest.raises(RungError, match="not finite"):
            model.perplexity("abc")
