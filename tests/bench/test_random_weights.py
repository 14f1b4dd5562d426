"""Random weights of each type: finite, of the deviation that a layer wants, the same for a seed."""

from __future__ import annotations

import math
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from rung.backends.cpu.machine import default_threads
from rung.bench.models.random_weights import KINDS, matrix_type, random_checkpoint
from rung.bench.models.shapes import shape_named
from rung.engine.batch import Batch
from rung.engine.runner import plan_model
from rung.errors import UsageError
from rung.formats.finite import check_finite
from rung.models.config import Config, Rope, weight_shapes

TYPES = [kind if kind != "i8_gN" else "i8_g32" for kind in KINDS]


def config(**changes: object) -> Config:
    fields = {
        "dim": 256,
        "hidden_dim": 512,
        "n_layers": 3,
        "n_heads": 4,
        "n_kv_heads": 2,
        "head_dim": 64,
        "vocab_size": 400,
        "context_length": 64,
        "rope": Rope(dims=64),
    }
    return Config(**(fields | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", TYPES)
def test_values(kind: str) -> None:
    checkpoint = random_checkpoint(config(), kind)
    check_finite(checkpoint)
    for name, shape in weight_shapes(checkpoint.config).items():
        weight = checkpoint.weights[name]
        if len(shape) == 1:
            assert (weight.type.name, weight.float32().tolist()) == ("f32", [1.0] * shape[0])
            continue
        values = weight.float64() * math.sqrt(shape[-1])
        assert weight.type.name == kind
        assert np.isfinite(values).all()
        assert abs(values.mean()) < 5 / math.sqrt(values.size / 32)  # scales are shared
        assert values.std() == pytest.approx(1, abs=0.05)
        assert np.abs(values).max() < 6
        # Neither a row nor a column leans to one side, nor is any of them still.
        for axis in (0, 1):
            assert np.abs(values.mean(axis=axis)).max() < 1
            assert values.std(axis=axis).min() > 0.25


@pytest.mark.parametrize("kind", TYPES)
def test_logits_are_of_ordinary_size(kind: str) -> None:
    checkpoint = random_checkpoint(config(n_layers=12), kind)
    runner = plan_model(checkpoint, threads=1)
    logits = runner.forward(Batch.one(list(range(20)), rows="all"))
    runner.close()
    assert np.isfinite(logits).all()
    assert 0.3 < logits.std() < 3
    assert logits.std(axis=1).min() > 0.1  # no token lost its signal on the way
    assert len(set(logits.argmax(axis=1).tolist())) > 5


def test_the_same_seed_gives_the_same_weights() -> None:
    first, second, other = (random_checkpoint(config(), "q4_k", seed=seed) for seed in (3, 3, 4))
    for name, weight in first.weights.items():
        again = second.weights[name]
        assert all(np.array_equal(a, b) for a, b in zip(weight.planes, again.planes, strict=True))
    name = "blk.1.ffn_up.weight"
    assert not np.array_equal(first.weights[name].planes[0], other.weights[name].planes[0])
    layers = [first.weights[f"blk.{i}.ffn_up.weight"].planes[0] for i in (0, 1)]
    assert not np.array_equal(*layers)


@pytest.mark.parametrize("kind", ["f32", "bf16", "i8", "q8_0", "q4_0", "q6_k"])
def test_memory_is_that_of_the_weights(kind: str) -> None:
    shape = config(dim=1024, hidden_dim=2816, n_layers=6, vocab_size=8000)
    tracemalloc.start()
    try:
        checkpoint = random_checkpoint(shape, kind)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # Each thread works on a piece of one MiB in its type, which is some MiB in float32.
    assert peak < checkpoint.size_bytes + default_threads() * (12 << 20)


def test_progress_is_told_to_the_end() -> None:
    calls: list[tuple[int, int]] = []
    random_checkpoint(config(), "q8_0", progress=lambda done, total: calls.append((done, total)))
    done = [step for step, _ in calls]
    assert done == sorted(done)
    assert calls[-1][0] == calls[-1][1] > 0


def test_rows_that_are_not_whole_blocks_have_another_type_which_is_told() -> None:
    checkpoint = random_checkpoint(config(hidden_dim=288), "q4_k")
    types = {name: weight.type.name for name, weight in checkpoint.weights.items()}
    assert types["blk.0.ffn_up.weight"] == "q4_k"
    assert types["blk.0.ffn_down.weight"] == "q8_0"
    assert checkpoint.notes == (
        "3 of the matrices are q8_0: their rows are not whole blocks of q4_k",
    )


def test_learned_positions_and_biases_are_float32() -> None:
    shape = replace(shape_named("gpt2-124m"), n_layers=1, vocab_size=300, context_length=32)
    checkpoint = random_checkpoint(shape, "q8_0")
    assert checkpoint.weights["position_embd.weight"].type.name == "f32"
    bias = checkpoint.weights["blk.0.attn_q.bias"].float32()
    assert 0 < np.abs(bias).max() < 0.2
    assert checkpoint.notes == ()


@pytest.mark.parametrize("name", ["q3_k", "i8_g0", "i8_gN", "i32", "q8_s", ""])
def test_a_type_that_matrices_cannot_have(name: str) -> None:
    with pytest.raises(UsageError, match=r"--type is .*q4_k"):
        matrix_type(name)


def test_groups_must_divide_rows() -> None:
    with pytest.raises(UsageError, match="multiple of 48, not 256"):
        random_checkpoint(config(), "i8_g48")
