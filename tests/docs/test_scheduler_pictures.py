"""docs/scheduler: pictures and the example are what the scheduler makes today."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scheduler_pictures import BEGIN, END, FOLDER, PAGE, main

ROOT = Path(__file__).resolve().parents[2]


def test_the_committed_pictures_are_up_to_date() -> None:
    command = [sys.executable, str(ROOT / "tools" / "scheduler_pictures.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_every_picture_is_on_the_page() -> None:
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    pictures = [path.name for path in (ROOT / FOLDER).iterdir()]
    assert [name for name in pictures if f"](scheduler/{name})" not in text] == []


def test_what_is_stale_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "docs").mkdir()
    shutil.copy(ROOT / PAGE, tmp_path / PAGE)
    assert main(["--root", str(tmp_path)]) == 0
    assert main(["--root", str(tmp_path), "--check"]) == 0
    page, old = tmp_path / PAGE, tmp_path / FOLDER / "old.svg"
    text = page.read_text(encoding="utf-8")
    page.write_text(text.replace("batch of 1 token:", "batch of 2 tokens:"), encoding="utf-8")
    old.write_text("", encoding="utf-8")
    (tmp_path / FOLDER / "half.svg").unlink()
    capsys.readouterr()
    assert main(["--root", str(tmp_path), "--check"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(" ")[0] for line in lines] == [
        *("docs/scheduler.md", "docs/scheduler/half.svg", "docs/scheduler/old.svg"),
    ]
    assert main(["--root", str(tmp_path)]) == 0
    assert page.read_text(encoding="utf-8") == text
    assert not old.exists()


def test_a_page_without_marks_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / PAGE).write_text(f"{BEGIN}\n", encoding="utf-8")
    with pytest.raises(ValueError, match=END):
        main(["--root", str(tmp_path), "--check"])
