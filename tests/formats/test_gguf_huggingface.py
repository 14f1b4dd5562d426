"""Hugging Face folders written as GGUF: the same model, whatever the family calls for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from rung.engine.batch import Batch
from rung.engine.runner import plan_model
from rung.formats import open_checkpoint
from rung.formats.gguf.write import write

pytest.importorskip("torch")
pytest.importorskip("transformers")

import pretrained


def logits(path: Path, ids: list[int]) -> NDArray[np.float32]:
    runner = plan_model(open_checkpoint(path), threads=2)
    result = runner.forward(Batch.one(ids, rows="all")).copy()
    runner.close()
    return result


@pytest.mark.parametrize("name", pretrained.CASES)
def test_a_folder_and_its_gguf_file_are_one_model(name: str, tmp_path: Path) -> None:
    case = pretrained.CASES[name]
    folder, path = tmp_path / "model", tmp_path / "model.gguf"
    pretrained.make(case).save_pretrained(folder)
    write(path, open_checkpoint(folder))
    ids = pretrained.ids(case)
    expected = logits(folder, ids)
    # Scales and frequencies are float32 in the file, where the folder has more digits.
    assert np.abs(logits(path, ids) - expected).max() <= 1e-5 * np.abs(expected).max()
