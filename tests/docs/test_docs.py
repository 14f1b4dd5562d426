"""The pages under docs/: generated ones are up to date, and what they point to exists."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(ROOT.glob("docs/*.md"))
_LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
_SOURCE = re.compile(r"`((?:src|tests|tools)/[\w./-]+|[a-z_]+/[\w/]+\.py)`")


def test_the_table_of_kernels_is_up_to_date() -> None:
    command = [sys.executable, str(ROOT / "tools" / "kernel_table.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_points_to_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = [link for link in _LINK.findall(text) if "://" not in link]
    missing = [link for link in links if not (page.parent / link).exists()]
    for name in _SOURCE.findall(text):
        if not (ROOT / name).exists() and not (ROOT / "src" / "rung" / name).exists():
            missing.append(name)
    assert not missing


def test_every_variable_of_the_environment_is_told() -> None:
    from rung.env import VARIABLES

    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert [v.name for v in VARIABLES if f"`{v.name}`" not in text] == []


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    linked = set(_LINK.findall(index))
    assert {page.name for page in PAGES} - {"README.md"} <= linked


def test_the_readmes_python_runs(capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    example = text.partition("```python\n")[2].partition("```")[0]
    assert 'rung.load("model.gguf")' in example
    A, B = np.ones((1, 8), np.float32), np.ones((3, 8), np.int8)
    names = {"A": A, "B": B, "scales": np.ones(3, np.float32)}
    exec(example.replace('"model.gguf"', ""), names)  # the built-in model
    assert len(capsys.readouterr().out) > 100
