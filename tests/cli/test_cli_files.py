"""`rung info` and `rung convert`, on real files."""

from __future__ import annotations

import json

import pytest

import hf_folder
from rung.formats import open_checkpoint
from rung.formats.llama2c.write import write
from rung.formats.llmc.write import write as write_llmc
from rung.formats.native import write as write_native
from rung.formats.writers import WRITERS
from rung.models.config import Rope
from support import GPT2, tiny_checkpoint, tiny_vocabulary, write_tokenizer


@pytest.fixture
def model_file(tmp_path):
    path = tmp_path / "tiny.bin"
    write(path, tiny_checkpoint(), version=1)
    return path


def test_info_as_json(command_line, model_file):
    facts = json.loads(command_line("info", model_file, "--json").out)
    assert facts["layers"] == 2
    assert facts["parameters"] == tiny_checkpoint().config.n_parameters
    assert facts["tokenizer"] is None
    assert facts["file_bytes"] == model_file.stat().st_size
    assert [kind["type"] for kind in facts["storage"]] == ["f32"]
    assert sum(kind["share"] for kind in facts["storage"]) == pytest.approx(1)
    memory = facts["memory"]
    assert memory["kv_cache_bytes"] == 2 * 2 * (32 + 64) * 4 * 4  # keys in whole pages
    assert memory["activations_bytes"] > 0
    parts = ("weights_bytes", "kv_cache_bytes", "activations_bytes")
    assert memory["total_bytes"] == sum(memory[part] for part in parts)
    assert facts["rope"]["base"] == 10000.0
    assert (facts["bos_id"], facts["eos_ids"], facts["sliding_window"]) == (1, [2], None)
    assert facts["notes"] == []


def test_info_as_text(command_line, model_file):
    write_tokenizer(model_file.with_name("tokenizer.bin"), *tiny_vocabulary())
    result = command_line("info", model_file, "--context", 16)
    assert (result.exit_code, result.err) == (0, "")
    assert "2 layers" in result.out
    assert str(model_file.with_name("tokenizer.bin")) in result.out
    assert "SentencePiece BPE (llama2.c), 300 tokens" in result.out
    assert "cache of 16 tokens" in result.out
    assert "rope interleaved, base 10000, 4 values a head" in result.out
    assert "chat template  llama2\n" in result.out  # as rung chat takes it for such a tokenizer


def test_info_of_a_tokenizer_that_does_not_fit(command_line, model_file):
    model_file.with_name("tokenizer.bin").write_bytes(b"rubbish, and a lot of it")
    result = command_line("info", model_file)
    assert result.exit_code == 0
    assert "cannot be used: " in result.out


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        (GPT2, "a learned table"),
        (
            {"rope": Rope(dims=4, layout="half", scaling="llama3", factor=8, original_context=8)},
            "rope half, base 10000, 4 values a head, scaled by llama3 × 8",
        ),
        ({"rope": Rope(dims=4, factors=(1.0, 2.0))}, "4 values a head, with factors of its own"),
        (
            {
                "sliding_window": 4,
                "sliding_layers": (True, False),
                "local_rope": Rope(dims=4, base=77.0),
            },
            "base 77, 4 values a head in layers with a window; a window of 4 tokens in 1 of 2",
        ),
        ({"sliding_window": 4}, "; a window of 4 tokens in 2 of 2 layers"),
    ],
)
def test_info_tells_how_positions_are_told(command_line, tmp_path, changes, shown):
    path = tmp_path / "model.safetensors"
    write_native(path, tiny_checkpoint(**changes))
    result = command_line("info", path)
    assert result.exit_code == 0
    assert shown in result.out
    assert json.loads(command_line("info", path, "--json").out)["layers"] == 2


@pytest.mark.parametrize("context", [0, 33])
def test_info_refuses_a_context_that_the_model_does_not_have(command_line, model_file, context):
    result = command_line("info", model_file, "-c", context)
    assert result.exit_code == 2
    assert f"--context is {context}, expected 1 to 32" in result.err


@pytest.mark.parametrize(
    ("options", "version", "expected"),
    [
        ([], 2, "largest rounding error: "),
        (["--to", "llama2c-v0"], 0, "all weights are exactly as they were"),
        (["--type", "f32"], 1, "all weights are exactly as they were"),
        (["--type", "i8", "--group-size", 4], 2, "largest rounding error: "),
    ],
)
def test_convert(command_line, model_file, tmp_path, options, version, expected):
    output = tmp_path / "out.bin"
    result = command_line("convert", model_file, output, *options)
    assert (result.exit_code, result.out) == (0, "")
    assert open_checkpoint(output).format.startswith(f"llama2.c v{version}")
    assert expected in result.err
    assert "KiB became" in result.err
    assert "tokenizer: none beside either model" in result.err


@pytest.mark.parametrize(
    ("options", "types"),
    [([], {"f32"}), (["--type", "i8"], {"i8"}), (["--type", "bf16"], {"bf16"})],
)
def test_convert_to_safetensors(command_line, model_file, tmp_path, options, types):
    output = tmp_path / "out.safetensors"
    result = command_line("convert", model_file, output, *options)
    assert (result.exit_code, result.out) == (0, "")
    assert f"{output}: Rung safetensors ({', '.join(types)})" in result.err
    weights = open_checkpoint(output).weights
    assert {w.type.name for w in weights.values() if len(w.shape) == 2} == types


def test_convert_to_llmc(command_line, tmp_path):
    model = tmp_path / "gpt2.bin"
    write_llmc(model, tiny_checkpoint(**GPT2))
    result = command_line("convert", model, tmp_path / "out.bin", "--to", "llmc")
    assert "all weights are exactly as they were" in result.err
    assert (tmp_path / "out.bin").read_bytes() == model.read_bytes()


def test_the_help_of_convert_names_every_format_and_type(command_line):
    shown = command_line("convert", "--help").out.replace("│", " ").split()
    words = {word.strip(",;:.()") for word in shown}
    for name, writer in WRITERS.items():
        assert name in words
        assert set(writer.kinds) <= words


def test_convert_says_which_tokenizer_to_use(command_line, model_file, tmp_path):
    tokenizer = write_tokenizer(model_file.with_name("tokenizer.bin"), *tiny_vocabulary())
    elsewhere = tmp_path / "folder"
    elsewhere.mkdir()
    result = command_line("convert", model_file, elsewhere / "out.bin")
    assert f"use --tokenizer {tokenizer}" in result.err
    result = command_line("convert", model_file, tmp_path / "out.bin")
    assert f"{tokenizer} is found by itself" in result.err


def test_convert_replaces_only_by_force(command_line, model_file, tmp_path):
    output = tmp_path / "out.bin"
    output.write_bytes(b"precious")
    result = command_line("convert", model_file, output)
    assert result.exit_code == 2
    assert "exists already; --force replaces it" in result.err
    assert output.read_bytes() == b"precious"
    assert command_line("convert", model_file, output, "--force").exit_code == 0
    assert open_checkpoint(output).config.n_layers == 2


def test_convert_a_model_onto_itself(command_line, model_file):
    result = command_line("convert", model_file, model_file, "--force", "--type", "i8")
    assert result.exit_code == 0
    assert open_checkpoint(model_file).format.startswith("llama2.c v2")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--to", "llama2c-v1", "--type", "i8"], "llama2c-v1 does not hold i8, only f32"),
        (["--type", "q8_0"], "llama2c-v2 does not hold q8_0, only i8"),
        (["--to", "llama2c-v9"], "--to is 'llama2c-v9', expected one of llama2c-v0, "),
        (["--to", "llmc", "--type", "f32"], "norm is 'rms' (llm.c: 'layer')"),
        (["--group-size", 0], "group-size"),
    ],
)
def test_convert_refuses_what_makes_no_sense(
    command_line, model_file, tmp_path, arguments, message
):
    result = command_line("convert", model_file, tmp_path / "out.bin", *arguments)
    assert result.exit_code == 2
    assert message in result.err
    assert not (tmp_path / "out.bin").exists()


def test_convert_to_a_folder_that_is_not_there(command_line, model_file, tmp_path):
    result = command_line("convert", model_file, tmp_path / "nowhere" / "out.bin")
    assert result.exit_code == 1
    assert "cannot be written (No such file or directory)" in result.err


def test_info_of_a_folder(command_line, tmp_path):
    folder = hf_folder.write_folder(tmp_path / "model", hf_folder.llama())
    facts = json.loads(command_line("info", folder, "--json").out)
    assert facts["path"] == str(folder)
    assert facts["format"] == "Hugging Face (LlamaForCausalLM, f32)"
    assert facts["file_bytes"] == sum(file.stat().st_size for file in folder.iterdir())


def test_info_of_a_folder_that_is_no_model(command_line, tmp_path):
    result = command_line("info", tmp_path)
    assert result.exit_code == 1
    assert "path is a folder, expected a model file, a Hugging Face folder" in result.err


def test_the_type_of_the_cache_is_chosen_and_told(command_line, model_file):
    sizes = {}
    for kind in ("f32", "f16"):
        facts = json.loads(command_line("info", model_file, "--cache-type", kind, "--json").out)
        assert facts["memory"]["cache_type"] == kind
        sizes[kind] = facts["memory"]["kv_cache_bytes"]
        assert (
            f"{kind} cache of 32 tokens"
            in command_line("info", model_file, "--cache-type", kind).out
        )
    assert sizes["f32"] == 2 * sizes["f16"]


@pytest.mark.parametrize("command", ["info", "generate", "chat"])
def test_an_unknown_type_of_cache_is_one_line(command_line, model_file, command):
    result = command_line(command, model_file, "--cache-type", "f8")
    assert result.exit_code != 0
    assert result.err == "rung: error: cache type is 'f8', expected f32 or f16\n"
