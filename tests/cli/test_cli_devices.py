"""`rung devices`: facts of the processor and the environment."""

from __future__ import annotations

import json

import pytest

from rung import env
from rung.backends.cpu import machine


@pytest.fixture
def described(monkeypatch):
    """A CPU with made-up facts."""
    facts = {"name": "A CPU", "features": ["avx2", "vnni"], "memory bytes": 2 << 30, "what": None}
    monkeypatch.setattr(machine, "describe", lambda: facts)


@pytest.mark.usefixtures("described")
def test_the_cpu(command_line):
    text = command_line("devices").out
    assert text.startswith("cpu\n  name ")
    assert "avx2 vnni" in text
    assert "memory" in text
    assert "2.0 GiB" in text
    assert json.loads(command_line("devices", "--json").out)["cpu"]["name"] == "A CPU"


def test_the_environment(command_line, monkeypatch):
    monkeypatch.setenv("RUNG_THREADS", "3")
    text = command_line("devices", "--env").out
    assert all(variable.name in text for variable in env.VARIABLES)
    assert "[now: 3]" in text
    listed = json.loads(command_line("devices", "--env", "--json").out)
    assert {"name", "value", "default", "meaning"} == set(listed[0])


def test_blas(command_line, monkeypatch):
    monkeypatch.setenv("RUNG_BLAS", "none")
    assert "blas\n  unavailable  switched off (" in command_line("devices").out
    facts = json.loads(command_line("devices", "--json").out)
    assert facts["blas"] == {"unavailable": "switched off (--blas none or RUNG_BLAS=none)"}
    monkeypatch.setenv("RUNG_BLAS", "nothing-known")
    result = command_line("devices")
    assert result.exit_code == 2
    assert result.err.startswith("rung: error: no BLAS library 'nothing-known': expected ")
    assert result.err.count("\n") == 1
    monkeypatch.setenv("RUNG_BLAS", "auto")
    facts = json.loads(command_line("devices", "--json").out)["blas"]
    assert set(facts) == {"unavailable"} or {"library", "path", "integers"} <= set(facts)


def test_the_made_up_device(command_line, monkeypatch):
    monkeypatch.setenv("RUNG_SIM", "memory=64M,refuse=attention")
    facts = json.loads(command_line("devices", "--json").out)["sim"]
    assert facts["memory"] == "64.0 MiB"
    assert facts["has no kernels for"] == ["attention"]
    monkeypatch.setenv("RUNG_SIM", "memory=some")
    result = command_line("devices")
    assert (result.exit_code, result.err.count("\n")) == (2, 1)
