"""Hugging Face folders that we write: transformers finds the same logits, Rung the same model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rung.engine.batch import Batch
from rung.engine.runner import plan_model
from rung.errors import RungError, UsageError
from rung.formats import open_checkpoint
from rung.formats.huggingface.write import write
from rung.models.config import Rope
from support import GPT2, full_disk, tiny_checkpoint, tiny_vocabulary, write_tokenizer

IDS = [1, 17, 5, 99, 2, 64, 3, 130, 8, 8, 41, 77, 250, 6]
LLAMA3 = Rope(
    layout="half",
    dims=4,
    scaling="llama3",
    factor=8.0,
    high_freq_factor=4.0,
    low_freq_factor=1.0,
    original_context=16,
)
MODELS: dict[str, dict[str, Any]] = {
    "gpt2": GPT2,
    "llama": {},
    "llama, a head of its own": {"tied_output": False, "eos_ids": (2, 7)},
    "llama 3": {"rope": LLAMA3, "context_length": 64},
    "llama, biases": {"qkv_bias": True, "output_bias": True, "bos_id": None},
}


def ours(checkpoint: Any) -> NDArray[np.float32]:
    runner = plan_model(checkpoint, threads=1)
    logits = runner.forward(Batch.one(IDS, rows="all")).copy()
    runner.close()
    return logits


@pytest.mark.parametrize("changes", MODELS.values(), ids=MODELS)
def test_transformers_finds_the_same_logits(changes: dict[str, Any], tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    checkpoint = tiny_checkpoint(**changes)
    write(tmp_path / "model", checkpoint)
    model = transformers.AutoModelForCausalLM.from_pretrained(
        tmp_path / "model", attn_implementation="eager", torch_dtype=torch.float32
    )
    with torch.no_grad():
        theirs = model(torch.tensor([IDS])).logits[0].numpy()
    expected = ours(checkpoint)
    np.testing.assert_allclose(theirs, expected, rtol=0, atol=2e-5 * np.abs(expected).max())


@pytest.mark.parametrize("changes", MODELS.values(), ids=MODELS)
def test_the_folder_is_the_same_model(changes: dict[str, Any], tmp_path: Path) -> None:
    checkpoint = tiny_checkpoint(**changes)
    done: list[tuple[int, int]] = []
    write(tmp_path / "model", checkpoint, progress=lambda *n: done.append(n))
    assert done[-1][0] == done[-1][1]
    again = open_checkpoint(tmp_path / "model")
    np.testing.assert_allclose(ours(again), ours(checkpoint), rtol=0, atol=1e-5)
    assert again.config.eos_ids == checkpoint.config.eos_ids


def test_half_the_size(tmp_path: Path) -> None:
    write(tmp_path / "model", tiny_checkpoint(), kind="bf16")
    again = open_checkpoint(tmp_path / "model")
    assert {w.type.name for w in again.weights.values() if len(w.shape) > 1} == {"bf16"}
    assert json.loads((tmp_path / "model" / "config.json").read_text())["torch_dtype"] == "bfloat16"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"qk_norm": True, "rope": Rope(layout="half", dims=4)}, "qk_norm is True"),
        ({"mlp": "geglu"}, "neither a Llama nor a GPT-2"),
        ({"rope": Rope(dims=4, layout="half", factors=(1.0, 2.0))}, "its rotation is scaled"),
        ({"embedding_scale": 4.0}, r"embedding_scale is 4.0 \(a Hugging Face folder: 1.0\)"),
    ],
)
def test_what_it_cannot_say(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=message):
        write(tmp_path / "model", tiny_checkpoint(**changes))
    assert not list(tmp_path.iterdir())
    with pytest.raises(UsageError, match="holds no q8_0"):
        write(tmp_path / "model", tiny_checkpoint(), kind="q8_0")


def test_a_folder_is_replaced_whole_and_nothing_of_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "model"
    write(folder, tiny_checkpoint())
    before = (folder / "model.safetensors").read_bytes()
    with full_disk(monkeypatch), pytest.raises(RungError, match=r"No space left.*nothing was"):
        write(folder, tiny_checkpoint(seed=1))
    assert (folder / "model.safetensors").read_bytes() == before
    write(folder, tiny_checkpoint(seed=1))
    assert (folder / "model.safetensors").read_bytes() != before
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"holds notes\.txt, which would be lost"):
        write(folder, tiny_checkpoint())
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="is a file"):
        write(tmp_path / "file", tiny_checkpoint())


def test_the_tokenizer_comes_along(tmp_path: Path) -> None:
    source = tmp_path / "source"
    write(source, tiny_checkpoint())
    write_tokenizer(source / "tokenizer.bin", *tiny_vocabulary())
    write(tmp_path / "one", open_checkpoint(source))  # transformers cannot read a tokenizer.bin
    assert not (tmp_path / "one" / "tokenizer.bin").exists()
    (source / "tokenizer.json").write_text("{}")
    (source / "tokenizer_config.json").write_text('{"bos_token": "<s>"}')
    write(tmp_path / "two", open_checkpoint(source))
    names = {path.name for path in (tmp_path / "two").iterdir()}
    assert {"tokenizer.json", "tokenizer_config.json"} < names
