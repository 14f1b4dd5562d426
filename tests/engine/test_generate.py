"""The loop: chunks, batches, endings, slots, and what a text costs."""

from __future__ import annotations

import gc
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine_fakes import BOS, EOS, FIRST_BYTE, VOCAB_SIZE, FakeRunner, fake_model, says
from rung.errors import ContextError, RungError, UsageError

GREEDY = {"temperature": 0.0}


def plain_greedy(prompt, n_tokens):
    """What greedy decoding gives, one whole history at a time."""
    ids = list(prompt)
    for _ in range(n_tokens):
        logits_V = np.random.default_rng(ids).standard_normal(VOCAB_SIZE, np.float32)
        ids.append(int(logits_V.argmax()))
    return ids[len(prompt) :]


@pytest.mark.parametrize("n_prompt", [1, 2, 7, 8, 9, 16, 17, 33])
def test_a_prompt_of_any_length_is_read_in_chunks(n_prompt):
    runner = FakeRunner(max_tokens=8)
    prompt = [BOS, *range(10, 9 + n_prompt)]
    result = fake_model(runner).generate(prompt, max_tokens=5, ignore_eos=True, **GREEDY).complete()
    assert result.tokens == plain_greedy(prompt, 5)
    chunks = -(-n_prompt // 8)
    assert len(runner.batches) == chunks + 4
    # Only the last prompt token and the generated ones ask for logits.
    assert [len(batch.rows) for batch in runner.batches] == [0] * (chunks - 1) + [1] * 5


def test_the_pieces_join_to_the_text():
    generation = fake_model(FakeRunner(next_token=says("Ein schöner Tag 🌞.", after=1))).generate()
    pieces = list(generation)
    assert "".join(pieces) == generation.text == "Ein schöner Tag 🌞."
    assert all(pieces)
    assert "🌞" in pieces  # whole, from its last byte
    assert generation.finish_reason == "end_of_text"
    assert list(generation) == []


def test_the_end_token_is_counted_but_is_no_part_of_the_text():
    result = fake_model(FakeRunner(next_token=says("ab", after=1))).generate().complete()
    assert result.tokens == [FIRST_BYTE + ord("a"), FIRST_BYTE + ord("b")]
    assert result.usage.generated_tokens == 3


@pytest.mark.parametrize("end", [BOS, EOS])
def test_bos_ends_a_text_as_eos_does(end):
    runner = FakeRunner(next_token=lambda history: 70 if len(history) < 4 else end)
    result = fake_model(runner).generate(max_tokens=20).complete()
    assert (result.tokens, result.finish_reason) == ([70] * 3, "end_of_text")


def test_ignore_eos_goes_on():
    runner = FakeRunner(next_token=says("ab", after=1))
    result = fake_model(runner).generate(max_tokens=6, ignore_eos=True).complete()
    assert result.tokens[2:] == [EOS] * 4
    assert (result.text, result.finish_reason) == ("ab", "length")


def test_a_stop_string_cuts_the_text():
    runner = FakeRunner(next_token=says("one ## two", after=1))
    result = fake_model(runner).generate(stop="##").complete()
    assert (result.text, result.finish_reason) == ("one ", "stop")


def test_a_beginning_of_a_stop_string_is_given_back_at_the_end():
    for ending, max_tokens in (("end_of_text", 100), ("length", 4)):
        runner = FakeRunner(next_token=says("one#", after=1))
        generation = fake_model(runner).generate(stop=["##"], max_tokens=max_tokens)
        assert "".join(generation) == "one#"
        assert generation.finish_reason == ending


def test_half_a_character_at_the_end_is_shown_as_such():
    runner = FakeRunner(next_token=says("aé", after=1))
    generation = fake_model(runner).generate(max_tokens=2)
    assert "".join(generation) == generation.text == "a\ufffd"


def test_no_tokens_only_reads_the_prompt():
    runner = FakeRunner(max_tokens=4)
    result = fake_model(runner).generate(range(10, 20), max_tokens=0).complete()
    assert (result.tokens, result.text, result.finish_reason) == ([], "", "length")
    assert [len(batch.tokens) for batch in runner.batches] == [4, 4, 2]
    assert not any(len(batch.rows) for batch in runner.batches)
    assert result.usage.time_to_first_token_s is None


@pytest.mark.parametrize("max_tokens", [None, -1, 100])
def test_a_full_context_ends_the_text(max_tokens):
    model = fake_model(FakeRunner(context_length=20))
    result = model.generate(range(10, 15), max_tokens=max_tokens, ignore_eos=True).complete()
    # The last token is sampled after position 19 was read; it has no position itself.
    assert len(result.tokens) == 20 - 5 + 1
    assert result.finish_reason == "context"


def test_a_prompt_may_fill_the_context_but_no_more():
    model = fake_model(FakeRunner(context_length=20))
    assert len(model.generate([10] * 20, ignore_eos=True).complete().tokens) == 1
    with pytest.raises(ContextError, match=r"21 tokens.*holds 20"):
        model.generate([10] * 21)


@pytest.mark.parametrize("bad", [-1, VOCAB_SIZE])
def test_unknown_ids_are_refused(bad):
    with pytest.raises(UsageError, match=f"token 1 of the prompt is {bad}"):
        fake_model().generate([5, bad])


def test_wrong_options_are_refused_before_a_slot_is_taken():
    model = fake_model()
    with pytest.raises(UsageError, match="no tokens"):
        model.generate([])
    with pytest.raises(UsageError, match="max_tokens is -2"):
        model.generate(max_tokens=-2)
    with pytest.raises(UsageError, match="stop string is empty"):
        model.generate(stop="")
    with pytest.raises(UsageError, match="top_p"):
        model.generate(top_p=2.0)
    model.generate().complete()


def test_damaged_logits_are_an_error_and_free_the_slot():
    class Damaged(FakeRunner):
        def forward(self, batch):
            return np.full_like(super().forward(batch), np.nan)

    model = fake_model(Damaged())
    with pytest.raises(RungError, match="not finite"):
        model.generate().complete()
    with pytest.raises(RungError, match="not finite"):
        model.generate_batch(["a", "b"])
    gc.collect()
    with pytest.raises(RungError, match="not finite"):
        model.perplexity("text")


def test_a_slot_is_held_until_the_text_ends():
    model = fake_model(FakeRunner(n_slots=2))
    first, second = model.generate("a"), model.generate("b")
    with pytest.raises(UsageError, match=r"all 2 slots.*slots=N"):
        model.generate("c")
    first.complete()
    third = model.generate("c")
    second.close()
    with model.generate("d"), pytest.raises(UsageError, match="slots"):
        model.generate("e")
    del third
    model.generate("f"), model.generate("g")


def test_two_generations_side_by_side_do_not_disturb_each_other():
    options = {"max_tokens": 10, "seed": 3, "ignore_eos": True}
    alone = [fake_model().generate(p, **options).complete().tokens for p in ("first", "second")]
    model = fake_model(FakeRunner(n_slots=2))
    a, b = (model.generate(p, **options) for p in ("first", "second"))
    while not (a.finished and b.finished):
        a.step()
        b.step()
    assert [a.tokens, b.tokens] == alone


def test_closing_keeps_the_text_so_far():
    generation = fake_model(FakeRunner(next_token=says("one #two", after=1))).generate(stop="#?")
    while generation.text != "one ":
        generation.step()
    generation.step()
    generation.close()
    assert (generation.text, generation.finish_reason) == ("one #", "interrupted")
    generation.close()
    assert generation.step() == ""
    assert generation.complete().text == "one #"


def test_a_step_that_was_interrupted_can_be_repeated():
    class Interrupted(FakeRunner):
        calls = 0

        def forward(self, batch):
            self.calls += 1
            if self.calls % 2:
                raise KeyboardInterrupt
            return super().forward(batch)

    generation = fake_model(Interrupted()).generate([10] * 20, max_tokens=5, **GREEDY)
    while not generation.finished:
        with pytest.raises(KeyboardInterrupt):
            generation.step()
        generation.step()
    assert generation.tokens == plain_greedy([10] * 20, 5)


def test_a_closed_model_says_so():
    runner = FakeRunner()
    with fake_model(runner) as model:
        generation = model.generate()
    assert runner.closed
    with pytest.raises(UsageError, match="closed"):
        generation.step()
    with pytest.raises(UsageError, match="closed"):
        model.generate()


def test_closing_waits_for_the_step_of_another_thread():
    """A GPU's memory must not go while a batch is on it."""
    runner = FakeRunner()
    entered, going_on = threading.Event(), threading.Event()
    forward = runner.forward

    def slowly(batch):
        entered.set()
        assert going_on.wait(10)
        return forward(batch)  # which refuses to run when closed

    runner.forward = slowly
    model = fake_model(runner)
    generation = model.generate(max_tokens=9, ignore_eos=True)
    with ThreadPoolExecutor(2) as threads:
        step = threads.submit(generation.step)
        assert entered.wait(10)
        closing = threads.submit(model.close)
        time.sleep(0.02)
        assert not closing.done()
        going_on.set()
        step.result()
        closing.result()
    assert runner.closed
    with pytest.raises(UsageError, match="closed"):
        generation.step()


def test_usage_counts_tokens_and_time():
    generation = fake_model().generate("0123456789", max_tokens=5, ignore_eos=True)
    assert generation.usage.prompt_tokens_per_s == 0
    generation.step()
    assert generation.usage.time_to_first_token_s is None
    usage = generation.complete().usage
    assert (usage.prompt_tokens, usage.cached_tokens, usage.generated_tokens) == (11, 0, 5)
    assert usage.prompt_s > 0
    assert usage.decode_s > 0
    assert usage.time_to_first_token_s >= usage.prompt_s
    assert usage.prompt_tokens_per_s == pytest.approx(11 / usage.prompt_s)
    assert usage.decode_tokens_per_s == pytest.approx(4 / usage.decode_s)


PROMPTS = st.lists(st.text("abcdefgh", max_size=20), max_size=7)


@settings(max_examples=40, deadline=None)
@given(PROMPTS, st.integers(1, 4), st.integers(1, 12), st.integers(0, 12))
def test_a_batch_gives_each_prompt_what_it_gets_alone(prompts, n_slots, max_tokens, n):
    options = {"max_tokens": n, "seed": 11, "repeat_penalty": 1.1, "stop": ("x", "yz")}
    alone = [fake_model().generate(p, **options).complete() for p in prompts]
    runner = FakeRunner(n_slots=n_slots, max_tokens=max_tokens)
    model = fake_model(runner)
    together = model.generate_batch(prompts, **options)
    assert [(r.text, r.tokens, r.finish_reason) for r in together] == [
        (r.text, r.tokens, r.finish_reason) for r in alone
    ]
    assert len(model.generate_batch([""] * n_slots, max_tokens=1)) == n_slots  # slots are back


def test_a_batch_fills_slots_as_they_become_free():
    runner = FakeRunner(n_slots=2, max_tokens=64, next_token=lambda history: 70)
    lengths = [1, 9, 1, 1, 1]
    prompts = [[10] * length for length in lengths]
    fake_model(runner).generate_batch(prompts, max_tokens=3)
    # Five texts of three steps each over two slots: 15 places in 8 steps, and none idles before.
    assert len(runner.batches) == 9
    assert [len(set(batch.slots.tolist())) for batch in runner.batches] == [2] * 6 + [1] * 3


def test_decoding_goes_before_a_long_prompt():
    runner = FakeRunner(n_slots=2, max_tokens=4, next_token=lambda history: 70)
    fake_model(runner).generate_batch([[10], [10] * 11], max_tokens=4)
    assert [len(batch.tokens) for batch in runner.batches][:3] == [4, 4, 4]
    assert [batch.slots.tolist().count(0) for batch in runner.batches][:4] == [1, 1, 1, 1]


def test_a_batch_checks_every_prompt_before_it_runs():
    runner = FakeRunner(context_length=16)
    with pytest.raises(ContextError):
        fake_model(runner).generate_batch(["short", "x" * 40])
    assert runner.batches == []
    assert fake_model(runner).generate_batch([]) == []
