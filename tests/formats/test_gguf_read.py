"""GGUF files as others write them: old and odd metadata, other types, shards, vocabularies."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gguf import quants

from gguf_models import FAMILIES, shards, write_gguf
from rung.errors import FormatError
from rung.formats import gguf, open_checkpoint
from rung.formats.gguf.header import parse_header
from rung.formats.gguf.pack import flags, integer, integers, number, strings, text
from rung.formats.gguf.types import tensor_types
from rung.formats.gguf.write import write
from support import tiny_checkpoint

GGML = {kind.name: kind for kind in tensor_types().values()}


def rewritten(path: Path, model: Any, changes: dict[str, bytes | None], **tensors: Any) -> Path:
    """The file of `model` with metadata changed (None: left out) and tensors changed or added."""
    write(path, model)
    header = parse_header(path, memoryview(path.read_bytes()))
    metadata = {key: header.metadata.raw(key) for key in header.metadata} | changes
    data = path.read_bytes()
    plan = {
        info.name: (info.type.name, info.shape, data[info.start : info.start + info.size_bytes])
        for info in header.tensors
    }
    plan.update({name.replace("__", "."): value for name, value in tensors.items()})
    kept = {key: value for key, value in metadata.items() if value is not None}
    return write_gguf(path, kept, {name: value for name, value in plan.items() if value})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.gguf"


def test_defaults_of_what_old_files_leave_out(path: Path) -> None:
    model = tiny_checkpoint(n_kv_heads=4)
    keys = (
        "llama.attention.head_count_kv",
        "llama.attention.key_length",
        "llama.attention.value_length",
        "llama.rope.dimension_count",
        "llama.rope.freq_base",
        "llama.vocab_size",
    )
    rewritten(path, model, dict.fromkeys(keys))
    assert open_checkpoint(path).config == model.config


def test_gemma_defaults(path: Path) -> None:
    model = tiny_checkpoint(**FAMILIES["gemma2"] | {"attention_scale": None})
    keys = ("attn_logit_softcapping", "final_logit_softcapping", "attention.sliding_window_pattern")
    rewritten(path, model, dict.fromkeys(f"gemma2.{key}" for key in keys))
    assert open_checkpoint(path).config == model.config
    rewritten(path, model, {"gemma2.attn_logit_softcapping": number(0.0)})
    assert open_checkpoint(path).config.attention_softcap is None
    model = tiny_checkpoint(**FAMILIES["gemma3"] | {"n_layers": 12, "sliding_layers": (True,) * 12})
    pattern = "gemma3.attention.sliding_window_pattern"
    rewritten(path, model, {pattern: None, "gemma3.rope.freq_base_swa": None})
    config = open_checkpoint(path).config
    assert config.sliding_layers == ((True,) * 5 + (False,)) * 2
    assert config.local_rope is not None
    assert config.local_rope.base == 10000
    rewritten(path, model, {pattern: integer(3)})
    assert open_checkpoint(path).config.sliding_layers == (True, True, False) * 4


def test_the_27b_models_scale_by_another_width(path: Path) -> None:
    family = FAMILIES["gemma2"] | {"attention_scale": 0.5, "n_layers": 46, "head_dim": 8}
    family["sliding_layers"] = (True, False) * 23
    rewritten(path, tiny_checkpoint(**family), {"gemma2.attention.scale": None})
    assert open_checkpoint(path).config.attention_scale == 0.5


def test_old_linear_scaling_and_lists_of_heads(path: Path) -> None:
    changes = {
        "llama.rope.scale_linear": number(4.0),
        "llama.attention.head_count_kv": integers([2, 2]),
        "llama.expert_count": integer(0),
    }
    config = open_checkpoint(rewritten(path, tiny_checkpoint(), changes)).config
    assert config.rope is not None
    assert (config.rope.scaling, config.rope.factor) == ("linear", 4.0)
    assert config.n_kv_heads == 2


def test_tokens_that_end_a_text(path: Path) -> None:
    changes = {
        f"tokenizer.ggml.{name}_token_id": integer(token)
        for name, token in {"bos": 2**32 - 1, "eos": 5, "eot": 9, "eom": 5}.items()
    }
    config = open_checkpoint(rewritten(path, tiny_checkpoint(), changes)).config
    assert (config.bos_id, config.eos_ids) == (None, (5, 9))


def test_frequencies_of_old_files_are_left_unread(path: Path) -> None:
    extra = ("F32", (2,), struct.pack("<2f", 1, 2))
    rewritten(path, tiny_checkpoint(), {}, blk__0__attn_rot_embd__weight=extra)
    assert open_checkpoint(path).config == tiny_checkpoint().config


def test_half_precision_norms_become_float32(path: Path) -> None:
    norm = np.linspace(0.5, 2, 16).astype(np.float16)
    rewritten(path, tiny_checkpoint(), {}, output_norm__weight=("F16", (1, 16), norm.tobytes()))
    weight = open_checkpoint(path).weights["output_norm.weight"]
    assert (weight.type.name, weight.shape) == ("f32", (16,))
    assert np.array_equal(weight.planes[0], norm)


OTHERS = sorted(name for name, kind in GGML.items() if not kind.kept and name != "F64")


@pytest.mark.parametrize("name", OTHERS)
def test_other_types_are_converted_and_said(path: Path, name: str) -> None:
    kind = GGML[name]
    data = _blocks(name, rows=24)
    changed = {"blk__1__ffn_up__weight": (name, (24, 256), data)}
    rewritten(path, tiny_checkpoint(dim=256, n_heads=4), {}, **changed)
    found = open_checkpoint(path)
    assert found.notes == (f"{path}: 1 tensor of type {name} converted to {kind.storage}",)
    weight = found.weights["blk.1.ffn_up.weight"]
    assert weight.type.name == kind.storage
    rows = np.frombuffer(data, np.uint8).reshape(24, -1)
    expected = quants.dequantize(rows, quants.GGMLQuantizationType[name])
    blocks = np.abs(expected - weight.float64()).reshape(24, -1, 32).max(-1)
    largest = np.abs(expected).reshape(24, -1, 32).max(-1)
    # An int8 step is 1/127 of a block's largest value, a Q6_K one 1/32 and its scales are int8.
    allowed = 0.006 if kind.storage == "q8_0" else 0.08
    assert (blocks <= allowed * largest.max()).all()


def _blocks(name: str, rows: int) -> bytes:
    """Rows of 256 values of random bits, whose float16 scales are moderate."""
    kind = GGML[name]
    random = np.random.default_rng(1)
    data = random.integers(0, 256, (rows * 256 // kind.block, kind.block_bytes), np.uint8)
    values = np.full((1, 1), 0.75, np.float16).view(np.uint8)[0]
    halves = {
        "Q4_1": (0, 2), "Q5_0": (0,), "Q5_1": (0, 2), "Q2_K": (80, 82), "Q3_K": (108,),
        "TQ1_0": (52,), "TQ2_0": (64,),
    }  # fmt: skip
    for at in halves.get(name, (0,) if name.startswith("IQ") else ()):
        data[:, at : at + 2] = values
    if name == "MXFP4":
        data[:, 0] = 127
    if name == "NVFP4":
        data[:, :4] = 0x38
    if name == "IQ1_M":  # its scale is spread over four numbers
        data[:, 48:56] &= 0x0F
        data[:, 55] |= 0x30
    packed = data.reshape(rows, -1)
    assert np.isfinite(quants.dequantize(packed, quants.GGMLQuantizationType[name])).all()
    return packed.tobytes()


def test_float64_becomes_float32(path: Path) -> None:
    values = np.random.default_rng(0).standard_normal((24, 16))
    changed = {"blk__0__ffn_up__weight": ("F64", (24, 16), values.tobytes())}
    found = open_checkpoint(rewritten(path, tiny_checkpoint(), {}, **changed))
    assert np.array_equal(found.weights["blk.0.ffn_up.weight"].planes[0], values.astype("f4"))


def test_a_value_that_is_not_finite_is_found_while_converting(path: Path) -> None:
    values = np.zeros((24, 16))
    values[3, 5] = np.inf
    changed = {"blk__0__ffn_up__weight": ("F64", (24, 16), values.tobytes())}
    rewritten(path, tiny_checkpoint(), {}, **changed)
    with pytest.raises(FormatError, match=r"blk\.0\.ffn_up\.weight\[3, 5\] is inf"):
        open_checkpoint(path)


def test_values_stay_in_the_mapped_file(path: Path) -> None:
    write(path, tiny_checkpoint(dim=64, hidden_dim=64), kind="q8_0")
    for weight in open_checkpoint(path).weights.values():
        (plane,) = weight.planes
        assert not plane.flags.writeable
        assert not plane.flags.owndata


@pytest.mark.parametrize("alignment", [1, 2, 64])
def test_an_alignment_of_its_own(path: Path, alignment: int) -> None:
    model = tiny_checkpoint()
    rewritten(path, model, {"general.alignment": integer(alignment)})
    for name, weight in open_checkpoint(path).weights.items():
        assert weight.planes[0].flags.aligned
        assert np.array_equal(weight.planes[0], model.weights[name].planes[0])


def test_metadata_of_a_vocabulary(path: Path) -> None:
    values = {
        "general.architecture": text("llama"),
        "a.text": text("é"),
        "a.list": strings([b"one", b"", "日本".encode()]),
        "a.flags": flags([True, False]),
        "a.number": number(1e-5),
    }
    metadata = gguf.read_metadata(write_gguf(path, values))
    assert metadata["a.text"] == "é"
    assert metadata["a.list"] == ["one", "", "日本"]
    assert metadata["a.flags"].tolist() == [True, False]
    assert metadata["a.number"] == 1e-5
    assert list(metadata) == list(values)
    assert (len(metadata), metadata.count("a.list"), metadata.count("none")) == (5, 3, 0)
    assert {key: metadata.raw(key) for key in metadata} == values
    with pytest.raises(FormatError, match="tensors is missing, it holds a vocabulary alone"):
        open_checkpoint(path)


def test_real_vocabularies(data_folder: Path) -> None:
    spm = gguf.read_metadata(data_folder / "ggml-vocab-llama-spm.gguf")
    assert spm["tokenizer.ggml.model"] == "llama"
    assert spm["tokenizer.ggml.tokens"][259] == "▁▁"
    assert spm["tokenizer.ggml.token_type"][:4].tolist() == [2, 3, 3, 6]
    gpt2 = gguf.read_metadata(data_folder / "ggml-vocab-gpt-2.gguf")
    assert gpt2["tokenizer.ggml.merges"][0] == "Ġ t"
    assert gpt2.count("tokenizer.ggml.tokens") == 50257


@pytest.mark.parametrize("number", [1, 2, 3])
def test_shards(tmp_path: Path, number: int) -> None:
    model = tiny_checkpoint(tied_output=False)
    paths = shards(tmp_path, model, 3)
    found = open_checkpoint(paths[number - 1])
    assert found.config == model.config
    for name, weight in model.weights.items():
        assert np.array_equal(found.weights[name].planes[0], weight.planes[0])


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    paths = shards(tmp_path, tiny_checkpoint(), 3)
    paths[1].unlink()
    with pytest.raises(FormatError, match=r"tiny-00002-of-00003\.gguf: file is missing.*shard 2"):
        open_checkpoint(paths[0])


def test_shards_that_do_not_belong_together(tmp_path: Path) -> None:
    paths = shards(tmp_path, tiny_checkpoint(), 2)
    good = paths[1].read_bytes()
    paths[1].write_bytes(paths[0].read_bytes())
    with pytest.raises(FormatError, match=r"split\.no is 0, expected 1"):
        open_checkpoint(paths[0])
    paths[1].write_bytes(good)
    paths[0].rename(tmp_path / "other.gguf")
    with pytest.raises(FormatError, match=r"file name is other\.gguf, expected NAME-00001-of-0000"):
        open_checkpoint(tmp_path / "other.gguf")
