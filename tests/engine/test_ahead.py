"""Running ahead, without a device: who may, who falls back, and that it pays out the same text."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from engine_fakes import FIRST_BYTE, FakeRunner, fake_model, says
from rung.engine.batch import Batch, Choice
from rung.engine.params import SamplingParams
from rung.engine.sampling import Sampler
from rung.errors import RungError
from rung.ops.sampling.op import TOO_MANY


class AheadRunner(FakeRunner):
    """A FakeRunner that goes on by itself; ids it has not handed out it has read all the same."""

    runs_ahead = True
    depth = 3

    def __init__(self, **options):
        super().__init__(**options)
        self.starts: list[tuple[int, int, int]] = []
        self.taken = 0
        self._run = 0
        self.broken_at: int | None = None
        self.declines: set[int] = set()

    def forward(self, batch: Batch):
        self._run += 1
        return super().forward(batch)

    def ahead(self, token, *, position, slot, choice: Choice, steps) -> Iterator[int]:
        self._run += 1
        self.starts.append((slot, position, steps))
        return self._ids(self._run, token, position, slot, choice, steps)

    def _ids(self, run, token, position, slot, choice, steps) -> Iterator[int]:
        made: list[int] = []
        for step in range(steps):
            while len(made) < min(step + self.depth, steps):
                at = position + len(made)
                assert at < self.context_length
                self._cache[slot, at] = max(token, 0)
                token = self._chosen(self._logits(slot, at), choice, len(made))
                if at in self.declines:
                    token = TOO_MANY
                made.append(token)
            assert run == self._run, "the flight has ended"
            self.taken += 1
            yield made[step]

    def _logits(self, slot, position):
        logits_V = super()._logits(slot, position)
        if position == self.broken_at:
            logits_V[5] = np.nan
        return logits_V

    def _chosen(self, logits_V, choice: Choice, n: int) -> int:
        if not np.isfinite(logits_V).all():
            return -1
        if choice.greedy:
            return int(np.argmax(logits_V))
        temperature, k, top_p, min_p = (float(number) for number in choice.settings_P)
        params = SamplingParams(temperature=temperature, top_k=int(k), top_p=top_p, min_p=min_p)
        sampler = Sampler(params)
        sampler._random = _Uniform(float(choice.uniform_N[n]))
        return sampler.sample(logits_V)


class _Uniform:
    def __init__(self, value: float) -> None:
        self.random = lambda: value


def both(prompt="ab", runner_options=None, **options):
    """The completion of a runner that runs ahead, and its runner; it equals the plain one's."""
    options = {"temperature": 0, "max_tokens": 20} | options
    plain = fake_model(FakeRunner(**(runner_options or {}))).generate(prompt, **options).complete()
    runner = AheadRunner(**(runner_options or {}))
    completion = fake_model(runner).generate(prompt, **options).complete()
    assert (completion.text, completion.tokens) == (plain.text, plain.tokens)
    assert completion.finish_reason == plain.finish_reason
    assert completion.usage.generated_tokens == plain.usage.generated_tokens
    return completion, runner


def test_greedy_text_is_the_same_and_is_taken_from_the_device():
    completion, runner = both(max_tokens=20, ignore_eos=True)
    # The prompt's last token gives the first.
    assert runner.taken == 19
    assert runner.starts == [(0, 3, 19)]
    assert completion.usage.decode_s > 0


@pytest.mark.parametrize("options", [{"top_p": 1.0}, {"top_p": 0.8}, {"top_p": 1.0, "min_p": 0.2}])
@pytest.mark.parametrize("top_k", [30, 0])
def test_drawn_text_is_the_same(options, top_k):
    is_cut = top_k or len(options) > 1 or options["top_p"] < 1
    _, runner = both(temperature=1.5, top_k=top_k, seed=3, ignore_eos=True, **options)
    assert runner.taken == (19 if is_cut else 0)


def test_tokens_that_the_device_declines_are_taken_on_the_host():
    options = {"temperature": 1.5, "max_tokens": 40, "seed": 3, "ignore_eos": True}
    expected = fake_model().generate("ab", **options).complete().tokens
    for declines, most_starts in (({7, 20}, 3), (set(range(3, 64, 2)), 9)):
        runner = AheadRunner()
        runner.declines = declines
        assert fake_model(runner).generate("ab", **options).complete().tokens == expected
        assert 1 < len(runner.starts) <= most_starts


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": 0.8, "top_k": 0, "top_p": 1.0},
        {"temperature": 0.8, "top_k": 65},
        {"temperature": 1e-9, "top_k": 5},
        {"temperature": 0, "repeat_penalty": 1.1},
    ],
)
def test_what_needs_logits_stays_on_the_host(options):
    _, runner = both(seed=1, ignore_eos=True, **options)
    assert not runner.starts


def test_the_end_of_the_text_a_stop_string_and_the_context_end_it():
    says_it = {"next_token": says("hello world", after=3)}
    assert both(runner_options=says_it)[0].finish_reason == "end_of_text"
    stopped, _ = both(runner_options=says_it, stop="o w")
    assert (stopped.text, stopped.finish_reason) == ("hell", "stop")
    full, runner = both(runner_options={"context_length": 12}, max_tokens=None, ignore_eos=True)
    assert (full.finish_reason, len(full.tokens)) == ("context", 10)
    assert runner.starts == [(0, 3, 9)]


def test_tokens_thrown_away_leave_the_random_numbers_where_they_were():
    sampler = Sampler(SamplingParams(temperature=1, top_k=5, seed=9))
    other = Sampler(SamplingParams(temperature=1, top_k=5, seed=9))
    choice = sampler.choice(8)
    assert choice is not None
    sampler.skip()
    logits_V = np.random.default_rng(0).standard_normal(40).astype(np.float32)
    drawn = [other.sample(logits_V) for _ in range(5)]
    assert [sampler.sample(logits_V) for _ in range(4)] == drawn[1:]


def test_sequences_that_take_turns_do_not_run_ahead():
    runner = AheadRunner(n_slots=2)
    model = fake_model(runner)
    options = {"temperature": 0, "max_tokens": 6, "ignore_eos": True}
    one, two = model.generate("one", **options), model.generate("two", **options)
    while not (one.finished and two.finished):
        one.step()
        two.step()
    assert not runner.starts
    for prompt, generation in (("one", one), ("two", two)):
        alone = fake_model().generate(prompt, **options).complete()
        assert generation.tokens == alone.tokens


def test_another_sequence_ends_a_flight_and_it_begins_again():
    runner = AheadRunner(n_slots=2)
    model = fake_model(runner)
    options = {"temperature": 0, "max_tokens": 12, "ignore_eos": True}
    one, two = model.generate("one", **options), model.generate("two", **options)
    for _ in range(5):
        one.step()
    two.step()
    one.complete()
    assert [slot for slot, _, _ in runner.starts] == [0, 0]
    assert one.tokens == fake_model().generate("one", **options).complete().tokens


def test_interrupted_text_then_another():
    runner = AheadRunner()
    model = fake_model(runner)
    with model.generate("abc", temperature=0, ignore_eos=True) as generation:
        for _ in range(5):
            generation.step()
    assert generation.finish_reason == "interrupted"
    options = {"temperature": 0, "max_tokens": 9, "ignore_eos": True}
    expected = fake_model().generate("xyz", **options).complete().tokens
    assert model.generate("xyz", **options).complete().tokens == expected


def test_a_session_reads_again_what_ran_ahead_in_vain():
    texts = []
    for runner in (FakeRunner(), AheadRunner()):
        session = fake_model(runner).session()
        options = {"temperature": 0, "max_tokens": 6, "ignore_eos": True}
        first = session.generate("abc", **options).complete()
        longer = session.generate([*session.cached_ids, FIRST_BYTE + 7], **options).complete()
        assert longer.usage.cached_tokens > 0
        texts.append((first.tokens, longer.tokens, longer.usage.cached_tokens))
    assert texts[0] == texts[1]


def test_logits_that_are_not_finite_are_told_by_the_step_on_the_host():
    runner = AheadRunner()
    runner.broken_at = 6
    generation = fake_model(runner).generate("ab", temperature=0, ignore_eos=True)
    for _ in range(4):  # the prompt's last position is 2
        generation.step()
    with pytest.raises(RungError, match="not finite"):
        generation.step()


def test_the_host_path_goes_on_where_a_runner_cannot_after_all():
    runner = AheadRunner()
    runner.ahead = lambda *args, **options: None
    options = {"temperature": 0, "max_tokens": 8}
    plain = fake_model().generate("ab", **options).complete()
    assert fake_model(runner).generate("ab", **options).complete().tokens == plain.tokens
