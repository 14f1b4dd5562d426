"""Hugging Face folders: what is read, how it lies in memory, one clear error for what is not."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest

import hf_folder
from rung.errors import FormatError
from rung.formats import open_checkpoint
from rung.models.config import Rope


def test_a_folder_is_read_as_it_was_written(tmp_path):
    written = hf_folder.llama(tied_output=False)
    checkpoint = open_checkpoint(hf_folder.write_folder(tmp_path, written))
    assert checkpoint.config == written.config
    assert checkpoint.path == tmp_path
    assert checkpoint.format == "Hugging Face (LlamaForCausalLM, f32)"
    assert list(checkpoint.weights) == list(written.weights)
    for name, weight in written.weights.items():
        assert np.array_equal(checkpoint.weights[name].planes[0], weight.planes[0]), name
    matrix = checkpoint.weights["blk.1.ffn_down.weight"].planes[0]
    assert not matrix.flags.owndata
    assert not matrix.flags.writeable


def test_shards(tmp_path):
    written = hf_folder.llama()
    checkpoint = open_checkpoint(hf_folder.write_folder(tmp_path, written, shards=3))
    assert "3 shards" in checkpoint.format
    for name, weight in written.weights.items():
        assert np.array_equal(checkpoint.weights[name].planes[0], weight.planes[0]), name
    assert checkpoint.file_bytes > checkpoint.size_bytes


def test_float16_matrices_stay_and_vectors_are_widened(tmp_path):
    written = hf_folder.llama()
    tensors = {k: v.astype(np.float16) for k, v in hf_folder.tensors_of(written).items()}
    checkpoint = open_checkpoint(hf_folder.write_folder(tmp_path, written, tensors=tensors))
    assert checkpoint.weights["token_embd.weight"].type.name == "f16"
    assert checkpoint.weights["output_norm.weight"].type.name == "f32"
    expected = tensors["model.norm.weight"].astype(np.float32)
    assert np.array_equal(checkpoint.weights["output_norm.weight"].planes[0], expected)


def test_a_header_of_odd_length_leaves_no_misaligned_tensor(tmp_path):
    written = hf_folder.llama()
    hf_folder.write_folder(tmp_path, written)
    for padding in range(4):
        data = hf_folder.safetensors_bytes(
            hf_folder.tensors_of(written), __metadata__={"x": "y" * padding}
        )
        (tmp_path / "model.safetensors").write_bytes(data)
        checkpoint = open_checkpoint(tmp_path)
        for name, weight in written.weights.items():
            assert checkpoint.weights[name].planes[0].flags.aligned
            assert np.array_equal(checkpoint.weights[name].planes[0], weight.planes[0]), name


def test_names_without_root_and_tensors_that_are_no_weights(tmp_path):
    written = hf_folder.llama()
    tensors = {k.removeprefix("model."): v for k, v in hf_folder.tensors_of(written).items()}
    tensors["layers.0.self_attn.rotary_emb.inv_freq"] = np.ones(2, np.float32)
    tensors["lm_head.weight"] = tensors["embed_tokens.weight"]
    checkpoint = open_checkpoint(hf_folder.write_folder(tmp_path, written, tensors=tensors))
    assert checkpoint.weights.keys() == written.weights.keys()


def test_ends_of_a_text(tmp_path):
    folder = hf_folder.write_folder(tmp_path, hf_folder.llama(), eos_token_id=7)
    assert open_checkpoint(folder).config.eos_ids == (7,)
    (folder / "generation_config.json").write_text('{"eos_token_id": [7, 9], "top_k": 3}')
    assert open_checkpoint(folder).config.eos_ids == (7, 9)
    (folder / "generation_config.json").write_text('{"eos_token_id": [7, 300]}')
    with pytest.raises(FormatError, match=r"generation_config.*eos_token_id is 300"):
        open_checkpoint(folder)
    hf_folder.write_folder(tmp_path, hf_folder.llama(), eos_token_id=None, bos_token_id=...)
    (folder / "generation_config.json").unlink()
    config = open_checkpoint(folder).config
    assert (config.bos_id, config.eos_ids) == (None, ())


@pytest.mark.parametrize(
    ("classic", "newer"),
    [
        ({"rope_theta": 77.0}, {"rope_parameters": {"rope_type": "default", "rope_theta": 77.0}}),
        (
            {"rope_theta": 77.0, "rope_scaling": {"type": "linear", "factor": 2.0}},
            {"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 77.0}},
        ),
        (
            {"rope_theta": 77.0, "partial_rotary_factor": 0.5},
            {"rope_parameters": {"rope_theta": 77.0, "partial_rotary_factor": 0.5}},
        ),
    ],
)
def test_both_forms_of_rotation_mean_the_same(tmp_path, classic, newer):
    ropes = []
    for fields in (classic, {"rope_theta": ...} | newer):
        hf_folder.write_folder(tmp_path, hf_folder.llama(), **fields)
        ropes.append(open_checkpoint(tmp_path).config.rope)
    assert ropes[0] == ropes[1]
    assert ropes[0].base == 77.0


def test_rotation_by_kind_of_layer(tmp_path):
    from rung.formats.huggingface.rotation import read_ropes
    from rung.formats.json_fields import Fields

    parameters = {
        "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6},
        "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
    }
    classic = {"rope_theta": 1e6, "rope_local_base_freq": 1e4}
    classic |= {"rope_scaling": {"rope_type": "linear", "factor": 8.0}}
    expected = (
        Rope(layout="half", dims=8, base=1e6, scaling="linear", factor=8.0),
        Rope(layout="half", dims=8, base=1e4),
    )
    for values in ({"rope_parameters": parameters}, classic):
        fields = Fields(tmp_path, values)
        sizes = {"head_dim": 8, "context_length": 64}
        assert read_ropes(fields, **sizes, base=1.0, local_base=1.0) == expected


_YARN = {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32}


def test_yarn_stretches_the_context(tmp_path):
    folder = hf_folder.write_folder(tmp_path, hf_folder.llama(), rope_scaling=_YARN)
    config = open_checkpoint(folder).config
    assert config.context_length == 128
    assert config.rope.attention_factor == pytest.approx(1.1386294)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"architectures": ["FuyuForCausalLM"]}, "architectures is ['FuyuForCausalLM'], expected"),
        ({"architectures": ...}, "architectures is missing"),
        ({"quantization_config": {"quant_method": "gptq"}}, "quantization_config is {'quant_met"),
        ({"hidden_act": "relu"}, "hidden_act is relu, expected silu or swish"),
        ({"hidden_size": ...}, "hidden_size is missing, expected a whole number from 1"),
        ({"num_hidden_layers": 1 << 40}, "num_hidden_layers is 1099511627776"),
        ({"num_hidden_layers": True}, "num_hidden_layers is True"),
        ({"rms_norm_eps": 1e999}, "rms_norm_eps is inf"),
        ({"rms_norm_eps": -1}, "norm_eps is -1.0, expected a positive number"),
        ({"num_key_value_heads": 3}, "n_heads 4 is not a multiple of n_kv_heads 3"),
        (
            {"hidden_size": 18},
            "shape of model.embed_tokens.weight is (300, 16), expected (300, 18)",
        ),
        ({"vocab_size": 301}, "shape of model.embed_tokens.weight is (300, 16)"),
        ({"rope_scaling": {"type": "dynamic", "factor": 2.0}}, "rope_scaling.type is dynamic"),
        ({"rope_scaling": {"type": "linear"}}, "rope_scaling.factor is missing"),
        ({"rope_scaling": {"type": "linear", "factor": 0}}, "rope factor is 0.0"),
        ({"rope_scaling": _YARN | {"truncate": False}}, "rope_scaling.truncate is False"),
        ({"rope_scaling": _YARN | {"beta": 1}}, "rope_scaling.beta is 1, expected no such option"),
        (
            {"rope_scaling": {"type": "su", "short_factor": [1.0], "long_factor": [1.0, 1.0]}},
            "rope factors are 1 numbers, expected 2",
        ),
        ({"attention_bias": True}, "model.layers.0.self_attn.q_proj.bias is missing"),
        (
            {"num_hidden_layers": 1},
            "tensors is model.layers.1.input_layernorm.weight (and 8 others)",
        ),
        ({"tie_word_embeddings": False}, "lm_head.weight is missing"),
        ({"eos_token_id": "2"}, "eos_token_id is 2, expected a whole number from 0 to 299"),
    ],
)
def test_a_configuration_that_is_not_supported(tmp_path, config, message):
    folder = hf_folder.write_folder(tmp_path, hf_folder.llama(), **config)
    with pytest.raises(FormatError) as error:
        open_checkpoint(folder)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "file is empty"),
        (b"[1]", "content is a JSON list, expected a JSON object"),
        (b"{", "content is not JSON"),
        (b"\xff\xfe", "content is not JSON"),
        (b'{"a":' + b"[" * 100_000, "content is not JSON (maximum recursion depth exceeded"),
        (b" " * (17 << 20), "size is over 16 MiB"),
    ],
)
def test_damaged_json(tmp_path, text, message):
    folder = hf_folder.write_folder(tmp_path, hf_folder.llama())
    (folder / "config.json").write_bytes(text)
    with pytest.raises(FormatError) as error:
        open_checkpoint(folder)
    assert f"config.json: {message}" in str(error.value)


def _entry(**changes):
    return {"dtype": "F32", "shape": [300, 16], "data_offsets": [0, 19200]} | changes


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (7, "dtype of model.embed_tokens.weight is None, expected one of"),
        (_entry(dtype="Q9"), "dtype of model.embed_tokens.weight is 'Q9', expected one of"),
        (_entry(dtype="I32"), "dtype of model.embed_tokens.weight is I32, expected F32 or F16"),
        (_entry(shape=[300, -16]), "shape of model.embed_tokens.weight is [300, -16], expected"),
        (_entry(shape=[1 << 40, 1 << 40]), "expected 4,835,703,278,458,516,698,824,704 bytes"),
        (_entry(shape=[16, 300]), "shape of model.embed_tokens.weight is (16, 300), expected (300"),
        (_entry(data_offsets=[0, 1 << 62]), "data_offsets of model.embed_tokens.weight is [0, 461"),
        (_entry(data_offsets=[19200, 0]), "expected 19,200 bytes for F32"),
        (_entry(data_offsets=[64, 19264]), "start of "),
    ],
)
def test_damaged_table(tmp_path, entry, message):
    written = hf_folder.llama()
    folder = hf_folder.write_folder(tmp_path, written)
    tensors = hf_folder.tensors_of(written)
    data = hf_folder.safetensors_bytes(tensors, **{"model.embed_tokens.weight": entry})
    (folder / "model.safetensors").write_bytes(data)
    with pytest.raises(FormatError) as error:
        open_checkpoint(folder)
    assert message in str(error.value)


@pytest.mark.parametrize("length", [1 << 63, 1 << 40, (1 << 64) - 1])
def test_hostile_header_length(tmp_path, length):
    folder = hf_folder.write_folder(tmp_path, hf_folder.llama())
    data = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", length) + data[8:])
    with pytest.raises(FormatError, match="header length is "):
        open_checkpoint(folder)


@pytest.mark.parametrize("size", [1, 7, 8, 100, -1, -4000])
def test_truncated_file(tmp_path, size):
    folder = hf_folder.write_folder(tmp_path, hf_folder.llama())
    data = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(data[:size])
    with pytest.raises(FormatError, match=r"model\.safetensors: "):
        open_checkpoint(folder)


def test_missing_parts(tmp_path):
    folder = hf_folder.write_folder(tmp_path, hf_folder.llama(), shards=3)
    shard = folder / "model-00002-of-00003.safetensors"
    data = shard.read_bytes()
    shard.unlink()
    with pytest.raises(FormatError, match=r"model-00002-of-00003\.safetensors: file is missing"):
        open_checkpoint(folder)
    shard.write_bytes(hf_folder.safetensors_bytes({}))
    with pytest.raises(FormatError, match=r"weight is missing, expected here, as model\.safet"):
        open_checkpoint(folder)
    shard.write_bytes(data)
    index = folder / "model.safetensors.index.json"
    for name in ("../secret.safetensors", "/etc/passwd", "a\\b.safetensors", "model.bin"):
        index.write_text(json.dumps({"weight_map": {"x": name}}))
        with pytest.raises(FormatError, match=r"weight_map\.x is .*in the same folder"):
            open_checkpoint(folder)
    index.unlink()
    (folder / "pytorch_model.bin").write_bytes(b"PK")
    with pytest.raises(FormatError, match=r"is missing \(there is pytorch_model\.bin, a pickle"):
        open_checkpoint(folder)
    (folder / "config.json").unlink()
    with pytest.raises(FormatError, match="path is a folder, expected a model file, a Hugging"):
        open_checkpoint(folder)


def test_a_missing_tensor_and_one_too_many(tmp_path):
    written = hf_folder.llama()
    tensors = hf_folder.tensors_of(written)
    name = "model.layers.1.mlp.up_proj.weight"
    less = {k: v for k, v in tensors.items() if k != name}
    with pytest.raises(FormatError, match=f"{name} is missing"):
        open_checkpoint(hf_folder.write_folder(tmp_path, written, tensors=less))
    more = tensors | {"model.layers.1.mlp.extra.weight": np.ones(3, np.float32)}
    with pytest.raises(FormatError, match=r"tensors is model\.layers\.1\.mlp\.extra\.weight, exp"):
        open_checkpoint(hf_folder.write_folder(tmp_path, written, tensors=more))


def test_nan_is_told_by_its_place(tmp_path):
    written = hf_folder.llama()
    tensors = {k: v.copy() for k, v in hf_folder.tensors_of(written).items()}
    tensors["model.layers.0.mlp.up_proj.weight"][3, 2] = np.nan
    with pytest.raises(FormatError, match=r"blk\.0\.ffn_up\.weight\[3, 2\] is nan"):
        open_checkpoint(hf_folder.write_folder(tmp_path, written, tensors=tensors))
