"""Fixtures for all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rung.env import BLAS, DATA

# A library is used where it is measured to be faster, and then a token's bits depend on its batch.
# Tests of BLAS ask for it; the others must come out the same on any day.
os.environ.setdefault(BLAS.name, "none")


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real checkpoints; the test is skipped where RUNG_DATA names none."""
    chosen = DATA.get()
    if not chosen:
        pytest.skip("RUNG_DATA is not set: it names a folder with stories260K.bin and others")
    folder = Path(chosen).expanduser()
    if not folder.is_dir():
        pytest.fail(f"RUNG_DATA is {folder}, which is no folder")
    return folder
