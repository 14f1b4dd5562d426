"""A training step on a GPU beside the same step on the CPU; what crosses; runs that go on there.

The CPU's step is tested beside PyTorch's. A software driver such as Mesa's lavapipe serves as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from runs import last_files, resumed, trained

from gpu import require_gpu
from rung.backends.webgpu import adapters
from rung.backends.webgpu.backend import WebGpuBackend
from rung.backends.webgpu.gpu import Gpu
from rung.backends.webgpu.readback import Arriving
from rung.errors import BackendError, MemoryLimitError, UsageError
from rung.train.step import AdamW, Tokens, TrainStep
from rung.tuning.gpu import keep_workgroups
from support import GPT2, tiny_checkpoint

B, T = 4, 9
MODELS: dict[str, dict[str, Any]] = {
    "gpt2": GPT2,
    "llama": {"tied_output": False},
    "llama tied": {"tied_output": True, "embedding_scale": 4.0, "post_norms": True},
}


@pytest.fixture(autouse=True, scope="module")
def _gpu() -> None:
    require_gpu()


def _batch(seed: int, sequences: int = B, length: int = T) -> Tokens:
    """Tokens and targets, of which every fourth is missing."""
    rng = np.random.default_rng(seed)
    tokens, targets = rng.integers(0, 300, (2, sequences, length)).astype(np.int32)
    targets[:, 3::4] = -1
    return tokens, targets


@contextmanager
def _steps(model: str, **changes: Any) -> Iterator[tuple[TrainStep, TrainStep]]:
    """A step on the GPU and one on the CPU, from the same weights."""
    checkpoint = tiny_checkpoint(**MODELS[model])
    weights = {name: weight.float32() for name, weight in checkpoint.weights.items()}
    known = {"sequences": B, "tokens": T, "threads": 2, "optimizer": AdamW(weight_decay=0.1)}
    with (
        TrainStep(checkpoint.config, weights, device="webgpu", **(known | changes)) as gpu,
        TrainStep(checkpoint.config, weights, **(known | changes)) as cpu,
    ):
        yield gpu, cpu


def _difference(ours: NDArray[Any], theirs: NDArray[Any], scale: float = 0.0) -> float:
    """The greatest difference as a share of the greatest value; NaN where one is missing."""
    scale = scale or float(np.abs(theirs).max()) or 1.0
    return float(np.abs(ours - theirs).max()) / scale


@pytest.mark.parametrize(
    ("model", "features", "changes"),
    [
        ("gpt2", "", {}),
        ("gpt2", "none", {"chunk_rows": 12, "recompute": True}),
        ("llama", "", {"chunk_rows": 12}),
        ("llama tied", "none", {}),
    ],
)
def test_loss_and_every_gradient_are_the_cpus(
    model: str, features: str, changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNG_GPU_FEATURES", features)
    batch = _batch(1)
    with _steps(model, **changes) as (gpu, cpu):
        expected = cpu.loss_and_gradients(*batch)
        assert gpu.loss_and_gradients(*batch) == pytest.approx(expected, rel=1e-5)
        assert gpu.loss(*batch) == pytest.approx(expected, rel=1e-5)
        assert gpu.norm() == pytest.approx(cpu.norm(), rel=1e-5)
        for name in gpu.names:
            # A bias of all keys has no gradient but rounding: it is held against that of queries.
            scale = np.abs(cpu.gradient(name.replace("attn_k.bias", "attn_q.bias"))).max()
            assert _difference(gpu.gradient(name), cpu.gradient(name), scale) <= 1e-4, name


@pytest.mark.parametrize("model", ["gpt2", "llama tied"])
def test_ten_steps_have_the_cpus_losses(model: str) -> None:
    with _steps(model, sequences=B // 2) as (gpu, cpu):
        for index in range(10):
            batches = [_batch(seed, B // 2) for seed in (index, index + 1)]
            ours, theirs = (
                step.train(batches, learning_rate=1e-3 * (1 + index), clip=0.5)
                for step in (gpu, cpu)
            )
            assert ours == pytest.approx(theirs, rel=1e-4)
        assert gpu.steps == 10
        for name in gpu.names:
            if not name.endswith("attn_k.bias"):  # AdamW makes whole steps of its rounding
                assert _difference(gpu.parameter(name), cpu.parameter(name)) <= 1e-3, name
                pairs = zip(gpu.moments(name), cpu.moments(name), strict=True)
                assert all(_difference(ours, theirs) <= 1e-3 for ours, theirs in pairs), name


def test_sizes_of_workgroups_are_known_from_the_first_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not from when somebody asks for the GPU's limit: shaders would change, and sums."""
    monkeypatch.setenv("RUNG_CACHE", str(tmp_path))
    tuned = {"linear:f32/webgpu=6": 32}
    gpu = Gpu(adapters.find("webgpu"))
    keep_workgroups(gpu, tuned)
    gpu.close()
    checkpoint = tiny_checkpoint(**GPT2)
    weights = {name: weight.float32() for name, weight in checkpoint.weights.items()}
    with TrainStep(checkpoint.config, weights, sequences=1, tokens=8, device="webgpu") as step:
        device = step.device
        assert isinstance(device, WebGpuBackend)
        assert device.workgroups == tuned
        step.prepare()
        compiled = len(device.gpu.shaders)
        step.train([_batch(1, 1, 8)], learning_rate=1e-3)
        assert len(device.gpu.shaders) == compiled


def test_one_token_at_a_time() -> None:
    """For so few, a forward pass for generation would have fused kernels."""
    batch = _batch(2, 1, 1)
    with _steps("llama", sequences=1, tokens=1) as (gpu, cpu):
        expected = cpu.loss_and_gradients(*batch)
        assert gpu.loss(*batch) == pytest.approx(expected, rel=1e-5)
        assert gpu.loss_and_gradients(*batch) == pytest.approx(expected, rel=1e-5)
        assert gpu.norm() == pytest.approx(cpu.norm(), rel=1e-5)


def test_nothing_crosses_but_batch_loss_and_norm(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []
    read: list[int] = []
    told: list[str] = []
    write, submit_and_read, get = Gpu.write, Gpu.submit_and_read, Arriving.get

    def counted_write(self: Gpu, buffer: Any, offset: int, data: NDArray[Any]) -> None:
        written.append(data.nbytes)
        write(self, buffer, offset, data)

    def counted_read(self: Gpu, *arguments: Any, **named: Any) -> Arriving:
        read.append(arguments[-1])
        told.append("asked")
        return submit_and_read(self, *arguments, **named)

    def counted_get(self: Arriving) -> NDArray[np.uint8]:
        told.append("waited")
        return get(self)

    with _steps("gpt2", chunk_rows=12) as (gpu, _):
        gpu.train([_batch(1)], learning_rate=1e-3)
        monkeypatch.setattr(Gpu, "write", counted_write)
        monkeypatch.setattr(Gpu, "submit_and_read", counted_read)
        monkeypatch.setattr(Arriving, "get", counted_get)
        gpu.train([_batch(2)], learning_rate=1e-3)
    rows = 4 * B * T
    assert sorted(written) == [4, 9 * 4, rows, rows, rows]  # of the loss, AdamW's, the batch
    assert read == [4, 2 * 4]
    assert told == ["asked", "asked", "waited", "waited"]


def test_memory_is_what_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNG_GPU_MEMORY", "1M")
    with _steps("gpt2", chunk_rows=12, tokens=32) as (gpu, _):
        gpu.train([_batch(1, B, 32)], learning_rate=1e-3)
        free = gpu.device.free_bytes()
        assert free is not None
        # Besides, there are rows of attention and sums for the norm.
        assert (1 << 20) - free <= 1.1 * sum(gpu.describe().values())


def test_a_run_goes_on_bit_for_bit(tmp_path: Path) -> None:
    changes = {"device": "webgpu", "steps": 5, "grad_accum": 2}
    _, whole = trained(tmp_path, tmp_path / "whole", **changes)
    _, first = trained(tmp_path, tmp_path / "parts", stop_after=2, **changes)
    _, rest = resumed(tmp_path / "parts")
    assert [s.loss for s in first.steps + rest.steps] == [s.loss for s in whole.steps]
    assert last_files(tmp_path / "parts") == last_files(tmp_path / "whole")
    on_cpu = trained(tmp_path, tmp_path / "cpu", **(changes | {"device": "cpu"}))[1]
    assert [s.loss for s in whole.steps] == pytest.approx([s.loss for s in on_cpu.steps], rel=1e-4)


def test_a_spike_is_looked_at_before_the_update(tmp_path: Path) -> None:
    _, kept = trained(tmp_path, tmp_path / "out", device="webgpu", steps=3, skip_spikes=5.0)
    assert all(step.norm is not None for step in kept.steps)


@pytest.mark.parametrize("allowed", ["100K", "200K"])  # weights, or activations, are too much
def test_memory_that_does_not_suffice(
    allowed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNG_GPU_MEMORY", allowed)
    with pytest.raises(MemoryLimitError, match=r"has no room for .*; a smaller --batch-size"):
        trained(tmp_path, tmp_path / "out", device="webgpu")


@pytest.fixture
def small_bindings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU that binds 8 KiB at once: the table of 300 rows of 16 floats lies in three parts."""
    opened = Gpu.__init__

    def small(self: Gpu, adapter: Any) -> None:
        opened(self, adapter)
        self.features = replace(self.features, binding_bytes=8 << 10)

    monkeypatch.setattr(Gpu, "__init__", small)


@pytest.mark.usefixtures("small_bindings")
@pytest.mark.parametrize("model", list(MODELS))
@pytest.mark.parametrize("pins", ["", "embedding_backward=1,square_sums=1,adamw=1"])
def test_weights_larger_than_a_binding(
    model: str, pins: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They lie in parts, as do their gradients and moments."""
    monkeypatch.setenv("RUNG_PIN", pins.replace("=", "/webgpu="))
    known = {"sequences": 2, "tokens": 8, "chunk_rows": 4}
    with _steps(model, **known) as (gpu, cpu):
        table = gpu._parameters.weights["token_embd.weight"]
        for buffer in (table.values, table.gradient, *table.moments):
            assert [part.rows for part in buffer.parts] == [128, 128, 44]
        for seed in (1, 2):
            batches = [_batch(seed + n, 2, 8) for n in (0, 5)]
            losses, norms = zip(
                *(step.train(batches, learning_rate=1e-3, clip=0.5) for step in (gpu, cpu)),
                strict=True,
            )
            assert losses[0] == pytest.approx(losses[1], rel=1e-5)
            assert norms[0] == pytest.approx(norms[1], rel=1e-4)
        for name in gpu.names:
            for ours, theirs in (
                (gpu.parameter(name), cpu.parameter(name)),
                (gpu.moments(name)[0], cpu.moments(name)[0]),
            ):
                # A bias of all keys has no gradient but rounding, which AdamW makes large.
                if not name.endswith("attn_k.bias"):
                    assert _difference(ours, theirs) <= 1e-3, name


@pytest.mark.usefixtures("small_bindings")
def test_an_activation_larger_than_a_binding() -> None:
    told = r"an activation of 32 × 300 values takes .* MiB in one piece: take fewer sequences or"
    with _steps("gpt2", sequences=4, tokens=8) as (gpu, _), pytest.raises(BackendError, match=told):
        gpu.prepare()


@pytest.mark.parametrize("error", [BackendError, MemoryLimitError, KeyboardInterrupt])
def test_what_fails_while_programs_are_made_is_closed(
    error: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[Gpu] = []
    close = Gpu.close

    def fail(step: TrainStep) -> None:
        raise error("no room")

    monkeypatch.setattr(TrainStep, "prepare", fail)
    monkeypatch.setattr(Gpu, "close", lambda gpu: (closed.append(gpu), close(gpu)))
    with pytest.raises(error, match="no room"):
        trained(tmp_path, tmp_path / "out", device="webgpu")
    assert len(closed) == 1


def test_a_gpu_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no webgpu:99"):
        trained(tmp_path, tmp_path / "out", device="webgpu:99")
    assert not (tmp_path / "out").exists()
