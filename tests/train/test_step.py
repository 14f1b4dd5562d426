"""A training step: against PyTorch, in parts against one piece, at any number of threads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rung.draw.names import number_in
from rung.errors import UsageError
from rung.models.config import Rope
from rung.models.trainable import TrainableDecoder, chunk_rows_of
from rung.train.memory import memory_bytes
from rung.train.step import AdamW, TrainStep
from support import GPT2, tiny_checkpoint

B, T = 4, 9

LLAMA: dict[str, Any] = {"context_length": 32}
CONFIGS: dict[str, dict[str, Any]] = {
    "gpt2": GPT2,
    "llama": LLAMA | {"tied_output": False},
    "llama turned in part": LLAMA
    | {"rope": Rope(layout="half", dims=2), "n_kv_heads": 1, "attention_scale": 2.0}
    | {"qkv_bias": True, "output_bias": True, "mlp_bias": True},
    "llama tied": LLAMA | {"tied_output": True, "embedding_scale": 4.0, "post_norms": True},
}

Arrays = dict[str, NDArray[np.float32]]


def _weights(**changes: Any) -> tuple[Any, Arrays]:
    checkpoint = tiny_checkpoint(**changes)
    return checkpoint.config, {n: w.float32() for n, w in checkpoint.weights.items()}


def _batch(
    seed: int, sequences: int = B, length: int = T
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Tokens and targets, of which some are missing: as many in each half of the sequences."""
    rng = np.random.default_rng(seed)
    tokens = rng.integers(0, 300, (sequences, length)).astype(np.int32)
    targets = rng.integers(0, 300, (sequences, length)).astype(np.int32)
    targets[:, ::4] = -1
    return tokens, targets


@contextmanager
def _step(changes: dict[str, Any], **options: Any) -> Iterator[TrainStep]:
    config, weights = _weights(**changes)
    options = {"sequences": B, "tokens": T, "threads": 2} | options
    with TrainStep(config, weights, **options) as step:
        yield step


def _all_gradients(step: TrainStep) -> Arrays:
    return {name: step.gradient(name) for name in step.names}


def _difference(ours: NDArray[Any], theirs: NDArray[Any]) -> float:
    """The greatest difference as a share of the greatest value; NaN where one is missing."""
    scale = float(np.abs(theirs).max())
    return float(np.abs(ours - theirs).max()) / (scale or 1.0)


@pytest.mark.parametrize("changes", CONFIGS.values(), ids=CONFIGS)
def test_loss_and_every_gradient_are_pytorchs(changes: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    from torch_model import mean_loss, parameters

    config, weights = _weights(**changes)
    tokens, targets = _batch(1)
    theirs = parameters(weights)
    loss = mean_loss(config, theirs, torch.tensor(tokens), torch.tensor(targets))
    loss.backward()
    with _step(changes) as step:
        ours = step.loss_and_gradients(tokens, targets)
        assert ours == pytest.approx(loss.item(), rel=1e-5)
        assert step.loss(tokens, targets) == ours
        for name in step.names:
            expected = theirs[name].grad.numpy()
            # A bias of all keys adds the same to all scores of a row: its gradient is nothing but
            # rounding, and is held against that of queries.
            scale = theirs[name.replace("attn_k.bias", "attn_q.bias")].grad.abs().max().item()
            assert np.abs(step.gradient(name) - expected).max() <= 1e-5 * scale, name
        norm = torch.nn.utils.get_total_norm([p.grad for p in theirs.values()])
        assert step.norm() == pytest.approx(norm.item(), rel=1e-5)


@pytest.mark.parametrize("changes", CONFIGS.values(), ids=CONFIGS)
def test_ten_steps_have_pytorchs_losses(changes: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    from torch_model import mean_loss, parameters

    config, weights = _weights(**changes)
    theirs = parameters(weights)
    groups = [
        {"params": [p for p in theirs.values() if p.ndim > 1], "weight_decay": 0.1},
        {"params": [p for p in theirs.values() if p.ndim == 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.95), eps=1e-8)
    with _step(changes, optimizer=AdamW(weight_decay=0.1)) as step:
        for index in range(10):
            tokens, targets = _batch(index % 2)
            rate = 1e-3 * (1 + index)
            loss = mean_loss(config, theirs, torch.tensor(tokens), torch.tensor(targets))
            optimizer.zero_grad()
            loss.backward()
            for group in optimizer.param_groups:
                group["lr"] = rate
            norm = torch.nn.utils.clip_grad_norm_(theirs.values(), 0.5)
            optimizer.step()
            assert step.loss_and_gradients(tokens, targets) == pytest.approx(loss.item(), rel=1e-5)
            assert step.update(learning_rate=rate, clip=0.5) == pytest.approx(norm.item(), rel=1e-4)
        assert step.steps == 10
        for name in step.names:
            if not name.endswith("attn_k.bias"):  # AdamW makes whole steps of its rounding
                expected = theirs[name].detach().numpy()
                assert _difference(step.parameter(name), expected) <= 1e-3, name


def test_accumulated_parts_give_the_gradients_of_the_whole() -> None:
    tokens, targets = _batch(3)
    with _step(GPT2) as step:
        whole = step.loss_and_gradients(tokens, targets)
        expected = _all_gradients(step)
    with _step(GPT2, sequences=B // 2) as step:
        step.loss_and_gradients(*_batch(4, B // 2))  # what is there first must not count
        losses = [
            step.loss_and_gradients(
                tokens[first : first + 2],
                targets[first : first + 2],
                accumulate=first > 0,
                scale=0.5,
            )
            for first in (0, 2)
        ]
        # Rounding only: sums of 27 products in two parts.
        assert np.mean(losses) == pytest.approx(whole, rel=1e-6)
        for name in step.names:
            assert _difference(step.gradient(name), expected[name]) <= 2e-6, name


@pytest.mark.parametrize("changes", [GPT2, CONFIGS["llama"]], ids=["gpt2", "llama"])
def test_any_number_of_threads_gives_the_same_bits(changes: dict[str, Any]) -> None:
    """With rows and widths that are cut into several tiles, panels and parts."""
    wide = changes | {"dim": 112, "hidden_dim": 200}
    results = []
    for threads in (1, 3):
        with _step(wide, threads=threads, tokens=32) as step:
            losses = []
            for index in range(3):
                losses.append(step.loss_and_gradients(*_batch(index, length=32)))
                losses.append(step.update(learning_rate=0.01, clip=1.0))
            results.append((losses, {name: step.parameter(name) for name in step.names}))
    assert results[0][0] == results[1][0]
    for name, values in results[0][1].items():
        np.testing.assert_array_equal(values, results[1][1][name], name)


def test_chunks_of_logits_and_recomputation_change_rounding_at_most() -> None:
    tokens, targets = _batch(5)
    with _step(GPT2) as step:
        loss = step.loss_and_gradients(tokens, targets)
        expected = _all_gradients(step)
        activations = step.describe()["activations"]
    with _step(GPT2, chunk_rows=12, recompute=True) as step:
        assert step.loss_and_gradients(tokens, targets) == pytest.approx(loss, rel=1e-6)
        for name in step.names:
            assert _difference(step.gradient(name), expected[name]) <= 2e-6, name
        # Logits of 12 rows of 36, and no outputs of norms and activations.
        assert step.describe()["activations"] < 0.6 * activations


def test_the_number_of_a_chunk_is_not_taken_for_a_layer() -> None:
    config, _ = _weights(**LLAMA)
    decoder = TrainableDecoder(config, sequences=B, tokens=T, chunk_rows=4)
    found = {number_in(node.name) for node in decoder.build().nodes}
    assert found - {None} == set(range(config.n_layers))


@pytest.mark.parametrize(
    ("vocab_size", "on_gpu", "rows"),
    [(2048, False, 256), (2048, True, 8192), (50257, True, 333), (1 << 20, True, 256)],
)
def test_a_gpu_has_logits_of_more_rows_at_once(vocab_size: int, on_gpu: bool, rows: int) -> None:
    assert chunk_rows_of(vocab_size, on_gpu=on_gpu) == rows


@pytest.mark.parametrize("options", [{}, {"chunk_rows": 12, "recompute": True}])
def test_memory_is_told_before_it_is_taken(options: dict[str, Any]) -> None:
    with _step(CONFIGS["llama"], **options) as step:
        step.loss_and_gradients(*_batch(0))
        step.loss(*_batch(0))  # in the same memory
        told = memory_bytes(step.config, sequences=B, tokens=T, **options)
        assert step.describe() == told


def test_a_run_goes_on_with_its_parameters_moments_and_steps() -> None:
    with _step(CONFIGS["llama"]) as step:
        for index in range(2):
            step.loss_and_gradients(*_batch(index))
            step.update(learning_rate=0.01)
        with _step(CONFIGS["llama"]) as other:
            for name in step.names:
                other.set_parameter(name, step.parameter(name))
                other.set_moments(name, *step.moments(name))
            other.steps = step.steps
            for each in (step, other):
                each.loss_and_gradients(*_batch(7))
                each.update(learning_rate=0.01)
            for name in step.names:
                np.testing.assert_array_equal(step.parameter(name), other.parameter(name), name)


def test_a_device_has_everything_but_batch_loss_and_norm() -> None:
    """On a made-up one, which computes as the CPU does."""
    with _step(GPT2, chunk_rows=12, device="sim") as step, _step(GPT2, chunk_rows=12) as host:
        for index in range(2):
            step.device.counters.clear()
            halves = [_batch(index), _batch(index + 1)]
            trained = step.train(halves, learning_rate=0.01, clip=1.0)
            assert trained == host.train(halves, learning_rate=0.01, clip=1.0)
            # Tokens, targets, positions and the loss's gradient, twice; AdamW's numbers.
            rows = 4 * B * T
            assert step.device.counters.writes == 2 * 4 + 1
            assert step.device.counters.written_bytes == 2 * (3 * rows + 4) + 9 * 4
            assert (step.device.counters.reads, step.device.counters.read_bytes) == (3, 2 * 4 + 8)
        for name in step.names:
            np.testing.assert_array_equal(step.parameter(name), host.parameter(name), name)


def test_targets_that_do_not_count_give_no_gradient() -> None:
    tokens, targets = _batch(6)
    with _step(GPT2) as step:
        assert step.loss_and_gradients(tokens, np.full_like(targets, -1)) == 0
        assert step.norm() == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tokens": np.zeros((B, T + 1), np.int32)}, r"tokens have shape \(4, 10\)"),
        ({"tokens": np.full((B, T), 300, np.int32)}, "tokens hold 300, expected 0 to 299"),
        ({"targets": np.full((B, T), -2, np.int32)}, "targets hold -2, expected -1 to 299"),
    ],
)
def test_a_wrong_batch_is_refused(changes: dict[str, Any], message: str) -> None:
    tokens, targets = _batch(0)
    with _step(GPT2) as step, pytest.raises(UsageError, match=message):
        step.loss_and_gradients(changes.get("tokens", tokens), changes.get("targets", targets))


def test_what_cannot_be_trained_is_refused() -> None:
    config, weights = _weights(qk_norm=True)
    with pytest.raises(UsageError, match="norms of queries and keys"):
        TrainStep(config, weights, sequences=1, tokens=4)
    config, weights = _weights(**GPT2)
    with pytest.raises(UsageError, match="expected at least one of 1 to 32 tokens"):
        TrainStep(config, weights, sequences=1, tokens=33)
    missing = {name: values for name, values in weights.items() if name != "output_norm.bias"}
    with pytest.raises(UsageError, match=r"missing or not known: output_norm\.bias"):
        TrainStep(config, missing, sequences=1, tokens=4)
    with (
        TrainStep(config, weights, sequences=1, tokens=4, threads=1) as step,
        pytest.raises(UsageError, match="no parameter 'w'"),
    ):
        step.parameter("w")
