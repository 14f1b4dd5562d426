"""Models on several backends: the same tokens wherever layers, caches and single tensors are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rung
from rung.backends.base import HOST
from rung.backends.choose import Devices, open_backends
from rung.backends.sim.backend import SimBackend
from rung.engine.batch import Batch
from rung.engine.draft import draft
from rung.engine.runner import ModelRunner, plan_model
from rung.errors import MemoryLimitError, UsageError
from rung.formats.base import Checkpoint
from rung.schedule.homes import Override, Wishes, parse_layers
from rung.schedule.plan import Plan
from support import tiny_checkpoint

IDS = [1, 17, 5, 99, 2, 64, 3, 130]
LAYERS = 5


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    return tiny_checkpoint(n_layers=LAYERS - 1, tied_output=False)


def _logits(checkpoint: Checkpoint, **options: Any) -> np.ndarray:
    """A prompt, then three steps."""
    runner = plan_model(checkpoint, **({"threads": 2} | options))
    rows = [runner.forward(Batch.one(IDS[:5], rows="all")).copy()]
    for at in range(5, 8):
        rows.append(runner.forward(Batch.one(IDS[at : at + 1], start=at)).copy())
    runner.close()
    return np.concatenate(rows)


@pytest.fixture(scope="module")
def alone(checkpoint: Checkpoint) -> np.ndarray:
    return _logits(checkpoint)


@pytest.mark.parametrize("cache_on", ["device", "host"])
@pytest.mark.parametrize("layers", [*range(LAYERS + 1), "auto", "all"])
def test_any_number_of_layers(
    checkpoint: Checkpoint, alone: np.ndarray, layers: Any, cache_on: Any
) -> None:
    wishes = Wishes(gpu_layers=layers, cache_on=cache_on)
    assert np.array_equal(_logits(checkpoint, device="sim", wishes=wishes), alone)


@pytest.mark.parametrize("spec", ["refuse=attention", "refuse=linear|rms_norm", "reads_host=yes"])
@pytest.mark.parametrize("layers", [2, "all"])
def test_what_a_device_cannot_do_stays_on_the_host(
    checkpoint: Checkpoint,
    alone: np.ndarray,
    layers: Any,
    spec: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RUNG_SIM", spec)
    wishes = Wishes(gpu_layers=layers)
    assert np.array_equal(_logits(checkpoint, device="sim", wishes=wishes), alone)


@pytest.mark.parametrize(
    "overrides",
    [
        ("ffn_down=cpu",),
        (r"blk\.0\.attn_q\.weight=sim", "output.weight=sim"),
        ("attn=sim", r"blk\.1\.=cpu"),
        ("norm=cpu",),
    ],
)
@pytest.mark.parametrize("layers", [0, 3, "all"])
def test_single_tensors_elsewhere(
    checkpoint: Checkpoint, alone: np.ndarray, layers: Any, overrides: tuple[str, ...]
) -> None:
    parsed = tuple(Override.parse(text) for text in overrides)
    wishes = Wishes(gpu_layers=layers, overrides=parsed)
    assert np.array_equal(_logits(checkpoint, device="sim", wishes=wishes), alone)
    drafted = draft(checkpoint, [1], device="sim", threads=1, wishes=wishes)
    by_weight = {
        tensor.name: placement.backend.name
        for node, placement in drafted.plans[1].placed.items()
        for tensor in node.tensors
        if tensor.role == "weight" and node.op.name == "linear"
    }
    for override in parsed[-1:]:
        for name, backend in by_weight.items():
            if override.pattern.search(name):
                assert backend == override.backend


@pytest.mark.parametrize("matrices", ["q8_0", "q4_k", "f16"])
def test_quantised_models(matrices: str) -> None:
    model = tiny_checkpoint(matrices=matrices, dim=256, hidden_dim=256, n_layers=2)
    expected = _logits(model)
    for layers in (1, 2, 3):
        wishes = Wishes(gpu_layers=layers)
        assert np.array_equal(_logits(model, device="sim", wishes=wishes), expected)


def test_greedy_text_with_half_the_layers_on_a_device(data_folder: Path) -> None:
    golden = (data_folder / "stories260K_greedy_200.txt").read_text(encoding="utf-8")
    for layers, cache_on in ((0, "device"), (3, "device"), (3, "host"), ("all", "device")):
        with rung.load(
            data_folder / "stories260K.bin",
            device="sim",
            gpu_layers=layers,
            cache_on=cache_on,
            threads=2,
        ) as model:
            text = model.generate(temperature=0, max_tokens=200).complete().text
        assert golden.strip().startswith(text.strip()[:400])
        assert len(text) > 400


def _least_copies(plan: Plan) -> list[tuple[str, str, int]]:
    """What must cross at least: each value that a node reads in a memory that lacks it, once."""
    made_in: dict[str, str] = {}
    sizes = {}
    for tensor in plan.problem.graph.tensors.values():
        if tensor.role == "input":
            made_in[tensor.name] = HOST
        sizes[tensor.name] = plan.problem.size_bytes(tensor)
    needed = set()
    for node in plan.problem.graph.nodes:
        if node.output.root.role == "activation":
            made_in[node.output.root.name] = plan.placed[node].backend.memory
    for node in plan.problem.graph.nodes:
        there = plan.placed[node].backend.memory
        needed |= {
            (tensor.root.name, there)
            for tensor in node.tensors
            if tensor.root.role in ("input", "activation") and made_in[tensor.root.name] != there
        }
    needed |= {
        (tensor.root.name, HOST)
        for tensor in plan.problem.graph.outputs
        if made_in[tensor.root.name] != HOST
    }
    return sorted((name, memory, sizes[name]) for name, memory in needed)


@pytest.fixture
def half(checkpoint: Checkpoint) -> Iterator[tuple[ModelRunner, SimBackend]]:
    runner = plan_model(checkpoint, device="sim", threads=1, wishes=Wishes(gpu_layers=3))
    sim = runner.backends[0]
    assert isinstance(sim, SimBackend)
    yield runner, sim
    runner.close()


def test_a_token_copies_the_least(half: tuple[ModelRunner, SimBackend]) -> None:
    runner, sim = half
    runner.forward(Batch.one(IDS[:5]))
    sim.counters.clear()
    runner.forward(Batch.one(IDS[5:6], start=5))
    least = _least_copies(runner.executor.plan(1))
    config = runner.config
    # By hand: the stream, angles, positions, slots and rows go there, the logits come back.
    angles = config.head_dim // 2 * 2 * 4
    assert sorted(size for _, memory, size in least if memory == "sim") == sorted(
        [config.dim * 4, angles, 4, 4, 4]
    )
    assert (sim.counters.writes, sim.counters.reads) == (5, 1)
    assert sim.counters.written_bytes == sum(size for _, to, size in least if to == "sim")
    assert sim.counters.read_bytes == sum(size for _, to, size in least if to == HOST)
    assert sim.counters.read_bytes == config.vocab_size * 4
    assert sim.counters.submits == 1


@pytest.mark.parametrize("cache_on", ["device", "host"])
@pytest.mark.parametrize("layers", range(LAYERS + 1))
def test_every_plan_copies_the_least(checkpoint: Checkpoint, layers: int, cache_on: Any) -> None:
    wishes = Wishes(gpu_layers=layers, cache_on=cache_on)
    for tokens, plan in draft(
        checkpoint, [1, 8], device="sim", threads=1, wishes=wishes
    ).plans.items():
        copied = sorted(
            (copy.tensor.name, copy.target.memory, plan.problem.size_bytes(copy.tensor))
            for copy in plan.copies
        )
        assert copied == _least_copies(plan), tokens


def test_a_large_batch_takes_weights_along(
    checkpoint: Checkpoint, alone: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A device that is fast, and reached fast, takes products of a prompt, not of a step."""
    monkeypatch.setenv("RUNG_SIM", "offload_from=4,latency_us=0.000001,copy_gbs=100000")
    wishes = Wishes(gpu_layers=0)
    assert np.array_equal(_logits(checkpoint, device="sim", wishes=wishes), alone)
    plans = draft(checkpoint, [1, 5], device="sim", threads=1, wishes=wishes).plans
    assert {p.backend.name for p in plans[1].placed.values()} == {"cpu"}
    moved = [node for node, p in plans[5].placed.items() if p.cause.startswith("offload")]
    assert {node.op.name for node in moved} == {"linear"}
    assert any(copy.tensor.role == "weight" for copy in plans[5].copies)


def test_auto_takes_what_fits_and_says_so(
    checkpoint: Checkpoint, alone: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    layers = []
    for memory in ("1K", "30K", "50K", "70K", "90K", "1M"):
        monkeypatch.setenv("RUNG_SIM", f"memory={memory}")
        assert np.array_equal(_logits(checkpoint, device="sim"), alone)
        runner = plan_model(checkpoint, device="sim", threads=1)
        on_device = {
            tensor.name.split(".")[1]
            for tensor, home in runner.executor.homes.items()
            if home.backend.name == "sim" and tensor.name.startswith("blk")
        }
        layers.append(len(on_device))
        assert bool(runner.notes) == (memory != "1M")
        runner.close()
    assert layers == sorted(layers)
    assert layers[0] == 0
    assert layers[-1] == LAYERS - 1


def test_a_fixed_number_of_layers_that_does_not_fit(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNG_SIM", "memory=20K")
    with pytest.raises(MemoryLimitError, match="--gpu-layers auto takes what fits"):
        plan_model(checkpoint, device="sim", threads=1, wishes=Wishes(gpu_layers="all"))


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        (Wishes(gpu_layers=LAYERS + 1), "this model has 5: 4 blocks and the output"),
        (Wishes(overrides=(Override.parse("nothing=cpu"),)), "matches no weight"),
        (Wishes(overrides=(Override.parse("ffn=gpu"),)), "no backend 'gpu' is in use"),
    ],
)
def test_wishes_that_cannot_be_met(checkpoint: Checkpoint, wishes: Wishes, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        plan_model(checkpoint, device="sim", threads=1, wishes=wishes)


@pytest.mark.parametrize("text", ["", "a", "=cpu", "a=", "(=cpu"])
def test_overrides_that_are_none(text: str) -> None:
    with pytest.raises(UsageError, match="override"):
        Override.parse(text)


@pytest.mark.parametrize("text", ["-1", "some", "1.5", ""])
def test_layers_that_are_no_number(text: str) -> None:
    with pytest.raises(UsageError, match="--gpu-layers"):
        parse_layers(text)


@pytest.mark.parametrize(
    "spec", ["memory=x", "refuse=atention", "what=1", "copy_gbs=0", "reads_host=perhaps", "x"]
)
def test_a_sim_that_cannot_be(spec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNG_SIM", spec)
    with pytest.raises(UsageError, match="RUNG_SIM"):
        open_backends(Devices(device="sim", threads=1))
