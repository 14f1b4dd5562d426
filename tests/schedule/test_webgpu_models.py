"""Models on a GPU: the same logits and text wherever layers, caches and single tensors are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import plain
import rung
from gguf_models import FAMILIES
from gpu import require_gpu
from rung.backends.webgpu import gpu as gpu_module
from rung.backends.webgpu import memory as gpu_memory
from rung.backends.webgpu import opening
from rung.backends.webgpu.backend import WebGpuBackend
from rung.backends.webgpu.gpu import Gpu
from rung.backends.webgpu.memory import GpuBuffer
from rung.backends.webgpu.objects import object_counts
from rung.engine.batch import Batch
from rung.engine.draft import draft
from rung.engine.runner import ModelRunner, default_cache_type, plan_model
from rung.errors import BackendError, MemoryLimitError, UsageError
from rung.formats.base import Checkpoint
from rung.registry import OPS
from rung.schedule.homes import Override, Wishes
from support import GPT2, tiny_checkpoint

IDS = [1, 17, 5, 99, 2, 64, 3, 130]
LAYERS = 5


@pytest.fixture(autouse=True, scope="module")
def needs_gpu() -> None:
    require_gpu()


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    return tiny_checkpoint(n_layers=LAYERS - 1, tied_output=False)


def _planned(checkpoint: Checkpoint, **options: Any) -> ModelRunner:
    return plan_model(checkpoint, **({"threads": 1, "device": "webgpu"} | options))


def _logits(checkpoint: Checkpoint, **options: Any) -> np.ndarray:
    """A prompt, then three steps."""
    runner = _planned(checkpoint, **options)
    rows = [runner.forward(Batch.one(IDS[:5], rows="all")).copy()]
    for at in range(5, 8):
        rows.append(runner.forward(Batch.one(IDS[at : at + 1], start=at)).copy())
    runner.close()
    return np.concatenate(rows)


def _expected(checkpoint: Checkpoint) -> np.ndarray:
    return plain.logits(checkpoint.config, checkpoint.weights, IDS)


def _check(found: np.ndarray, checkpoint: Checkpoint, within: float = 1e-4) -> None:
    np.testing.assert_allclose(found, _expected(checkpoint), rtol=within, atol=within)


WISHES = [
    Wishes(gpu_layers="all"),
    Wishes(gpu_layers=2),
    Wishes(gpu_layers=0),
    Wishes(gpu_layers=3, cache_on="host"),
    Wishes(gpu_layers="all", overrides=(Override.parse("ffn_down=cpu"),)),
    Wishes(gpu_layers=1, overrides=(Override.parse(r"blk\.0\.attn_q\.weight=webgpu"),)),
]


@pytest.mark.parametrize("wishes", WISHES, ids=str)
def test_layers_caches_and_tensors_anywhere(checkpoint: Checkpoint, wishes: Wishes) -> None:
    _check(_logits(checkpoint, wishes=wishes), checkpoint)


@pytest.mark.parametrize("refused", ["attention", "swiglu", "rms_norm", "embedding"])
def test_what_a_gpu_cannot_do_stays_on_the_host(
    checkpoint: Checkpoint, refused: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    supports = WebGpuBackend.supports
    monkeypatch.setattr(
        WebGpuBackend,
        "supports",
        lambda self, node: node.op.name != refused and supports(self, node),
    )
    _check(_logits(checkpoint, wishes=Wishes(gpu_layers="all")), checkpoint)


@pytest.mark.parametrize("layers", [1, "all"])
def test_a_gpt2(layers: Any) -> None:
    model = tiny_checkpoint(**GPT2)
    _check(_logits(model, wishes=Wishes(gpu_layers=layers)), model)


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family(name: str) -> None:
    model = tiny_checkpoint(**FAMILIES[name])
    _check(_logits(model), model, within=1e-3)


@pytest.mark.parametrize("matrices", ["q8_0", "q4_0", "q4_k", "f16"])
@pytest.mark.parametrize("layers", [1, "all"])
def test_quantised_models_with_float32_activations(matrices: str, layers: Any) -> None:
    """The host's layers take float32, too, so that results are the same."""
    model = tiny_checkpoint(matrices=matrices, dim=256, hidden_dim=256, n_layers=2)
    found = _logits(model, wishes=Wishes(gpu_layers=layers), cache_type="f32")
    _check(found, model, within=1e-3)


@pytest.mark.parametrize("features", ["-f16", "-subgroups", "none"])
def test_without_features(features: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNG_GPU_FEATURES", features)
    model = tiny_checkpoint(matrices="q8_0", dim=32, hidden_dim=64, n_layers=1)
    _check(_logits(model), model, within=1e-3 if "-s" not in features else 1e-2)


def test_the_defaults_with_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_checkpoint(matrices="q8_0", dim=32, hidden_dim=64, n_layers=1)
    assert default_cache_type(model) == "f16"
    runner = _planned(model)
    assert runner.activations == "float32"
    assert runner.cache_type == ("f16" if runner.backends[0].takes_f16 else "f32")
    plan = runner.executor.plan(1)
    assert {stage.engine.name for stage in plan.stages} == {"webgpu"}
    runner.close()
    monkeypatch.setenv("RUNG_GPU_FEATURES", "-f16")
    runner = _planned(model)
    assert runner.cache_type == "f32"
    runner.close()
    for activations in ("int8", "bfloat16"):
        with pytest.raises(UsageError, match="GPUs multiply float32"):
            _planned(model, activations=activations)


def test_the_golden_text_on_a_gpu_and_on_half_of_it(data_folder: Path) -> None:
    golden = (data_folder / "stories260K_greedy_200.txt").read_text(encoding="utf-8").strip()
    for layers, cache_on, length in (("all", "device", 200), (3, "device", 60), (3, "host", 60)):
        with rung.load(
            data_folder / "stories260K.bin",
            device="webgpu",
            gpu_layers=layers,
            cache_on=cache_on,
            threads=1,
        ) as model:
            text = model.generate(temperature=0, max_tokens=length).complete().text.strip()
        assert golden.startswith(text[: len(golden)])
        assert len(text) > 2 * length


# ── predictions, profiles ────────────────────────────────────────────────────────────────────────


@pytest.fixture
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RUNG_CACHE", str(tmp_path))
    return tmp_path


def test_a_plan_takes_the_gpus_speeds_from_the_file(
    checkpoint: Checkpoint, cache_folder: Path
) -> None:
    wishes = Wishes(gpu_layers="all")
    first = draft(checkpoint, [1], device="webgpu", threads=1, wishes=wishes).plans[1]
    assert 1e-6 < first.seconds < 10
    [(name, speeds)] = json.loads((cache_folder / "gpus.json").read_text())["machines"].items()
    assert "vulkan" in name or "metal" in name or "dx12" in name
    # Made slower by hand: what is kept is what counts.
    speeds["dispatch_s"] = 1.0
    (cache_folder / "gpus.json").write_text(
        json.dumps({"version": 1, "machines": {name: speeds}}), encoding="utf-8"
    )
    second = draft(checkpoint, [1], device="webgpu", threads=1, wishes=wishes).plans[1]
    nodes = len(second.problem.graph.nodes)
    assert second.seconds == pytest.approx(nodes, rel=0.1)
    speeds["gops"] = {}
    (cache_folder / "gpus.json").write_text(
        json.dumps({"version": 1, "machines": {name: speeds}}), encoding="utf-8"
    )
    assert draft(checkpoint, [1], device="webgpu", threads=1).plans[1].seconds < 10


@pytest.mark.parametrize("stamps", [True, False])
def test_a_profile_has_the_gpus_times(
    checkpoint: Checkpoint, stamps: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not stamps:
        has = opening._WANTED | {"timestamps": ("no-such-feature",)}
        monkeypatch.setattr(opening, "_WANTED", has)
    from rung.schedule.profile.runs import Profile

    runner = _planned(checkpoint, wishes=Wishes(gpu_layers=2))
    runner.profile = Profile()
    runner.forward(Batch.one(IDS[:5], rows="all"))
    [run] = runner.profile.runs
    on_gpu = [stage for stage in run.stages if stage.facts.engine == "webgpu"]
    assert on_gpu
    for stage in on_gpu:
        [track] = stage.recording.tracks
        assert set(track.steps.tolist()) <= set(range(len(stage.facts.steps)))
        assert (track.ends_ns >= track.starts_ns).all()
        assert (track.starts_ns[1:] >= track.ends_ns[:-1]).all()
        assert stage.start_ns <= track.entered_ns
        assert track.left_ns <= stage.end_ns
        assert 0 < track.busy_ns <= stage.end_ns - stage.start_ns
    runner.forward(Batch.one(IDS[5:6], start=5))
    for tokens, summary in zip((5, 1), runner.profile.runs, strict=True):
        for stage in summary.stages:
            if stage.facts.engine == "webgpu":
                names = {name for at, (_, name) in enumerate(stage.done)
                         if at in stage.recording.tracks[0].steps}  # fmt: skip
                # What ran: kernels for this number of tokens, fused ones where there are any.
                assert names <= {kernel.name for op in OPS.values() for kernel in op.kernels
                                 if kernel.takes(tokens)}  # fmt: skip
    assert "webgpu=" in str(runner.profile.summary())
    runner.close()


def test_a_fused_step_stands_for_its_neighbors() -> None:
    from rung.schedule.profile.runs import Profile

    runner = _planned(tiny_checkpoint(n_layers=1))
    runner.profile = Profile()
    runner.forward(Batch.one(IDS[:1]))
    [stage] = runner.profile.runs[0].stages
    [track] = stage.recording.tracks
    done = {name.partition("/")[0]: step.node for at, (step, name) in enumerate(stage.done)
            if at in track.steps}  # fmt: skip
    assert done["norm_mlp"].op.name == "norm_mlp"
    assert "norm_mlp/webgpu=1" in str(runner.profile.summary())
    runner.close()


def test_more_dispatches_than_a_set_of_stamps_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them run, in passes of a few."""
    monkeypatch.setattr(gpu_module, "_MOST_STAMPS", 8)
    from rung.schedule.profile.runs import Profile

    model = tiny_checkpoint()
    runner = _planned(model)
    runner.profile = Profile()
    found = runner.forward(Batch.one(IDS, rows="all")).copy()
    _check(found, model)
    [stage] = runner.profile.runs[0].stages
    [track] = stage.recording.tracks
    assert len(track.steps) > 16
    assert (np.diff(track.starts_ns) >= 0).all()
    runner.close()


# ── memory ───────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def small_bindings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU whose bindings hold 16 KiB."""
    from dataclasses import replace

    opened = Gpu.__init__

    def small(self, adapter):
        opened(self, adapter)
        self.features = replace(self.features, binding_bytes=16 << 10)

    monkeypatch.setattr(Gpu, "__init__", small)


@pytest.mark.usefixtures("small_bindings")
@pytest.mark.parametrize("matrices", ["f32", "q8_0"])
def test_weights_in_several_bindings(matrices: str) -> None:
    """An output and a table of 1000 rows, in parts of 64 or more."""
    shape = {"vocab_size": 1000, "dim": 32, "n_layers": 1, "tied_output": False}
    model = tiny_checkpoint(matrices=matrices, hidden_dim=64, **shape)
    runner = _planned(model, wishes=Wishes(gpu_layers="all"), cache_type="f32")
    parts = {
        tensor.name: len(buffer.parts)
        for (tensor, memory), buffer in runner.executor._resident.items()
        if memory == "webgpu" and tensor.role == "weight"
    }
    assert parts["token_embd.weight"] > 1
    assert parts["output.weight"] > 1
    # Logits of all tokens fit a binding, too: 4 rows of 1000 floats.
    assert runner.max_tokens == 4
    for buffer in runner.executor.compiled(4).memories[0].values():
        if buffer.type.name == "f32" and isinstance(buffer, GpuBuffer) and len(buffer.parts) == 1:
            assert buffer.size_bytes <= 16 << 10
    found = [runner.forward(Batch.one(IDS[at : at + 4], start=at, rows="all")).copy()
             for at in (0, 4)]  # fmt: skip
    runner.close()
    _check(np.concatenate(found), model, within=1e-3)


@pytest.mark.usefixtures("small_bindings")
def test_keys_and_values_that_no_binding_holds() -> None:
    model = tiny_checkpoint(context_length=1500)
    with pytest.raises(BackendError, match=r"smaller --context, fewer slots.* --cache-on host"):
        _planned(model)
    runner = _planned(model, wishes=Wishes(cache_on="host"))
    found = runner.forward(Batch.one(IDS, rows="all"))
    _check(found, model)
    runner.close()


def test_uploads_go_in_chunks(checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """Staging memory stays bounded, and a callback tells how far it is."""
    monkeypatch.setattr(gpu_module, "CHUNK_BYTES", 1024)
    monkeypatch.setattr(gpu_memory, "CHUNK_BYTES", 1024)
    told: list[tuple[int, int, str]] = []
    runner = _planned(
        checkpoint,
        wishes=Wishes(gpu_layers="all"),
        on_upload=lambda done, total, name: told.append((done, total, name)),
    )
    _check(runner.forward(Batch.one(IDS, rows="all")), checkpoint)
    runner.close()
    done = [bytes_done for bytes_done, _, _ in told]
    assert done == sorted(done)
    assert done[0] == 0
    assert told[-1][:2] == (checkpoint.size_bytes, checkpoint.size_bytes)


def test_what_does_not_fit_stays_on_the_host(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNG_GPU_MEMORY", "100K")
    with pytest.raises(MemoryLimitError, match=r"no room for .* RUNG_GPU_MEMORY allows"):
        _planned(checkpoint, wishes=Wishes(gpu_layers="all"))
    # Neither when WebGPU could tell …
    _check(_logits(checkpoint), checkpoint)
    # … nor when it only refuses.
    monkeypatch.setattr(WebGpuBackend, "free_bytes", lambda self: None)
    runner = _planned(checkpoint)
    assert any("layers fit the memory of webgpu" in line for line in runner.notes)
    _check(runner.forward(Batch.one(IDS, rows="all")), checkpoint)
    runner.close()


@pytest.mark.parametrize("ahead", ["0", "1"])
def test_auto_has_room_for_what_one_token_needs(
    ahead: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some tensors of a run of one token have memory of their own, as does running ahead."""
    monkeypatch.setenv("RUNG_GPU_AHEAD", ahead)
    checkpoint = tiny_checkpoint(n_layers=3, qk_norm=True)
    runner = _planned(checkpoint)
    backend = runner.backends[0]
    assert isinstance(backend, WebGpuBackend)
    whole = backend.gpu.used_bytes
    runner.close()
    monkeypatch.setattr(WebGpuBackend, "free_bytes", lambda self: None)  # no estimate
    monkeypatch.setenv("RUNG_GPU_MEMORY", str(whole - 16))
    runner = _planned(checkpoint)
    assert any("layers fit the memory of webgpu" in line for line in runner.notes)
    _check(runner.forward(Batch.one(IDS, rows="all")), checkpoint)
    runner.close()


def test_a_limit_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNG_GPU_MEMORY", "much")
    with pytest.raises(UsageError, match="RUNG_GPU_MEMORY"):
        WebGpuBackend()


def test_prompts_of_all_lengths_share_what_is_bound() -> None:
    """A new length costs commands, which are small; a bind group has memory of the driver."""
    runner = _planned(tiny_checkpoint(n_layers=1))
    for length in (9, 17):  # few tokens and many: each has its kernels
        runner.forward(Batch.one((IDS * 3)[:length]))
    before = object_counts()["bindGroups"]
    for length in (10, 12, 18, 20):
        runner.forward(Batch.one((IDS * 3)[:length]))
    assert object_counts()["bindGroups"] == before
    runner.close()
