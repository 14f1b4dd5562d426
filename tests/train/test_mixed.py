"""Training with products in bfloat16: close to float32 and to PyTorch's autocast, same bits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from runs import options, trained

from rung import registry
from rung.bench.kernels.targets import case_specs, find_op, load_backend
from rung.errors import UsageError
from rung.registry import select
from rung.simd.target import host
from rung.train import step as step_module
from rung.train.step import TrainStep
from support import GPT2, tiny_checkpoint

B, T = 4, 32
CONFIGS: dict[str, dict[str, Any]] = {
    "gpt2": GPT2 | {"dim": 112, "hidden_dim": 200},
    "llama": {"context_length": 32, "tied_output": False, "dim": 112, "hidden_dim": 200},
}
here = pytest.mark.skipif(
    not host().has("avx512bf16"), reason="this processor has no products of bfloat16"
)
both = pytest.mark.parametrize("changes", CONFIGS.values(), ids=CONFIGS)


@contextmanager
def _step(changes: dict[str, Any], **more: Any) -> Iterator[TrainStep]:
    checkpoint = tiny_checkpoint(**changes)
    weights = {n: w.float32() for n, w in checkpoint.weights.items()}
    told = {"sequences": B, "tokens": T, "threads": 2, "precision": "bfloat16"} | more
    with TrainStep(checkpoint.config, weights, **told) as step:
        yield step


def _batch(seed: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    rng = np.random.default_rng(seed)
    tokens, targets = rng.integers(0, 300, (2, B, T)).astype(np.int32)
    return tokens, targets


def _distance(ours: NDArray[Any], theirs: NDArray[Any]) -> float:
    """The length of the difference as a share of that of what was expected."""
    return float(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs))


@here
@both
def test_gradients_are_float32s_but_for_rounding(changes: dict[str, Any]) -> None:
    tokens, targets = _batch(0)
    with _step(changes, precision="float32") as step:
        loss = step.loss_and_gradients(tokens, targets)
        expected = {name: step.gradient(name) for name in step.names}
    with _step(changes) as step:
        found = step.loss_and_gradients(tokens, targets)
        assert found != loss
        assert found == pytest.approx(loss, rel=2e-3)
        assert step.loss(tokens, targets) == found
        for name in step.names:
            if not name.endswith("attn_k.bias"):  # nothing but rounding in either
                assert _distance(step.gradient(name), expected[name]) < 2e-2, name


@here
@both
def test_gradients_are_near_those_of_pytorchs_autocast(changes: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    from torch_model import mean_loss, parameters

    tokens, targets = _batch(1)
    with _step(changes) as step:
        theirs = parameters({name: step.parameter(name) for name in step.names})
        with torch.autocast("cpu", torch.bfloat16):
            loss = mean_loss(step.config, theirs, torch.tensor(tokens), torch.tensor(targets))
        loss.backward()
        found = step.loss_and_gradients(tokens, targets)
        assert found == pytest.approx(loss.item(), rel=5e-3)
        for name in step.names:
            if not name.endswith("attn_k.bias"):
                assert _distance(step.gradient(name), theirs[name].grad.numpy()) < 0.1, name


@here
@both
def test_any_number_of_threads_gives_the_same_bits(changes: dict[str, Any]) -> None:
    results = []
    for threads in (1, 3):
        with _step(changes, threads=threads) as step:
            losses = [step.loss_and_gradients(*_batch(0))]
            step.update(learning_rate=0.01, clip=1.0)
            losses.append(step.loss_and_gradients(*_batch(1), accumulate=True, scale=0.5))
            results.append((losses, {name: step.gradient(name) for name in step.names}))
    assert results[0][0] == results[1][0]
    for name, values in results[0][1].items():
        np.testing.assert_array_equal(values, results[1][1][name], name)


@here
def test_a_run_follows_that_in_float32(tmp_path: Path) -> None:
    runs = [
        trained(tmp_path, tmp_path / precision, precision=precision, steps=30)[1]
        for precision in ("float32", "bfloat16")
    ]
    whole, mixed = ([step.loss for step in kept.steps] for kept in runs)
    assert whole[-1] < whole[0] - 0.5
    assert mixed != whole
    assert mixed == pytest.approx(whole, rel=2e-2)


@pytest.mark.parametrize(
    "name", ["linear_bf16", "linear_bf16_backward_x", "linear_bf16_backward_w"]
)
def test_amx_multiplies_where_it_is(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    load_backend("cpu")
    op = find_op(name)
    amx = {"amx-tile", "amx-bf16"}
    versions = []
    for features in ({"avx512bf16"}, {"avx512bf16", "amx-tile"}, {"avx512bf16"} | amx):
        target = replace(host(), features=frozenset(features))
        monkeypatch.setattr(registry, "host", lambda target=target: target)
        versions.append(select(op, "cpu", *case_specs(op, op.cases[0]), pins="").version)
    assert versions == [2, 2, 3]


def test_a_processor_without_its_instruction_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    own = host()
    without = replace(own, features=own.features - {"avx512bf16"})
    monkeypatch.setattr(step_module, "host", lambda: without)
    with pytest.raises(UsageError, match=r"AVX512-BF16.*train in float32"), _step(GPT2):
        pass


def test_an_unknown_precision_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(UsageError, match="'float16', expected float32 or bfloat16"),
        _step(GPT2, precision="float16"),
    ):
        pass
    with pytest.raises(UsageError, match="--precision is 'bf16', expected float32 or bfloat16"):
        options(tmp_path, precision="bf16")


def test_a_gpu_is_told_to_train_in_float32(tmp_path: Path) -> None:
    with (
        pytest.raises(UsageError, match="a GPU trains in float32"),
        _step(GPT2, precision="bfloat16", device="webgpu"),
    ):
        pass
    with pytest.raises(UsageError, match="a GPU trains in float32"):
        options(tmp_path, precision="bfloat16", device="webgpu")
