"""Plans of small models that are drawn in tests: one backend, several, and what repeats."""

from __future__ import annotations

from typing import Any

import pytest

from rung.engine.draft import draft
from rung.schedule.homes import Override, Wishes
from rung.schedule.plan import Plan
from support import GPT2, tiny_checkpoint

_GEMMA = {"qk_norm": True, "post_norms": True, "mlp": "geglu", "sliding_window": 8}

# The model, what is wished, and RUNG_SIM; a case without wishes has no device.
CASES: dict[str, tuple[dict[str, Any], Wishes | None, str]] = {
    "cpu": ({}, None, ""),
    "some layers": ({"n_layers": 5}, Wishes(gpu_layers=3), ""),
    "all layers": ({}, Wishes(gpu_layers="all"), ""),
    "cache on the host": ({"n_layers": 8}, Wishes(gpu_layers=6, cache_on="host"), ""),
    "override": (
        {"n_layers": 22, "matrices": "q8_0", "dim": 64, "hidden_dim": 64},
        Wishes(gpu_layers="all", overrides=(Override.parse("ffn_(up|gate|down)=cpu"),)),
        "",
    ),
    "no norms": ({"n_layers": 6} | _GEMMA, Wishes(gpu_layers=4), "refuse=rms_norm"),
    "gpt2": (GPT2, Wishes(gpu_layers=2), ""),
    "offload": (
        {"n_layers": 5, "tied_output": False},
        Wishes(gpu_layers=0),
        "offload_from=4,latency_us=0.000001,copy_gbs=100000",
    ),
}


def plan_of(name: str, monkeypatch: pytest.MonkeyPatch, *, tokens: int = 8) -> Plan:
    """The plan of a case for a batch of so many tokens."""
    changes, wishes, spec = CASES[name]
    monkeypatch.setenv("RUNG_SIM", spec)
    device = {"device": "sim", "wishes": wishes} if wishes is not None else {}
    drafted = draft(tiny_checkpoint(**changes), [tokens], threads=1, **device)
    return drafted.plans[tokens]
