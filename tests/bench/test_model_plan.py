"""Which tasks are measured: what fits the context, what was asked for, what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from rung.bench.models.measure import Task
from rung.bench.models.plan import Plan, numbers, plan
from rung.errors import UsageError


def planned(**changes: Any) -> Plan:
    options: dict[str, Any] = {
        "prompts": None,
        "depths": None,
        "tokens": 64,
        "context_length": None,
        "trained_context": 4096,
    }
    return plan(**(options | changes))


def test_defaults() -> None:
    found = planned()
    assert found.tasks == (
        Task("prompt", 64),
        Task("prompt", 256),
        Task("prompt", 512),
        Task("decode", 64, 0),
        Task("decode", 64, 256),
    )
    assert (found.context_length, found.longest_batch, found.notes) == (512, 512, ())


def test_what_does_not_fit_is_left_out_of_the_defaults_and_told() -> None:
    found = planned(trained_context=256)
    assert [task.label for task in found.tasks] == ["prompt 64", "prompt 256", "decode 64"]
    assert found.notes == (
        "prompt 512 is left out: the context holds 256 tokens",
        "decode 64 after 256 is left out: the context holds 256 tokens",
    )


def test_only_decoding_after_a_depth() -> None:
    found = planned(prompts=(), depths=(100,), tokens=8)
    assert found.tasks == (Task("decode", 8, 100),)
    assert (found.context_length, found.longest_batch) == (108, 100)


def test_the_context_that_is_given_is_kept() -> None:
    assert planned(context_length=2048).context_length == 2048


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prompts": (5000,)}, "prompt 5000 needs 5000 positions, the context holds 4096"),
        ({"depths": (4090,)}, "decode 64 after 4090 needs 4154 positions"),
        ({"prompts": (300,), "context_length": 256}, "needs 300 positions, the context holds 256"),
        ({"context_length": 5000}, "--context is 5000, this model allows 1 to 4096"),
        ({"context_length": 0}, "--context is 0"),
        ({"tokens": 0}, "--tokens is 0"),
        ({"prompts": (), "depths": ()}, "nothing to measure"),
    ],
)
def test_errors(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        planned(**changes)


def test_numbers() -> None:
    assert numbers("--prompt", None, least=1) is None
    assert numbers("--prompt", "", least=1) == ()
    assert numbers("--prompt", "64, 256,64", least=1) == (64, 256)
    for text in ("0", "-1", "a", "1.5", "64;5"):
        with pytest.raises(UsageError, match=r"--prompt is .* expected numbers from 1 on"):
            numbers("--prompt", text, least=1)
