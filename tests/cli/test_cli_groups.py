"""Groups of options: their fields are parameters of the command, and come back together."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from rung.cli import groups
from rung.engine.params import SamplingOptions
from rung.errors import UsageError


def test_a_group_is_spread_and_gathered() -> None:
    seen: list[Any] = []

    @groups.spread
    def command(
        first: int = 1,
        sampling: groups.Sampling = groups.SAMPLING,
        running: groups.Running = groups.RUNNING,
        last: str = "x",
    ) -> None:
        """What it does."""
        seen.append((first, sampling, running, last))

    names = list(inspect.signature(command).parameters)
    assert names[:2] == ["first", "temperature"]
    assert names[-2:] == ["cache_on", "last"]
    assert command.__doc__ == "What it does."
    given = {name: p.default for name, p in inspect.signature(command).parameters.items()}
    command(**given | {"top_k": 7, "threads": 3})
    assert seen == [(1, groups.Sampling(top_k=7), groups.Running(threads=3), "x")]


def test_sampling_has_every_option_of_the_engine() -> None:
    assert groups.SAMPLING.checked().keys() == SamplingOptions.__annotations__.keys()
    with pytest.raises(UsageError, match="top_p"):
        groups.Sampling(top_p=2.0).checked()
