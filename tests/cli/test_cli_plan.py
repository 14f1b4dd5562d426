"""`rung plan`: words, drawings, and what cannot be drawn."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest


def test_words(command_line):
    text = command_line("plan", "-b", "1").out
    assert text.startswith("decoder, batch of 1 token: ")
    assert "## SPLIT #0: cpu" in text
    assert "host memory: " in text


def test_mermaid(command_line):
    result = command_line("plan", "--device", "sim", "--gpu-layers", "3", "-b", "1", "--mermaid")
    assert result.out.startswith("## decoder, batch of 1 token\n")
    assert result.out.count("```mermaid\nflowchart TD\n") == 3
    assert 'split0 -.->|"l_out-2 (1K)<br/>rope_angles (128)"| split1' in result.out
    assert "## SPLIT" not in result.out


def test_svg_beside_the_words(command_line, tmp_path: Path):
    file = tmp_path / "plan.svg"
    result = command_line("plan", "--svg", str(file), "-b", "1", "--json")
    assert json.loads(result.out)["plans"][0]["tokens"] == 1
    assert result.err == f"drawn into {file}\n"
    words = "".join(ElementTree.parse(file).getroot().itertext())
    assert "split #0: cpu" in words
    assert "layers 0–4 on cpu; drawn is layer 4" in words
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    ("place", "exit_code", "message"),
    [(".", 2, "is a folder"), ("missing/plan.svg", 1, "cannot be written")],
)
def test_where_no_svg_can_be(command_line, tmp_path: Path, place, exit_code, message):
    result = command_line("plan", "--svg", str(tmp_path / place), "-b", "1")
    assert result.exit_code == exit_code
    assert result.out == ""
    assert result.err.startswith("rung: error: ")
    assert message in result.err
    assert result.err.count("\n") == 1


def test_one_form_at_a_time(command_line):
    result = command_line("plan", "--json", "--mermaid")
    assert result.exit_code == 2
    assert "--json and --mermaid" in result.err


def test_memory_that_does_not_suffice_is_said(command_line, monkeypatch):
    monkeypatch.setenv("RUNG_SIM", "memory=1M")
    words = ["plan", "--device", "sim", "--no-nodes", "-b", "1"]
    assert ": more than the 1.0 MiB that it has" in command_line(*words, "-ngl", "all").out
    assert "more than" not in command_line(*words, "-ngl", "0").out


def test_batches_that_cannot_be(command_line):
    for words, message in (
        (("-b", "1000"), "longer prompts go in several batches"),
        (("--context", "999999"), "this model allows 1 to"),
        (("--context", "-5"), "this model allows 1 to"),
        (("--depth", "-1"), "depth is -1"),
    ):
        result = command_line("plan", *words)
        assert (result.exit_code, result.err.count("\n")) == (2, 1)
        assert message in result.err
