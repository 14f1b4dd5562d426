"""GGUF written and read again: every family, every type, tokenizers; what cannot be written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import gguf as gguf_package
import numpy as np
import pytest

import plain
from gguf_models import FAMILIES
from rung.errors import FormatError, UsageError
from rung.formats import gguf, open_checkpoint
from rung.formats.gguf.describe import as_written, rounded
from rung.formats.gguf.write import write
from rung.formats.llama2c.write import write as write_llama2c
from rung.formats.rotation import with_layout
from rung.models.config import Rope
from rung.storage import stored
from support import tiny_checkpoint, tiny_vocabulary, write_tokenizer

KINDS = ("f32", "f16", "bf16", "q8_0", "q4_0", "q4_k", "q5_k", "q6_k")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.gguf"


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_comes_back_as_it_was(path: Path, name: str) -> None:
    model = tiny_checkpoint(**FAMILIES[name])
    calls: list[tuple[int, int]] = []
    write(path, model, progress=lambda done, total: calls.append((done, total)))
    found = open_checkpoint(path)
    assert rounded(found.config) == rounded(model.config)
    assert list(found.weights) == list(model.weights)
    for weight, expected in zip(found.weights.values(), model.weights.values(), strict=True):
        assert np.array_equal(weight.float64(), expected.float64())
    assert calls[-1][1] == path.stat().st_size
    assert path.stat().st_size - calls[-1][0] < 32
    assert found.notes == ()


@pytest.mark.parametrize("name", ["llama", "phi3", "gemma3", "gpt2"])
def test_the_gguf_package_reads_the_same(path: Path, name: str) -> None:
    model = tiny_checkpoint(**FAMILIES[name])
    write(path, model, kind="f32")
    reader = gguf_package.GGUFReader(path)
    metadata = gguf.read_metadata(path)
    for key, field in reader.fields.items():
        if not key.startswith("GGUF."):
            found, expected = metadata[key], field.contents()
            if isinstance(expected, float):
                assert np.float32(found) == np.float32(expected)
            else:
                assert (found.tolist() if isinstance(found, np.ndarray) else found) == expected
    tensors = {tensor.name: np.array(tensor.data) for tensor in reader.tensors}
    if name == "phi3":
        stacked = tensors["blk.1.ffn_up.weight"]
        assert np.array_equal(stacked[:24], model.weights["blk.1.ffn_gate.weight"].planes[0])
        assert np.array_equal(stacked[24:], model.weights["blk.1.ffn_up.weight"].planes[0])
    if name in ("phi3", "gpt2"):
        parts = [model.weights[f"blk.0.attn_{part}.weight"].planes[0] for part in "qkv"]
        assert np.array_equal(tensors["blk.0.attn_qkv.weight"], np.concatenate(parts))
    output = model.weights["blk.1.attn_output.weight"].planes[0]
    assert np.array_equal(tensors["blk.1.attn_output.weight"], output)


@pytest.mark.parametrize("kind", KINDS)
def test_types(path: Path, kind: str) -> None:
    model = tiny_checkpoint(dim=256, hidden_dim=512, n_layers=1)
    write(path, model, kind=kind)
    found = open_checkpoint(path)
    types = {name: weight.type.name for name, weight in found.weights.items()}
    assert {types[name] for name in types if len(found.weights[name].shape) > 1} == {kind}
    assert {types[name] for name in types if len(found.weights[name].shape) == 1} == {"f32"}
    assert f"GGUF ({kind.upper()})" == found.format
    for name, weight in found.weights.items():
        exact = model.weights[name].float64()
        # q4_0 may leave half a step of 1/8 of a block's largest, and at its end a whole one.
        assert np.abs(weight.float64() - exact).max() <= np.abs(exact).max() / 7
    again = path.with_name("again.gguf")
    write(again, found)  # without a kind types stay, bit by bit
    same = open_checkpoint(again)
    for name, weight in found.weights.items():
        assert weight.type is same.weights[name].type
        assert np.array_equal(weight.planes[0], same.weights[name].planes[0])


@pytest.mark.parametrize(
    ("dim", "kind", "expected"),
    [(64, "q4_k", "q8_0"), (48, "q6_k", "f16"), (48, "q8_0", "f16"), (64, "q4_0", "q4_0")],
)
def test_rows_that_are_not_whole_blocks(path: Path, dim: int, kind: str, expected: str) -> None:
    write(path, tiny_checkpoint(dim=dim, hidden_dim=dim), kind=kind)
    found = open_checkpoint(path)
    assert found.weights["blk.0.attn_q.weight"].type.name == expected


def test_types_that_gguf_lacks_become_q8_0(path: Path) -> None:
    write(path, tiny_checkpoint(matrices="i8_g32", dim=64, hidden_dim=96))
    assert open_checkpoint(path).weights["blk.0.ffn_up.weight"].type.name == "q8_0"


def test_half_split_llama_is_written_interleaved(path: Path) -> None:
    """The two layouts are the same model: so say the formulas."""
    model = tiny_checkpoint(rope=Rope(layout="half", dims=4), qkv_bias=True)
    write(path, model)
    found = open_checkpoint(path)
    assert found.config.rope == Rope(layout="interleaved", dims=4)
    ids = [1, 5, 77, 3, 200, 9]
    expected = plain.logits(model.config, model.weights, ids)
    assert np.abs(plain.logits(found.config, found.weights, ids) - expected).max() < 1e-12
    back = with_layout(found, "half")
    for name, weight in model.weights.items():
        assert np.array_equal(back.weights[name].planes[0], weight.planes[0])
    assert len(back.weights) == len(model.weights)


def test_llama3_scaling_is_written_as_factors(path: Path) -> None:
    rope = Rope(
        dims=8, base=1e4, scaling="llama3", factor=8.0, high_freq_factor=4.0, original_context=64
    )
    write(path, tiny_checkpoint(dim=32, rope=rope))
    found = open_checkpoint(path).config.rope
    assert found is not None
    assert found.scaling == "none"
    assert found.factors is not None
    assert found.factors[0] == 1.0
    assert found.factors[-1] == 8.0


@pytest.mark.parametrize("family", ["mistral", "smollm"])
def test_families_that_are_llamas(path: Path, family: str) -> None:
    write(path, tiny_checkpoint(family=family))
    assert open_checkpoint(path).config.family == "llama"


def test_gguf_to_llama2c_and_back(tmp_path: Path, path: Path) -> None:
    model = tiny_checkpoint(tied_output=False)
    write_llama2c(tmp_path / "one.bin", model, version=1)
    write_tokenizer(tmp_path / "one.tokenizer.bin", *tiny_vocabulary())
    write(path, open_checkpoint(tmp_path / "one.bin"))
    write_llama2c(tmp_path / "two.bin", open_checkpoint(path), version=1)
    assert (tmp_path / "one.bin").read_bytes() == (tmp_path / "two.bin").read_bytes()


def test_the_tokenizer_beside_a_model_goes_into_the_file(tmp_path: Path, path: Path) -> None:
    pieces, scores = tiny_vocabulary()
    write_tokenizer(tmp_path / "tokenizer.bin", pieces, scores)
    model = replace(tiny_checkpoint(), path=tmp_path / "model.bin")
    write(path, model)
    metadata = gguf.read_metadata(path)
    tokens = metadata["tokenizer.ggml.tokens"]
    assert tokens[:4] == ["<unk>", "<s>", "</s>", "<0x00>"]
    assert tokens[259] == pieces[259].decode().replace(" ", "▁")
    assert metadata.count("tokenizer.ggml.tokens") == len(pieces)
    assert np.array_equal(metadata["tokenizer.ggml.scores"], np.array(scores, np.float32))
    types = metadata["tokenizer.ggml.token_type"].tolist()
    assert types[:4] == [2, 3, 3, 6]
    assert types[258:260] == [6, 1]
    assert metadata["tokenizer.ggml.add_bos_token"] is True
    again = tmp_path / "again.gguf"
    write(again, open_checkpoint(path), kind="f16")
    copied = gguf.read_metadata(again)
    keys = {key for key in metadata if key.startswith("tokenizer.")}
    assert {key for key in copied if key.startswith("tokenizer.")} == keys
    assert all(copied.raw(key) == metadata.raw(key) for key in keys)
    assert copied["general.name"] == "model"


def test_a_model_without_tokenizer_says_so(path: Path) -> None:
    write(path, tiny_checkpoint(bos_id=7, eos_ids=(8, 9)))
    assert gguf.read_metadata(path)["tokenizer.ggml.model"] == "no_vocab"
    config = open_checkpoint(path).config
    assert (config.bos_id, config.eos_ids) == (7, (8, 9))


def test_a_model_may_replace_itself(path: Path) -> None:
    write(path, tiny_checkpoint())
    write(path, open_checkpoint(path), kind="f16")
    assert open_checkpoint(path).format == "GGUF (F16)"


def test_models_that_gguf_cannot_express(path: Path) -> None:
    cases = {
        "its family is bert": tiny_checkpoint(family="bert"),
        r"mlp is 'gelu' \(GGUF: 'swiglu'\)": tiny_checkpoint(mlp="gelu"),
        "embedding_scale is 3": tiny_checkpoint(embedding_scale=3.0),
        r"attention_softcap is None \(GGUF: 50\.0\)": tiny_checkpoint(
            **FAMILIES["gemma2"] | {"attention_softcap": None}
        ),
        "heads that are normed": tiny_checkpoint(rope=HALF, qk_norm=True),
    }
    for message, model in cases.items():
        with pytest.raises(UsageError, match=message):
            write(path, model)
    with pytest.raises(UsageError, match="GGUF has no type i8; choose one of f32, "):
        write(path, tiny_checkpoint(), kind="i8")
    assert not path.exists()


HALF = Rope(layout="half", dims=4)


def test_weights_that_are_wrong_are_named(path: Path) -> None:
    model = tiny_checkpoint()
    weights = dict(model.weights)
    del weights["blk.1.ffn_up.weight"]
    with pytest.raises(FormatError, match=r"blk\.1\.ffn_up\.weight is missing"):
        write(path, replace(model, weights=weights))
    bad = model.weights["output_norm.weight"].planes[0].copy()
    bad[3] = np.nan
    weights = {**model.weights, "output_norm.weight": stored(bad)}
    with pytest.raises(FormatError, match=r"output_norm\.weight\[3\] is nan"):
        write(path, replace(model, weights=weights))
    assert not path.exists()


def test_as_written_leaves_what_needs_no_change() -> None:
    model = tiny_checkpoint()
    assert as_written(model).config == model.config
    assert as_written(model).weights is model.weights
