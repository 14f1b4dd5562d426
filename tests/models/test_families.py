"""Every family against `transformers`: a random small model, saved as a folder and read back."""

from __future__ import annotations

import numpy as np
import pytest

from rung.engine.batch import Batch
from rung.engine.runner import plan_model
from rung.formats import open_checkpoint

pytest.importorskip("torch")
pytest.importorskip("transformers")

import pretrained

TOLERANCE = 1e-5  # of the greatest logit, between two float32 computations


@pytest.mark.parametrize("name", pretrained.CASES)
def test_logits_equal_those_of_transformers(name, tmp_path):
    case = pretrained.CASES[name]
    model = pretrained.make(case)
    model.save_pretrained(tmp_path)
    ids = pretrained.ids(case)
    expected = pretrained.logits(model, ids)
    runner = plan_model(open_checkpoint(tmp_path), threads=2)
    whole = runner.forward(Batch.one(ids, start=0, rows="all"))
    stepped = [runner.forward(Batch.one([i], start=t, rows="all"))[0] for t, i in enumerate(ids)]
    runner.close()
    assert np.abs(whole - expected).max() <= TOLERANCE * np.abs(expected).max()
    assert np.array_equal(whole, np.stack(stepped))
