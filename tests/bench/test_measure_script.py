"""benchmarks/measure.py: its steps are commands that exist; no row is made twice for a commit."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rung.bench.kernels.targets import find_op, load_backend, targets
from rung.bench.results import origin

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
SCRIPT = FOLDER / "measure.py"


def run(*words: object) -> tuple[int, str, str]:
    command = [sys.executable, str(SCRIPT), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def test_every_ladder_that_runs_here_has_two_steps() -> None:
    status, out, _ = run("--list", "--only", "ladders", "--threads", "3")
    load_backend("cpu")
    forms = [target.form for target in targets(find_op("linear"), "cpu")]
    lines = out.splitlines()
    assert status == 0
    assert [line.split("--form ")[1].split()[0] for line in lines] == [
        f for f in forms for _ in "ab"
    ]
    assert [" T=1," in line for line in lines] == [True, False] * len(forms)
    assert all(" --threads 3 " in line for line in lines)


def test_parts_types_and_rounds_can_be_chosen() -> None:
    status, out, _ = run(
        "--list", "--only", "models,perplexity", "--types", "q4_k,f16", "--rounds", 2
    )
    lines = out.splitlines()
    assert status == 0
    models = [line for line in lines if " bench model " in line]
    assert {line.split("--type ")[1].split()[0] for line in models} == {"q4_k", "f16"}
    assert all("--rounds 2" in line for line in models)
    assert sum("perplexity.py" in line for line in lines) == 2 == len(lines) - len(models)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--only", "models", "--types", "q9"), "nothing is measured with weights of type 'q9'"),
        (("--only", "model"), "no part 'model'; there are: ladders, models, perplexity"),
    ],
)
def test_unknown_types_and_parts_are_one_line(words: tuple[str, ...], message: str) -> None:
    status, _, err = run("--list", *words)
    assert status == 2
    assert message in err.splitlines()[-1]


def test_a_step_runs_and_its_rows_are_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--only", "perplexity", "--types", "q8_0", "--stories", "1", "--results", tmp_path)
    status, out, err = run(*words)
    assert (status, err) == (0, "")
    assert out.startswith("[1/1] ")
    [row] = map(json.loads, (tmp_path / "perplexity.jsonl").read_text().splitlines())
    assert (row["op"], row["dtype"]) == ("perplexity", "q8_0")


@pytest.fixture
def measure(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The script as a module."""
    monkeypatch.syspath_prepend(str(FOLDER))
    import measure

    return measure


def test_resume_leaves_out_what_this_commit_has_rows_of(
    measure: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    here = origin() | {"commit": "abc"}
    monkeypatch.setattr(measure, "origin", lambda: here)
    words = ["--list", "--resume", "--only", "ladders", "--types", "q8_0", "--threads", "2"]
    words += ["--results", str(tmp_path)]

    def listed() -> list[str]:
        assert measure.main(words) == 0
        return [line.partition(" ")[2] for line in capsys.readouterr().out.splitlines()]

    def add(**changes: Any) -> None:
        row = {"op": "linear", "form": "q8_0", "dtype": "q8_0", "shape": measure.DECODE}
        with (tmp_path / "kernels.jsonl").open("a") as file:
            file.write(json.dumps(row | here | {"threads": 2} | changes) + "\n")

    every = listed()
    for other in ({"commit": "old"}, {"machine": "other"}, {"features": "none"}, {"threads": 1}):
        add(**other)
    add(dtype="q4_0")
    assert listed() == every
    add()
    assert [step for step in every if step not in listed()] == [every[0]]
    assert "--form q8_0 " in every[0]
    assert " T=1," in every[0]
    here["commit"] = "abc+"
    assert listed() == every
