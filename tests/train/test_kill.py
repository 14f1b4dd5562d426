"""A run that is killed and resumed ends with the bytes of one that never was."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kill_training import compare


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_run_that_is_killed_ends_as_one_that_is_not(tmp_path: Path) -> None:
    left = compare(tmp_path, kills=2, steps=60, seed=1)
    assert left  # at least one of them came before the end
