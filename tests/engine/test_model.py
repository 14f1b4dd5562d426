"""The public API: lazily imported, and `load`'s own errors."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import rung
from rung.engine import model as model_module
from rung.engine.model import load
from rung.errors import FormatError, RungError, UsageError


def test_every_public_name_exists():
    for name in rung.__all__:
        assert getattr(rung, name) is not None
    assert dir(rung) == rung.__all__
    with pytest.raises(AttributeError, match="nonsense"):
        rung.nonsense  # noqa: B018


def test_importing_rung_or_its_command_line_imports_nothing_heavy():
    code = "import sys, rung, rung.cli; print('numpy' in sys.modules, 'rich' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.split() == ["False", "False"]


def test_the_version_is_that_of_the_package():
    pyproject = Path(__file__).parents[2] / "pyproject.toml"
    declared = tomllib.loads(pyproject.read_text())["project"]
    assert rung.__version__ == declared.get("version", rung.__version__)


@pytest.mark.parametrize("option", ["threads", "slots"])
def test_counts_below_1_are_refused(option):
    with pytest.raises(UsageError, match=f"{option} is 0, expected at least 1"):
        load("nowhere", **{option: 0})


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FormatError, match="nowhere"):
        load(tmp_path / "nowhere")


def test_an_installation_without_the_built_in_model_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(model_module, "__file__", str(tmp_path / "engine" / "model.py"))
    with pytest.raises(RungError, match=r"no built-in model.*name a model file"):
        load()
