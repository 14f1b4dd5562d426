"""The decoder against plain NumPy, and its batch form: company changes nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import plain
from rung.backends.cpu.program import CpuProgram
from rung.engine import runner as runner_module
from rung.engine.batch import Batch
from rung.engine.runner import ModelRunner, choose_activations, multiplies_bfloat16, plan_model
from rung.errors import BackendError, KernelError, UsageError
from rung.formats.base import Checkpoint
from rung.models.config import Rope
from rung.registry import Kernel
from support import tiny_checkpoint

CONFIGS: dict[str, dict[str, Any]] = {
    "llama": {},
    "untied, a head each": {"tied_output": False, "n_kv_heads": 4},
    "half-split rotation": {"rope": Rope(layout="half", base=500.0, dims=4)},
    "one key head, odd widths": {"n_kv_heads": 1, "hidden_dim": 37, "vocab_size": 131},
    "narrow heads": {"head_dim": 6, "dim": 20, "n_heads": 2, "n_kv_heads": 1},
    "gpt2": {
        "family": "gpt2",
        "norm": "layer",
        "mlp": "gelu",
        "rope": None,
        "qkv_bias": True,
        "output_bias": True,
        "mlp_bias": True,
        "n_kv_heads": 4,
    },
    "part of a head turns": {"head_dim": 10, "rope": Rope(dims=6)},
    "part of a head turns, half-split": {"head_dim": 10, "rope": Rope(dims=6, layout="half")},
    "linear": {"rope": Rope(dims=4, scaling="linear", factor=2.5)},
    "llama3": {
        "head_dim": 16,
        "rope": Rope(dims=16, scaling="llama3", factor=8, original_context=32, layout="half"),
    },
    "yarn": {
        "head_dim": 16,
        "rope": Rope(
            dims=16,
            scaling="yarn",
            factor=4,
            original_context=64,
            beta_fast=4,
            attention_factor=1.2,
        ),
    },
    "short factors": {
        "rope": Rope(dims=4, factors=(1.5, 2.0), long_factors=(3.0, 4.0), original_context=32)
    },
    "long factors": {
        "rope": Rope(dims=4, factors=(1.5, 2.0), long_factors=(3.0, 4.0), original_context=31)
    },
    "sliding": {"sliding_window": 4},
    "some layers slide, and turn in their own way": {
        "sliding_window": 3,
        "sliding_layers": (True, False),
        "local_rope": Rope(dims=4, base=10.0),
    },
    "gemma": {
        "mlp": "geglu",
        "post_norms": True,
        "qk_norm": True,
        "embedding_scale": 4.0,
        "attention_scale": 0.3,
        "attention_softcap": 1.5,
        "output_softcap": 2.0,
    },
}
# Storage types of matrices with shapes that hold whole blocks of them.
MATRICES: dict[str, dict[str, Any]] = {
    "f32": {},
    "f16": {},
    "bf16": {},
    "i8": {},
    "i8_g8": {},
    "q8_0": {"dim": 32, "hidden_dim": 64},
    "q4_0": {"dim": 32, "hidden_dim": 64},
    "q4_k": {"dim": 256, "hidden_dim": 256},
    "q5_k": {"dim": 256, "hidden_dim": 256},
    "q6_k": {"dim": 256, "hidden_dim": 256},
}
# Activations that give the same bits in any batch; None is the default, which has no other choice.
EXACT = {name: None if name in ("f32", "f16", "bf16") else "int8" for name in MATRICES}
IDS = [1, 17, 5, 99, 2, 64, 3, 130, 8, 8, 41, 77]


def _all_logits(runner: ModelRunner, ids: list[int], pieces: list[int]) -> np.ndarray:
    """Logits of every token, the sequence passed in pieces of these lengths."""
    rows, start = [], 0
    for length in pieces:
        batch = Batch.one(ids[start : start + length], start=start, rows="all")
        rows.append(runner.forward(batch).copy())
        start += length
    return np.concatenate(rows)


def _kernels(runner: ModelRunner) -> list[Kernel]:
    """What runs for one token."""
    programs = runner.executor.compiled(1).programs
    return [k for program in programs if isinstance(program, CpuProgram) for k in program.kernels]


@pytest.mark.parametrize("name", CONFIGS)
def test_logits_equal_the_formulas(name: str) -> None:
    checkpoint = tiny_checkpoint(**CONFIGS[name])
    reference = plain.logits(checkpoint.config, checkpoint.weights, IDS)
    runner = plan_model(checkpoint, threads=2)
    whole = _all_logits(runner, IDS, [len(IDS)])
    stepped = _all_logits(runner, IDS, [1] * len(IDS))
    runner.close()
    scale = np.abs(reference).max()
    assert np.abs(whole - reference).max() <= 1e-5 * scale
    assert np.array_equal(whole, stepped)


def test_factors_follow_the_planned_context() -> None:
    rope = Rope(dims=4, factors=(1.5, 2.0), long_factors=(3.0, 4.0), original_context=16)
    checkpoint = tiny_checkpoint(rope=rope)
    for context in (16, 17):
        reference = plain.logits(checkpoint.config, checkpoint.weights, IDS, context=context)
        runner = plan_model(checkpoint, threads=1, context_length=context)
        result = _all_logits(runner, IDS, [len(IDS)])
        runner.close()
        assert np.abs(result - reference).max() <= 1e-5 * np.abs(reference).max()


def test_what_a_model_lacks_costs_no_node() -> None:
    runner = plan_model(tiny_checkpoint(), threads=1)
    used = {node.op.name for node in runner.executor.graph.nodes}
    runner.close()
    expected = "attention cache_write cache_write_keys embedding linear rms_norm rope rope_angles"
    expected += " swiglu"
    assert used == set(expected.split())


@pytest.mark.parametrize("matrices", ["i8_g8", "i8", "q8_0", "q4_0"])
def test_int8_activations(matrices: str) -> None:
    checkpoint = tiny_checkpoint(matrices=matrices, dim=32, hidden_dim=96)
    reference = plain.logits(checkpoint.config, checkpoint.weights, IDS)
    results = []
    for threads, pieces in ((2, [5, 7]), (1, [1] * 12), (3, [9, 3])):
        runner = plan_model(checkpoint, threads=threads, activations="int8")
        results.append(_all_logits(runner, IDS, pieces))
        used = {k.form for k in _kernels(runner) if k.op.name == "linear"}
        runner.close()
        assert all(form.endswith(("_i8g", "_q8s")) for form in used)
    assert all(np.array_equal(results[0], other) for other in results[1:])
    # Rounding activations to int8 moves them by up to 1/254 of their group's greatest.
    assert np.abs(results[0] - reference).max() <= 0.03 * np.abs(reference).max()


@pytest.mark.parametrize("matrices", MATRICES)
def test_logits_equal_the_formulas_in_every_type(matrices: str) -> None:
    checkpoint = tiny_checkpoint(matrices=matrices, **MATRICES[matrices])
    reference = plain.logits(checkpoint.config, checkpoint.weights, IDS)
    runner = plan_model(checkpoint, threads=2, activations="float32", cache_type="f32")
    whole = _all_logits(runner, IDS, [len(IDS)])
    pieces = _all_logits(runner, IDS, [1, 2, 5, 1, 3])
    runner.close()
    assert np.abs(whole - reference).max() <= 1e-5 * np.abs(reference).max()
    assert np.array_equal(whole, pieces)


@pytest.mark.parametrize("matrices", MATRICES)
def test_sequences_in_one_batch_are_what_each_is_alone(matrices: str) -> None:
    checkpoint = tiny_checkpoint(matrices=matrices, **MATRICES[matrices])
    sequences = [[1, 5, 9, 2, 8, 4, 4], [1, 200], [1, 7, 7, 7, 30]]
    alone = []
    for ids in sequences:
        runner = plan_model(checkpoint, threads=1, activations=EXACT[matrices])
        alone.append(_all_logits(runner, ids, [1] * len(ids)))
        runner.close()
    runner = plan_model(checkpoint, threads=2, n_slots=3, activations=EXACT[matrices])
    # Tokens of all sequences interleaved, longest first, in two batches.
    order = [(s, p) for p in range(7) for s in (2, 0, 1) if p < len(sequences[s])]
    for part in (order[:5], order[5:]):
        batch = Batch(
            tokens=np.array([sequences[s][p] for s, p in part], np.int32),
            positions=np.array([p for _, p in part], np.int32),
            slots=np.array([s for s, _ in part], np.int32),
            rows=np.arange(len(part), dtype=np.int32)[::-1].copy(),
        )
        for (s, p), row in zip(part, runner.forward(batch)[::-1], strict=True):
            assert np.array_equal(row, alone[s][p]), (s, p)
    runner.close()


@pytest.mark.parametrize("matrices", MATRICES)
def test_any_number_of_threads_gives_the_same_bits(matrices: str) -> None:
    checkpoint = tiny_checkpoint(matrices=matrices, vocab_size=301, **MATRICES[matrices])
    results = []
    for threads in (1, 2, 3, 5):
        runner = plan_model(checkpoint, threads=threads)
        results.append(_all_logits(runner, IDS, [9, 1, 2]))
        runner.close()
    assert all(np.array_equal(results[0], other) for other in results[1:])


NEEDS_TILES = pytest.mark.skipif(
    not multiplies_bfloat16(), reason="this processor has no tiles of bfloat16"
)


@NEEDS_TILES
@pytest.mark.parametrize("matrices", [name for name in MATRICES if name not in ("f32", "i8_g8")])
def test_prompts_in_bfloat16_are_close_and_the_same_bits_with_any_threads(matrices: str) -> None:
    sizes = {"dim": 32, "hidden_dim": 64} | MATRICES[matrices]
    checkpoint = tiny_checkpoint(matrices=matrices, **sizes)
    reference = plain.logits(checkpoint.config, checkpoint.weights, IDS)
    results = []
    for threads in (1, 2, 5):
        runner = plan_model(checkpoint, threads=threads, activations="bfloat16")
        assert runner.describe()["activations"] == "bfloat16"
        assert {node.op.name for node in runner.executor.graph.nodes} >= {"pack_tiles"}
        results.append(_all_logits(runner, IDS, [9, 1, 2]))
        runner.close()
    assert all(np.array_equal(results[0], other) for other in results[1:])
    # Products of nine tokens lose 8 bits of each value, of one token those that int8 loses.
    assert np.abs(results[0] - reference).max() <= 0.03 * np.abs(reference).max()


@NEEDS_TILES
@pytest.mark.parametrize("matrices", ["q8_0", "bf16"])
def test_few_tokens_are_what_they_are_without_bfloat16(matrices: str) -> None:
    checkpoint = tiny_checkpoint(matrices=matrices, dim=32, hidden_dim=64)
    results = []
    for activations in ("bfloat16", EXACT[matrices]):
        runner = plan_model(checkpoint, threads=2, activations=activations)
        results.append(_all_logits(runner, IDS, [7, 1, 4]))
        runner.close()
    assert np.array_equal(*results)


@pytest.mark.parametrize(
    ("matrices", "tiles", "activations"),
    [
        ("f32", True, "float32"),
        ("bf16", True, "float32"),
        ("q8_0", True, "bfloat16"),
        ("i8_g8", True, "int8"),
        ("q8_0", False, "int8"),
    ],
)
def test_default_activations(
    matrices: str, tiles: bool, activations: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "multiplies_bfloat16", lambda: tiles)
    checkpoint = tiny_checkpoint(matrices=matrices, **MATRICES[matrices])
    assert choose_activations(checkpoint, None) == activations


@pytest.mark.parametrize(
    ("matrices", "tiles", "message"),
    [
        ("q8_0", False, "need a processor with AMX"),
        ("f32", True, "are for weights in bf16, f16, i8"),
        ("i8_g8", True, "this model has none"),
    ],
)
def test_bfloat16_activations_that_nothing_computes_are_refused(
    matrices: str, tiles: bool, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "multiplies_bfloat16", lambda: tiles)
    checkpoint = tiny_checkpoint(matrices=matrices, **MATRICES[matrices])
    with pytest.raises(UsageError, match=message):
        plan_model(checkpoint, activations="bfloat16")


@pytest.mark.parametrize("name", ["llama", "gemma", "narrow heads"])
def test_a_float16_cache_is_close_and_the_same_bits_in_any_company(name: str) -> None:
    checkpoint = tiny_checkpoint(context_length=200, **CONFIGS[name])
    ids = [(7 * i) % 300 for i in range(150)]  # more than two pages of keys
    reference = plain.logits(checkpoint.config, checkpoint.weights, ids)
    results = []
    for threads, pieces in ((2, [150]), (1, [1] * 150), (3, [70, 1, 79])):
        runner = plan_model(checkpoint, threads=threads, cache_type="f16")
        results.append(_all_logits(runner, ids, pieces))
        assert runner.describe()["KV cache type"] == "f16"
        runner.close()
    assert all(np.array_equal(results[0], other) for other in results[1:])
    error = np.abs(results[0] - reference).max() / np.abs(reference).max()
    assert 1e-6 < error < 1e-3  # the cache is in float16 indeed, and no worse than that


def test_long_contexts_equal_the_formulas() -> None:
    checkpoint = tiny_checkpoint(context_length=300, **CONFIGS["sliding"])
    ids = [(11 * i) % 300 for i in range(290)]
    reference = plain.logits(checkpoint.config, checkpoint.weights, ids)
    results = []
    for threads, pieces in ((2, [256, 34]), (1, [63, 1, 1, 130, 95])):
        runner = plan_model(checkpoint, threads=threads)
        results.append(_all_logits(runner, ids, pieces))
        runner.close()
    assert np.array_equal(*results)
    assert np.abs(results[0] - reference).max() <= 1e-5 * np.abs(reference).max()


def test_rows_may_be_none_or_some() -> None:
    runner = plan_model(tiny_checkpoint(), threads=1)
    assert runner.forward(Batch.one(IDS[:4], rows="none")).shape == (0, 300)
    last = runner.forward(Batch.one(IDS[4:], start=4)).copy()
    everything = runner.forward(Batch.one(IDS, rows="all"))
    runner.close()
    assert np.array_equal(last[0], everything[-1])


def test_pins_choose_the_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = tiny_checkpoint()
    monkeypatch.setenv("RUNG_PIN", "linear/cpu=1,attention/cpu=1")
    runner = plan_model(checkpoint, threads=1)
    used = {k.op.name: k.version for k in _kernels(runner)}
    result = _all_logits(runner, IDS, [len(IDS)])
    runner.close()
    assert used["linear"] == used["attention"] == 1
    assert used["rms_norm"] > 1
    reference = plain.logits(checkpoint.config, checkpoint.weights, IDS)
    assert np.abs(result - reference).max() <= 1e-5 * np.abs(reference).max()
    monkeypatch.setenv("RUNG_PIN", "linear/cpu=77")
    with pytest.raises(KernelError, match="linear:f32/cpu=77"):
        plan_model(checkpoint, threads=1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tokens": [300]}, "token 300 is not in range"),
        ({"tokens": [-1]}, "token -1 is not in range"),
        ({"positions": [32]}, "position 32 is not in range"),
        ({"slots": [1]}, "slot 1 is not in range"),
        ({"rows": [1]}, "row 1 is not in range"),
        ({"slots": [0, 0]}, "one slot for each token"),
        ({name: [0] * 33 for name in ("tokens", "positions", "slots")}, "a batch of 33 tokens"),
    ],
)
def test_impossible_batches_are_refused(change: dict[str, list[int]], message: str) -> None:
    fields = {"tokens": [0], "positions": [0], "slots": [0], "rows": [0]} | change
    batch = Batch(**{name: np.array(values, np.int32) for name, values in fields.items()})
    runner = plan_model(tiny_checkpoint(), threads=1)
    with pytest.raises(UsageError, match=message):
        runner.forward(batch)
    runner.close()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"context_length": 0}, "context is 0"),
        ({"context_length": 33}, "allows 1 to 32"),
        ({"n_slots": 0}, "slots is 0"),
        ({"cache_type": "f8"}, "cache type is 'f8', expected f32 or f16"),
        ({"activations": "int4"}, "activations is 'int4', expected float32 or int8"),
        ({"activations": "int8"}, "need quantised weights, and this model has none"),
        ({"threads": 0}, "threads is 0"),
    ],
)
def test_impossible_plans_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        plan_model(tiny_checkpoint(), **options)


def test_a_cache_beyond_memory_is_one_clear_error() -> None:
    checkpoint: Checkpoint = tiny_checkpoint(context_length=2**24, n_kv_heads=4)
    with pytest.raises(BackendError, match=r"not enough memory .* --context"):
        plan_model(checkpoint, threads=1, n_slots=2**20)
