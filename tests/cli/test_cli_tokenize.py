"""`rung tokenize`: models, vocabularies and tokenizer files; readable and as JSON."""

from __future__ import annotations

import json

import pytest

from support import tiny_vocabulary, write_tokenizer
from vocabularies import spm_model


@pytest.fixture
def spm(tmp_path):
    path = tmp_path / "tokenizer.model"
    path.write_bytes(spm_model())
    return path


def test_a_tokenizer_file(command_line, spm):
    result = command_line("tokenize", spm, "-p", "a🫥b</s>", "--json")
    found = json.loads(result.out)
    assert found["tokens"][0] == 1
    assert "".join(found["pieces"]).startswith("<s>▁a<0xF0><0x9F>")
    assert len(found["tokens"]) == len(found["pieces"])
    assert 2 not in found["tokens"]
    special = command_line("tokenize", spm, "-p", "a</s>", "--special", "--no-bos", "--json")
    assert json.loads(special.out)["tokens"][1:] == [2]


def test_a_table_to_read(command_line, spm):
    result = command_line("tokenize", spm, "-p", "a\té")
    lines = result.out.splitlines()
    assert (result.exit_code, result.err) == (0, "")
    assert lines[0].split() == ["1", "<s>"]
    assert lines[1].split()[1:] == ["▁a", '"a"']
    assert lines[2].split()[1:] == [r"\t", r'"\t"']


def test_the_text_may_come_from_a_file_or_a_pipe(command_line, spm, tmp_path):
    (tmp_path / "text").write_text("quick\n")
    for arguments, stdin in (
        (("-p", "quick"), ""),
        (("-f", tmp_path / "text"), ""),
        ((), "quick\n"),
    ):
        result = command_line("tokenize", spm, "--json", *arguments, stdin=stdin)
        assert "".join(json.loads(result.out)["pieces"]) == "<s>▁quick"


def test_nothing_has_no_tokens(command_line, spm):
    assert command_line("tokenize", spm, "--no-bos", "-p", "").out == ""


def test_a_tokenizer_bin_and_the_folder_of_one(command_line, tmp_path):
    path = write_tokenizer(tmp_path / "tokenizer.bin", *tiny_vocabulary())
    for source in (path, tmp_path):
        result = command_line("tokenize", source, "-p", "the", "--json", "--no-bos")
        assert json.loads(result.out)["pieces"] == [" the"]


def test_models_and_vocabularies(command_line, data_folder):
    for name, expected in (
        ("ggml-vocab-gpt-2.gguf", [15496, 995]),
        ("ggml-vocab-llama-spm.gguf", [1, 15043, 3186]),
        ("llama2_tokenizer.model", [1, 15043, 3186]),
        ("llama2_tokenizer.bin", [1, 15043, 3186]),
    ):
        result = command_line("tokenize", data_folder / name, "-p", "Hello world", "--json")
        assert json.loads(result.out)["tokens"] == expected, name
    model = command_line("tokenize", data_folder / "stories260K.bin", "-p", "Once", "--json")
    alone = command_line("tokenize", data_folder / "tok512.bin", "-p", "Once", "--json")
    assert model.out == alone.out


def test_errors(command_line, tmp_path, spm):
    result = command_line("tokenize", tmp_path / "nothing", "-p", "x")
    assert (result.exit_code, result.out) == (1, "")
    assert result.err.startswith("rung: error: ")
    assert "missing" in result.err
    assert command_line("tokenize", spm, "-p", "x", "-f", "y").exit_code == 2
