"""What we write as GGUF, llama.cpp runs: the same logits for every family, the same greedy text."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gguf_models import FAMILIES
from rung.engine.batch import Batch
from rung.engine.runner import plan_model
from rung.formats import open_checkpoint
from rung.formats.gguf.write import write
from rung.models.config import Rope
from support import tiny_checkpoint, tiny_vocabulary, write_tokenizer

llama_cpp = pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed")
IDS = [1, 17, 5, 99, 2, 64, 3, 130, 8, 8, 41, 77, 250, 6, 31, 9, 12, 200, 201, 4]


@contextmanager
def loaded(path: Path, *, n_ctx: int = 64) -> Iterator[Any]:
    """A model in llama.cpp that keeps the logits of every token."""
    model = llama_cpp.Llama(
        str(path),
        n_ctx=n_ctx,
        n_threads=1,
        n_batch=64,
        logits_all=True,
        type_k=llama_cpp.GGML_TYPE_F32,
        type_v=llama_cpp.GGML_TYPE_F32,
        verbose=False,
    )
    try:
        yield model
    finally:
        model.close()


def greedy(model: Any, ids: list[int], count: int) -> list[int]:
    """The likeliest `count` tokens after `ids`, by llama.cpp."""
    model.eval(ids)
    tokens: list[int] = []
    for _ in range(count):
        tokens.append(int(np.argmax(model.scores[model.n_tokens - 1])))
        model.eval(tokens[-1:])
    return tokens


def ours(path: Path, ids: list[int], count: int) -> list[int]:
    """The same by Rung."""
    runner = plan_model(open_checkpoint(path), threads=1)
    tokens: list[int] = []
    logits = runner.forward(Batch.one(ids))
    for _ in range(count):
        tokens.append(int(np.argmax(logits[-1])))
        logits = runner.forward(Batch.one(tokens[-1:], start=len(ids) + len(tokens) - 1))
    runner.close()
    return tokens


def wide(changes: dict[str, Any]) -> dict[str, Any]:
    """A family with wider heads, and without what llama.cpp does not take from a file.

    That is the sliding window where it knows none, and Gemma's attention scale.
    """
    changed = {"dim": 64, "hidden_dim": 96, "context_length": 64, "head_dim": 16, **changes}
    changed["head_dim"] = 16
    changed["attention_scale"] = None
    if "sliding_layers" not in changes:
        changed["sliding_window"] = None
    if "embedding_scale" in changes:
        changed["embedding_scale"] = 8.0
    for name in ("rope", "local_rope"):
        if isinstance(rope := changes.get(name, Rope(dims=4) if name == "rope" else None), Rope):
            repeat = 16 // rope.dims
            spread = {
                key: values * repeat
                for key in ("factors", "long_factors")
                if (values := getattr(rope, key)) is not None
            }
            changed[name] = replace(rope, dims=16, **spread)
    return changed


@pytest.mark.parametrize("name", FAMILIES)
def test_logits(tmp_path: Path, name: str) -> None:
    write_tokenizer(tmp_path / "tokenizer.bin", *tiny_vocabulary())
    model = replace(tiny_checkpoint(**wide(FAMILIES[name])), path=tmp_path / "model.bin")
    path = tmp_path / "model.gguf"
    write(path, model, kind="f32")
    runner = plan_model(open_checkpoint(path), threads=1)
    found = runner.forward(Batch.one(IDS, rows="all"))
    runner.close()
    with loaded(path) as other:
        other.eval(IDS)
        expected = np.array(other.scores[: len(IDS)])
    # llama.cpp looks GELU up in a table of float16.
    allowed = 1e-4 if model.config.mlp == "swiglu" else 1e-3
    assert np.abs(found - expected).max() <= allowed * np.abs(expected).max()


@pytest.mark.parametrize("kind", ["f16", "q8_0", "q4_k", "q6_k"])
def test_types_load(tmp_path: Path, kind: str) -> None:
    write_tokenizer(tmp_path / "tokenizer.bin", *tiny_vocabulary())
    model = tiny_checkpoint(dim=256, hidden_dim=256, n_heads=8, n_kv_heads=4, head_dim=32)
    path = tmp_path / "model.gguf"
    write(path, replace(model, path=tmp_path / "model.bin"), kind=kind)
    runner = plan_model(open_checkpoint(path), threads=1)
    found = runner.forward(Batch.one(IDS, rows="all"))
    runner.close()
    with loaded(path) as other:
        other.eval(IDS)
        expected = np.array(other.scores[: len(IDS)])
    # llama.cpp rounds activations to int8 for products with such weights.
    assert np.abs(found - expected).max() <= 0.05 * np.abs(expected).max()


def test_greedy_tokens_of_a_random_model(tmp_path: Path) -> None:
    write_tokenizer(tmp_path / "tokenizer.bin", *tiny_vocabulary())
    model = tiny_checkpoint(**wide({"context_length": 128}), seed=3)
    path = tmp_path / "model.gguf"
    write(path, replace(model, path=tmp_path / "model.bin"), kind="f32")
    with loaded(path, n_ctx=128) as other:
        assert greedy(other, IDS, 64) == ours(path, IDS, 64)


def test_greedy_tokens_of_a_real_model(tmp_path: Path, data_folder: Path) -> None:
    source = tmp_path / "stories260K.bin"
    shutil.copy(data_folder / "stories260K.bin", source)
    shutil.copy(data_folder / "tok512.bin", tmp_path / "tok512.bin")
    path = tmp_path / "model.gguf"
    write(path, open_checkpoint(source), kind="f32")
    with loaded(path, n_ctx=128) as other:
        ids = other.tokenize(b"Once upon a time")
        assert ids == [1, 403, 407, 261, 378]
        assert greedy(other, ids, 64) == ours(path, ids, 64)
