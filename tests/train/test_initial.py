"""Weights to begin with: their spread, and that they depend on seed and name alone."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rung.models.config import weight_shapes
from rung.train.initial import initial_checkpoint, initial_weight
from support import GPT2, tiny_config


@pytest.mark.parametrize("changes", [{}, GPT2])
def test_spread(changes: dict[str, object]) -> None:
    config = tiny_config(**changes)
    weights = initial_checkpoint(config, seed=1).weights
    assert {name: weight.shape for name, weight in weights.items()} == weight_shapes(config)
    for name, weight in weights.items():
        values = weight.float32()
        if name.endswith(".bias"):
            assert not values.any(), name
        elif "norm" in name:
            assert (values == 1).all(), name
        else:
            residual = name.endswith(("attn_output.weight", "ffn_down.weight"))
            expected = 0.02 / math.sqrt(2 * config.n_layers) if residual else 0.02
            error = 5 / math.sqrt(2 * values.size)  # five deviations of what n values show
            assert np.std(values) == pytest.approx(expected, rel=error), name
            assert abs(values.mean()) < 5 * expected / math.sqrt(values.size), name


def test_each_name_and_seed_has_values_of_its_own() -> None:
    def first(name: str, seed: int) -> float:
        return float(initial_weight(name, (4, 8), n_layers=2, seed=seed)[0, 0])

    names = ("blk.0.attn_q.weight", "blk.1.attn_q.weight", "token_embd.weight")
    seen = {first(name, seed) for name in names for seed in (0, 1, 2)}
    assert len(seen) == 9
    config = tiny_config()
    whole = initial_checkpoint(config, seed=2).weights["blk.1.ffn_up.weight"].float32()
    alone = initial_weight("blk.1.ffn_up.weight", whole.shape, n_layers=2, seed=2)
    assert np.array_equal(whole, alone)


def test_the_same_for_good() -> None:
    values = initial_weight("token_embd.weight", (2, 2), n_layers=1, seed=7).reshape(-1)
    assert values.tolist() == pytest.approx(
        [0.005322386045008898, -0.007658850867301226, -0.002814145991578698, -0.006956152617931366],
        abs=1e-9,
    )
