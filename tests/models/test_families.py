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


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", ["llama", "phi3", "gemma 2", "gpt2"])
def test_weights_in_half_precision(name, dtype, tmp_path):
    case = pretrained.CASES[name]
    model = pretrained.make(case).to(getattr(pretrained.torch, dtype))
    model.save_pretrained(tmp_path)
    ids = pretrained.ids(case)
    # Read back, for .float() would leave the rotation's frequencies rounded.
    expected = pretrained.logits(pretrained.load(case, tmp_path), ids)
    checkpoint = open_checkpoint(tmp_path)
    matrix = checkpoint.weights["blk.1.ffn_down.weight"]
    assert matrix.type.name == {"float16": "f16", "bfloat16": "bf16"}[dtype]
    runner = plan_model(checkpoint, threads=2, cache_type="f32")
    result = runner.forward(Batch.one(ids, rows="all")).copy()
    runner.close()
    assert np.abs(result - expected).max() <= TOLERANCE * np.abs(expected).max()
