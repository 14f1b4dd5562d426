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
    # The runner's logits are a view that its next run overwrites.
    whole = runner.forward(Batch.one(ids, start=0, rows="all")).copy()
    batches = (Batch.one([token], start=t) for t, token in enumerate(ids))
    stepped = np.concatenate([runner.forward(batch).copy() for batch in batches])
    runner.close()
    assert np.abs(whole - expected).max() <= TOLERANCE * np.abs(expected).max()
    assert np.array_equal(whole, stepped)
