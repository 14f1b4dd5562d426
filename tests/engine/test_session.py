"""Sessions: what the cache holds is not read again, and changes nothing."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine_fakes import BOS, FakeRunner, fake_model
from rung.errors import ContextError, UsageError

OPTIONS = {"max_tokens": 5, "seed": 2, "ignore_eos": True}


def test_a_longer_prompt_costs_its_new_end():
    runner = FakeRunner()
    session = fake_model(runner).session()
    first = session.generate("hello", **OPTIONS).complete()
    ids = [BOS, *fake_model().tokenizer.encode("hello", bos=False), *first.tokens]
    # All but the last token of the answer were read: that one was only sampled.
    assert session.cached_ids == ids[:-1]
    second = session.generate([*ids, 50, 51], **OPTIONS).complete()
    assert second.usage.cached_tokens == len(ids) - 1
    assert second.usage.prompt_tokens == len(ids) + 2
    assert second.tokens == fake_model().generate([*ids, 50, 51], **OPTIONS).complete().tokens


IDS = st.lists(st.integers(10, 12), min_size=1, max_size=14)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(IDS, st.integers(0, 5)), max_size=6))
def test_a_session_gives_what_an_empty_cache_gives(turns):
    session = fake_model().session()
    for prompt, n_steps in turns:
        generation = session.generate(prompt, **OPTIONS)
        assert generation.usage.cached_tokens < len(prompt)
        for _ in range(n_steps):  # perhaps not to the end
            generation.step()
        expected = fake_model().generate(prompt, **OPTIONS).complete().tokens
        assert generation.tokens == expected[: len(generation.tokens)]


def test_a_new_generation_closes_the_last():
    session = fake_model().session()
    first = session.generate("a", **OPTIONS)
    first.step()
    second = session.generate("b", **OPTIONS)
    assert first.finish_reason == "interrupted"
    assert first.step() == ""
    assert second.complete().finish_reason == "length"


def test_a_refused_prompt_leaves_the_cache():
    session = fake_model(FakeRunner(context_length=16)).session()
    session.generate("abc", **OPTIONS).complete()
    before = session.cached_ids
    with pytest.raises(ContextError):
        session.generate("x" * 30)
    assert session.cached_ids == before


def test_a_session_holds_a_slot_until_it_is_closed():
    model = fake_model()
    with model.session() as session:
        session.generate("a", **OPTIONS).complete()
        with pytest.raises(UsageError, match="slots"):
            model.generate("b")
    assert session.cached_ids == []
    model.generate("b").complete()
    session.close()
    assert session.generate("a", **OPTIONS).complete().usage.cached_tokens == 0
    with pytest.raises(UsageError, match="slots"):
        model.generate("b")


def test_a_slot_is_free_when_nothing_refers_to_its_session():
    model = fake_model()
    answer = model.session().generate("a", **OPTIONS)
    with pytest.raises(UsageError, match="slots"):
        model.generate("b")  # the text goes on, and so its slot is taken
    assert answer.complete().tokens
    del answer
    model.generate("b").complete()
