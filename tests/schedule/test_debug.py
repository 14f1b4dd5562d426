"""RUNG_SCHED_DEBUG: plans once, runs at 2, nothing without it."""

from __future__ import annotations

import pytest

import rung
from rung.engine.model import Model
from rung.errors import UsageError


def _told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], level: str) -> str:
    monkeypatch.setenv("RUNG_SCHED_DEBUG", level)
    with rung.load(threads=1, context_length=64, device="sim", gpu_layers=2) as model:
        _run(model)
    return capsys.readouterr().err


def _run(model: Model) -> None:
    model.generate("Once upon", max_tokens=4, temperature=0, ignore_eos=True).complete()


def test_nothing_by_default(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _told(monkeypatch, capsys, "") == _told(monkeypatch, capsys, "0") == ""


def test_plans_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    text = _told(monkeypatch, capsys, "1")
    assert text.count("batch of 64 tokens:") == text.count("batch of 1 token:") == 1
    assert "## SPLIT #1: sim # 5 inputs: [" in text
    assert "[sim blk.4.attn_q.weight: layers on sim: 2 of 6]" in text
    assert "## RUN" not in text


def test_runs_as_well(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    lines = _told(monkeypatch, capsys, "2").splitlines()
    runs = [line for line in lines if line.startswith("## RUN")]
    assert len(runs) == 4
    assert all(" # plan of T=1 # " in line and "copied in 6" in line for line in runs[1:])
    assert all("cpu " in line and "sim " in line for line in runs)


def test_an_unknown_level(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UsageError, match="RUNG_SCHED_DEBUG is 'all', expected 0, 1 or 2"):
        _told(monkeypatch, capsys, "all")
