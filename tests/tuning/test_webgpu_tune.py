"""`rung tune --device webgpu`: sizes of workgroups are measured, kept, and used by programs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from gpu import require_gpu
from rung.backends.webgpu.backend import WebGpuBackend
from rung.engine.batch import Batch
from rung.engine.runner import plan_model
from rung.errors import MemoryLimitError
from rung.registry import Kernel
from rung.tuning import workgroups
from rung.tuning.gpu import keep_workgroups, speeds_of, workgroups_of, workgroups_path
from rung.tuning.workgroups import Sweep, sweep
from support import tiny_checkpoint

IDS = [1, 40, 41, 42, 43]


@pytest.fixture(autouse=True)
def _small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require_gpu()
    monkeypatch.setenv("RUNG_CACHE", str(tmp_path))
    monkeypatch.setattr(workgroups, "_MATRICES", ({"N": 64, "K": 64}, {"N": 32, "K": 128}))


@pytest.fixture
def backend() -> Iterator[WebGpuBackend]:
    found = WebGpuBackend()
    yield found
    found.close()


def test_every_size_is_measured(backend: WebGpuBackend) -> None:
    told: list[str] = []
    swept = sweep(
        backend,
        types=["i8", "f16"],
        budget_s=60,
        progress=lambda done, total, name: told.append(name),
    )
    assert {name.partition(":")[2].partition("/")[0] for name in swept.sweeps} == {"i8", "f16"}
    assert told == [*swept.sweeps, ""]
    assert not swept.left_out
    for found in swept.sweeps.values():
        assert {32, 64, 128, found.own} <= found.seconds.keys()
        assert min(found.seconds.values()) > 0
        assert found.best in found.seconds
    assert backend.workgroups == {}


def test_a_kernel_of_any_tokens_is_measured_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the one of a GPU without subgroups, which takes one token and several."""
    monkeypatch.setenv("RUNG_GPU_FEATURES", "-subgroups")
    measured: list[tuple[str, int]] = []

    def noted(backend: WebGpuBackend, kernel: Kernel, kind: str, tokens: int) -> Sweep:
        measured.append((kernel.name, tokens))
        return Sweep(64, {64: 1.0})

    monkeypatch.setattr(workgroups, "_sweep", noted)
    backend = WebGpuBackend()
    sweep(backend, types=["i8", "f16"], budget_s=60)
    backend.close()
    assert measured == [("linear:i8/webgpu=3", 1), ("linear:f16/webgpu=3", 1)]


def test_no_time_is_told(backend: WebGpuBackend) -> None:
    swept = sweep(backend, types=["i8"], budget_s=-1)
    assert not swept.sweeps
    assert all("linear:i8/webgpu=" in name for name in swept.left_out)
    assert swept.left_out


def test_the_own_size_stays_where_others_are_hardly_faster() -> None:
    assert Sweep(64, {32: 0.98, 64: 1.0, 128: 2.0}).best == 64
    assert Sweep(64, {32: 0.9, 64: 1.0, 128: 2.0}).best == 32


def test_no_room_to_measure_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNG_GPU_MEMORY", "20M")
    backend = WebGpuBackend()
    with pytest.raises(MemoryLimitError, match=r"no room .* without RUNG_GPU_MEMORY does it"):
        speeds_of(backend.gpu)
    backend.close()


def test_sizes_are_kept_by_adapter(backend: WebGpuBackend) -> None:
    gpu = backend.gpu
    assert workgroups_of(gpu) == {}
    keep_workgroups(gpu, {"linear:i8/webgpu=4": 64, "linear:f16/webgpu=4": 32})
    keep_workgroups(gpu, {"linear:i8/webgpu=4": 256})
    assert workgroups_of(gpu) == {"linear:i8/webgpu=4": 256, "linear:f16/webgpu=4": 32}
    [(name, sizes)] = json.loads(workgroups_path().read_text())["machines"].items()
    assert gpu.adapter.name in name
    for wrong in (16, 48, 2048, "64", 0, None):
        sizes["linear:f16/webgpu=4"] = wrong
        content = {"version": 1, "machines": {name: sizes}}
        workgroups_path().write_text(json.dumps(content), encoding="utf-8")
        assert workgroups_of(gpu) == {}


def test_programs_use_them() -> None:
    """The size is in the shader, and the logits are the same but for the order of sums."""
    logits = []
    for size in (None, 32, 256):
        runner = plan_model(tiny_checkpoint(matrices="f16"), device="webgpu")
        backend = runner.backends[0]
        assert isinstance(backend, WebGpuBackend)
        nodes = [n for n in runner.executor.graph.nodes if n.op.name == "linear"]
        kernel = backend.kernel(nodes[0], 1)
        if size is None:
            own = kernel.options["workgroup"]
            keep_workgroups(backend.gpu, {kernel.name: 32})
        else:
            assert kernel.options["workgroup"] == size != own
            keep_workgroups(backend.gpu, {kernel.name: 256})
        texts = [
            found.text
            for found, pipeline in backend.gpu.shaders._pipelines.items()
            if pipeline.kernel == kernel.name
        ]
        assert texts
        wanted = size or own
        assert all(f"const THREADS: u32 = {wanted}u;" in text for text in texts)
        logits.append(np.array(runner.forward(Batch.one(IDS[:1]))))
        runner.close()
    np.testing.assert_allclose(logits[1], logits[0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(logits[2], logits[0], rtol=1e-4, atol=1e-5)
