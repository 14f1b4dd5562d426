"""The commit in a row: of the package's source, whatever becomes of the rows."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from rung.bench import results


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A repository with a package and a file of results, taken for ours."""
    if shutil.which("git") is None:
        pytest.skip("there is no git")
    for name in ("src/rung/bench/results.py", "benchmarks/results/rows.jsonl"):
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_text("first\n")
    for words in (
        ("init", "-q"),
        ("add", "-A"),
        ("-c", "user.name=A", "-c", "user.email=a@b", "commit", "-qm", "first"),
    ):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    monkeypatch.setattr(results, "__file__", str(tmp_path / "src/rung/bench/results.py"))
    results.commit.cache_clear()
    yield tmp_path
    results.commit.cache_clear()


def test_rows_that_are_appended_leave_the_commit_clean(root: Path) -> None:
    (root / "benchmarks/results/rows.jsonl").write_text("first\nsecond\n")
    name = results.commit()
    assert len(name) == 12
    assert int(name, 16) >= 0


@pytest.mark.parametrize("name", ["src/rung/bench/results.py", "src/rung/new.py"])
def test_source_that_differs_is_marked(root: Path, name: str) -> None:
    (root / name).write_text("other\n")
    assert results.commit().endswith("+")
    assert len(results.commit()) == 13
