"""check-gpt2 beside PyTorch's figures: all is well, and whatever is made wrong is noticed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from gpu import require_gpu
from rung.errors import FormatError, UsageError
from rung.formats.llmc import state as llmc_state
from rung.formats.llmc import write as llmc_write
from rung.formats.llmc.layout import plain_config
from rung.train.check import LEARNING_RATE, check, compared
from rung.train.initial import initial_checkpoint

torch = pytest.importorskip("torch")

from torch_model import mean_loss, parameters  # noqa: E402

B, T, STEPS = 2, 12, 10


class Files(NamedTuple):
    """A model, its state, and the losses of ten steps; and what was written, to write it wrong."""

    model: Path
    state: Path
    losses: list[float]
    config: Any
    parts: dict[str, Any]

    def write(self, **changes: Any) -> None:
        """Writes the state with some parts changed."""
        llmc_state.write(self.state, self.config, **(self.parts | changes))


def reference_logits(config: Any, weights: Any, x: Any) -> Any:
    """The logits that torch_model's decoder makes its loss of."""
    captured: list[Any] = []
    cross_entropy = torch.nn.functional.cross_entropy
    torch.nn.functional.cross_entropy = lambda logits, *_, **__: captured.append(logits)
    try:
        mean_loss(config, weights, x, x)
    finally:
        torch.nn.functional.cross_entropy = cross_entropy
    return captured[0].detach().numpy().reshape(*x.shape, -1)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """A small GPT-2 in float32 by PyTorch."""
    folder = tmp_path_factory.mktemp("gpt2")
    config = plain_config(dim=32, n_layers=2, n_heads=4, vocab_size=70, context_length=16)
    checkpoint = initial_checkpoint(config, seed=5)
    llmc_write.write(folder / "model.bin", checkpoint)
    weights = parameters({n: w.float32() for n, w in checkpoint.weights.items()})
    rng = np.random.default_rng(3)
    x, y = (rng.integers(0, 70, (B, T)).astype(np.int32) for _ in range(2))
    tokens, targets = torch.tensor(x).long(), torch.tensor(y).long()
    logits = reference_logits(config, weights, tokens)
    optimizer = torch.optim.AdamW(
        weights.values(), lr=LEARNING_RATE, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0
    )
    losses, gradients = [], {}
    for step in range(STEPS):
        optimizer.zero_grad()
        loss = mean_loss(config, weights, tokens, targets)
        loss.backward()
        losses.append(loss.item())
        if not step:
            gradients = {n: p.grad.numpy().copy() for n, p in weights.items()}
        optimizer.step()
    parts = {"x_BT": x, "y_BT": y, "logits_BTV": logits, "loss": losses[0], "gradients": gradients}
    return Files(folder / "model.bin", folder / "state.bin", losses, config, parts)


@pytest.mark.parametrize("device", ["cpu", "webgpu"])
def test_all_is_well(files: Files, device: str) -> None:
    if device == "webgpu":
        require_gpu()
    files.write()
    found = check(files.model, files.state, losses=files.losses, device=device, threads=1)
    assert [row.name for row in found if not row.ok] == []
    names = [row.name for row in found]
    assert names[:2] == ["logits", "loss"]
    assert len(names) == 2 + 16 + STEPS
    # Much closer than what is allowed.
    assert all(row.difference < row.tolerance / 5 for row in found if row.difference is not None)


def _wrong(files: Files, name: str, change: Callable[[Any], Any]) -> dict[str, Any]:
    gradients = files.parts["gradients"]
    return {"gradients": gradients | {name: change(gradients[name])}}


def _off_by_a_little(values: Any) -> Any:
    changed = values.copy()
    changed.flat[-1] += 5e-4 * np.abs(values).max()
    return changed


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("blk.1.ffn_up.weight", "dfcw"),
        ("blk.0.attn_q.weight", "dqkvw"),
        ("position_embd.weight", "dwpe"),
        ("output_norm.bias", "dlnfb"),
    ],
)
def test_a_wrong_gradient_is_noticed(files: Files, name: str, row: str) -> None:
    files.write(**_wrong(files, name, _off_by_a_little))
    found = check(files.model, files.state, losses=files.losses, threads=1)
    wrong = {r.name: r for r in found if not r.ok}
    assert list(wrong) == [row]
    assert name in wrong[row].place


def test_wrong_logits_losses_and_values_that_are_no_numbers_are_noticed(files: Files) -> None:
    logits = files.parts["logits_BTV"].copy()
    logits[1, 3, 5] = np.nan
    nan = _wrong(files, "blk.1.ffn_up.bias", lambda values: np.full_like(values, np.nan))
    files.write(logits_BTV=logits, loss=files.losses[0] * 1.0001, **nan)
    losses = [*files.losses[:-1], files.losses[-1] * 1.01]
    found = check(files.model, files.state, losses=losses, threads=1)
    wrong = {row.name: row for row in found if not row.ok}
    assert list(wrong) == ["logits", "loss", "dfcb", "loss of step 10"]
    assert wrong["logits"].place == "logits [1, 3, 5]"


def test_without_losses_only_the_first_is_compared(files: Files) -> None:
    files.write()
    found = check(files.model, files.state, steps=3, threads=1)
    assert [row.difference is None for row in found[-3:]] == [False, True, True]
    assert all(row.ok for row in found)


def test_mistakes(files: Files, tmp_path: Path) -> None:
    files.write()
    with pytest.raises(UsageError, match="--losses are 2 numbers, expected one for each of 10"):
        check(files.model, files.state, losses=[1.0, 2.0])
    with pytest.raises(FormatError, match="magic"):
        check(files.model, files.model)
    data = files.state.read_bytes()
    (tmp_path / "cut.bin").write_bytes(data[:-4])
    with pytest.raises(FormatError, match="4 missing"):
        check(files.model, tmp_path / "cut.bin")


def test_the_worst_place_of_several_parts() -> None:
    one = np.ones((2, 2), np.float32)
    half = one + np.float32(0.5) * np.eye(2, dtype=np.float32)
    row = compared("x", {"a": (one, one), "b": (half, 2 * one)}, 0.1)
    assert (row.difference, row.ok, row.place) == (0.5, False, "b [0, 1]")
