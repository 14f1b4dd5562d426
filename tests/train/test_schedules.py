"""Learning rates: their corners, and what holds at every step."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rung.errors import UsageError
from rung.train.schedules import KINDS, Kind, Schedule

_EIGHTH = 0.4 * math.cos(math.pi / 4)  # of a turn, half of what lies between peak and least


@st.composite
def schedules(draw: st.DrawFn, kinds: tuple[Kind, ...] = KINDS) -> Schedule:
    steps = draw(st.integers(1, 200))
    return Schedule(
        kind=draw(st.sampled_from(kinds)),
        peak=draw(st.floats(1e-6, 1.0)),
        steps=steps,
        warmup=draw(st.integers(0, steps)),
        min_ratio=draw(st.floats(0, 1)),
        decay=draw(st.floats(0.01, 1)),
    )


@given(schedules())
def test_it_rises_to_the_peak_and_never_again(schedule: Schedule) -> None:
    rates = [schedule.rate(step) for step in range(schedule.steps + 3)]
    before, after = rates[: schedule.warmup], rates[schedule.warmup :]
    assert all(0 < rate <= schedule.peak * (1 + 1e-12) for rate in rates[: schedule.steps])
    assert before == sorted(before)
    if before:
        assert before[0] == pytest.approx(schedule.peak / schedule.warmup)
        assert before[-1] == schedule.peak
    tolerance = 1e-12 * schedule.peak
    assert all(b <= a + tolerance for a, b in pairwise(after))
    assert all(rate >= schedule.peak * schedule.min_ratio - tolerance for rate in after)


@given(schedules(("cosine", "linear", "wsd")))
def test_it_starts_at_the_peak_and_ends_at_the_least(schedule: Schedule) -> None:
    if schedule.warmup < schedule.steps:
        assert schedule.rate(schedule.warmup) == pytest.approx(schedule.peak)
    lowest = pytest.approx(schedule.peak * schedule.min_ratio, abs=1e-15)
    assert schedule.rate(schedule.steps) == lowest
    assert schedule.rate(10 * schedule.steps) == lowest


@given(schedules(("constant",)), st.integers(0, 400))
def test_constant_is_constant(schedule: Schedule, step: int) -> None:
    if step >= schedule.warmup:
        assert schedule.rate(step) == schedule.peak


def test_wsd_falls_over_a_fifth() -> None:
    schedule = Schedule(kind="wsd", peak=1.0, steps=35)
    assert [schedule.rate(step) < 1 for step in (27, 28, 29)] == [False, False, True]
    assert schedule.rate(29) == pytest.approx(1 - math.sqrt(1 / 7))


@given(schedules(("wsd",)))
def test_wsd_keeps_the_peak_until_it_falls(schedule: Schedule) -> None:
    falls = schedule.steps - math.ceil(round(schedule.decay * schedule.steps, 6))
    for step in range(schedule.warmup, max(falls, schedule.warmup) + 1):
        if step < schedule.steps:
            assert schedule.rate(step) == pytest.approx(schedule.peak)


@pytest.mark.parametrize(
    ("kind", "rates"),
    [
        ("cosine", [0.5, 1.0, 1.0, 0.6 + _EIGHTH, 0.6, 0.6 - _EIGHTH, 0.2]),
        ("linear", [0.5, 1.0, 1.0, 0.8, 0.6, 0.4, 0.2]),
        ("constant", [0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]),
        ("wsd", [0.5, 1.0, 1.0, 1.0, 1.0, 1 - 0.8 * math.sqrt(0.5), 0.2]),
    ],
)
def test_by_hand(kind: Kind, rates: list[float]) -> None:
    # 6 steps, 2 of warm-up; p is 0, ¼, ½, ¾ and 1 (wsd: 0, 0, 0, ½ and 1).
    schedule = Schedule(kind=kind, peak=1.0, steps=6, warmup=2, min_ratio=0.2, decay=1 / 3)
    assert [schedule.rate(step) for step in range(7)] == pytest.approx(rates)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "step"}, "schedule is 'step', expected one of cosine, linear, constant, wsd"),
        ({"peak": 0.0}, "learning rate is 0.0"),
        ({"peak": math.nan}, "learning rate is nan"),
        ({"steps": 0}, "steps is 0"),
        ({"warmup": 11}, "warmup is 11, expected 0 to 10"),
        ({"min_ratio": 1.5}, "min ratio is 1.5"),
        ({"decay": 0.0}, "decay is 0.0"),
    ],
)
def test_numbers_out_of_range(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Schedule(**{"peak": 1.0, "steps": 10} | changes)
