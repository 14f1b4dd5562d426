"""`rung tune` of a GPU, and what it cannot be asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gpu import require_gpu
from rung.tuning import workgroups


@pytest.fixture(autouse=True)
def _small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNG_CACHE", str(tmp_path))
    monkeypatch.setattr(workgroups, "_MATRICES", ({"N": 64, "K": 64},))


def test_a_gpu(command_line, tmp_path: Path):
    require_gpu()
    words = ("tune", "--device", "webgpu", "--types", "i8")
    result = command_line(*words)
    assert (result.exit_code, "linear:i8/webgpu=" in result.out) == (0, True)
    assert f"kept in {tmp_path / 'workgroups.json'}" in result.err
    assert (tmp_path / "gpus.json").exists()
    found = json.loads(command_line(*words, "--json").out)
    assert found["speeds"]["copy_gbs"] > 0
    assert all(name.startswith("linear:i8/webgpu=") for name in found["workgroups"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--device", "sim"), "nothing of sim can be measured; rung tune is for cpu and for GPUs"),
        (("--device", "webgpu", "--threads", "2"), "--threads and --blas are for the CPU"),
        (("--device", "webgpu", "--types", "i3"), "no weights of type 'i3'"),
        (("--device", "tpu"), "expected one of cpu, webgpu"),
    ],
)
def test_what_cannot_be(command_line, words, message):
    if "webgpu" in words:
        require_gpu()
    result = command_line("tune", *words)
    assert (result.exit_code, result.err.count("\n")) == (2, 1)
    assert message in result.err
