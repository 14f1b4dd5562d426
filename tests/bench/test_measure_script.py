"""benchmarks/measure.py: its steps are commands that exist, for all ladders and types."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from rung.bench.targets import find_op, load_backend, targets

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "measure.py"


def run(*words: str) -> tuple[int, str, str]:
    command = [sys.executable, str(SCRIPT), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def test_every_ladder_that_runs_here_has_two_steps() -> None:
    status, out, _ = run("--list", "--kernels", "--threads", "3")
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
    status, out, _ = run("--list", "--models", "--only", "q4_k", "--rounds", "2")
    lines = out.splitlines()
    assert status == 0
    assert lines
    assert all(" bench model " in line and "--type q4_k" in line for line in lines)
    assert all("--rounds 2" in line for line in lines)


def test_a_type_that_nothing_is_measured_with_is_one_line() -> None:
    status, _, err = run("--list", "--models", "--only", "q9")
    assert status == 2
    assert "nothing is measured with weights of that type" in err.splitlines()[-1]
