"""Spikes: far above the mean of the last losses, and a level that has risen for good is none."""

from __future__ import annotations

import math

import pytest

from rung.train.run.spikes import WINDOW, Spikes


def test_the_height_is_in_deviations_above_the_mean() -> None:
    spikes = Spikes()
    losses = [2.0, 4.0] * 20  # mean 3, deviation 1
    assert [spikes.add(loss) for loss in losses[:32]] == [0.0] * 32  # too few to say
    assert spikes.add(8.0) == pytest.approx(5.0)
    below = Spikes(losses)
    assert below.add(0.0) == pytest.approx(-3.0)
    assert Spikes([1.0] * 40).add(9.0) == 0.0  # no deviation to measure with


def test_a_new_level_is_a_spike_only_at_first() -> None:
    spikes = Spikes([1 + 0.01 * math.sin(i) for i in range(WINDOW)])
    heights = [spikes.add(3.0) for _ in range(WINDOW)]
    assert heights[0] > 100
    assert max(heights[20:]) < 3
    assert len(spikes.losses) == WINDOW


def test_what_is_remembered_goes_on() -> None:
    first = Spikes(range(50))
    assert Spikes(first.losses).add(70.0) == first.add(70.0)
