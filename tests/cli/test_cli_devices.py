"""`rung devices`: facts of the processor and the environment."""

from __future__ import annotations

import json
import sys

import pytest

from gpu import require_gpu
from rung import env
from rung.backends.cpu import machine
from rung.backends.webgpu import adapters, opening
from rung.backends.webgpu.adapters import Adapter


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


class MadeUpAdapter:
    """What wgpu tells of an adapter whose driver opens no device."""

    def __init__(self, name, kind="DiscreteGPU", api="Vulkan"):
        self.info = {"device": name, "adapter_type": kind, "backend_type": api, "description": "1"}
        self.features = set()
        self.limits = dict.fromkeys(opening._LIMITS, 1 << 20)

    def request_device_sync(self, **wanted):
        raise RuntimeError("no device\nfor a reason")


def test_gpus_that_cannot_be_used(command_line, monkeypatch):
    made_up = [Adapter(MadeUpAdapter(name), i) for i, name in enumerate(("One", "Two"))]
    monkeypatch.setattr(adapters, "adapters", lambda: tuple(made_up))
    facts = json.loads(command_line("devices", "--json").out)
    assert facts["webgpu:1"] == {
        "what": "Two (discrete gpu)",
        "unavailable": "Two cannot be used: no device",
    }
    assert "webgpu:0\n  what " in command_line("devices").out


def test_no_gpu(command_line, monkeypatch):
    monkeypatch.setattr(adapters, "adapters", lambda: ())
    assert "webgpu\n  unavailable  no GPU was found" in command_line("devices").out
    result = command_line("plan", "--device", "webgpu")
    assert result.exit_code == 1
    assert result.err.startswith("rung: error: no GPU was found through Vulkan")
    assert result.err.count("\n") == 1


def test_without_wgpu(command_line, monkeypatch):
    monkeypatch.setattr(adapters, "adapters", adapters.adapters.__wrapped__)
    monkeypatch.setitem(sys.modules, "wgpu", None)
    text = command_line("devices").out
    assert "webgpu\n  unavailable  WebGPU needs the package wgpu: pip install wgpu" in text
    assert "sim\n" in text


def test_gpus(command_line):
    require_gpu()
    facts = json.loads(command_line("devices", "--json").out)
    [first, *_] = [facts[name] for name in facts if name.startswith("webgpu")]
    assert first["API"] in ("vulkan", "metal", "dx12")
    assert first["what"]
    assert first["driver"]
    assert isinstance(first["features"], list)
    assert first["largest binding bytes"] >= 1 << 20


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("webgpu:x", "expected webgpu or webgpu:N"),
        ("webgpu:99", "there is no webgpu:99; webgpu:0 is "),
        ("gpu", "expected one of cpu, webgpu"),
    ],
)
def test_devices_that_are_not_there(command_line, device, message):
    require_gpu()
    result = command_line("plan", "--device", device)
    assert result.exit_code == 2
    assert message in result.err


def test_the_gpu_that_a_variable_names(command_line, monkeypatch):
    require_gpu()
    monkeypatch.setenv("RUNG_GPU", "webgpu:99")
    assert "there is no webgpu:99" in command_line("plan", "--device", "webgpu").err
    monkeypatch.setenv("RUNG_GPU", "fast")
    assert "RUNG_GPU is 'fast'" in command_line("plan", "--device", "webgpu").err
    monkeypatch.setenv("RUNG_GPU", adapters.find("webgpu:0").api)
    assert command_line("plan", "--device", "webgpu", "-b", "1").exit_code == 0
