"""`rung data`: from files on disk to a folder of shards, with what is said about it."""

from __future__ import annotations

import json
import struct

import pytest

from rung.formats.llama2c.write import write
from support import tiny_checkpoint, tiny_vocabulary, write_tokenizer
from vocabularies import LINES


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("\n".join(LINES))
    return path


@pytest.fixture
def model(tmp_path):
    """A model beside its tokenizer."""
    folder = tmp_path / "model"
    folder.mkdir()
    write(folder / "tiny.bin", tiny_checkpoint(), version=1)
    write_tokenizer(folder / "tokenizer.bin", *tiny_vocabulary())
    return folder / "tiny.bin"


def test_a_file_and_the_tokenizer_of_a_model(command_line, text, model, tmp_path):
    out = tmp_path / "out"
    result = command_line("data", text, "-o", out, "--tokenizer", model)
    assert (result.exit_code, result.out) == (0, "")
    assert "vocabulary 300) of 1 document, " in result.err
    assert "validation: " in result.err
    assert "tokenizer: tokenizer.bin (SentencePiece BPE (llama2.c))" in result.err
    names = {path.name for path in out.iterdir()}
    assert names == {"manifest.json", "tokenizer.bin", "train_000000.bin", "val_000000.bin"}


def test_a_tokenizer_that_is_trained(command_line, text, tmp_path):
    out = tmp_path / "out"
    result = command_line("data", text, "-o", out, "--train-tokenizer", 300, "--val", 0, "--json")
    manifest = json.loads(result.out)
    assert manifest == json.loads((out / "manifest.json").read_text())
    assert (manifest["vocab_size"], manifest["val_tokens"]) == (300, 0)
    assert len(manifest["shards"]) == 1
    shown = command_line("tokenize", out, "-p", "The quick", "--json")
    assert "".join(json.loads(shown.out)["pieces"]) == "TheĠquick"
    command = ("data", text, "-o", out, "--train-tokenizer", 99999)
    assert "exists already; --force replaces it" in command_line(*command).err
    result = command_line(*command, "--force")
    assert result.exit_code == 0
    assert "the text has no more than " in result.err
    assert command_line(*command, "--force", "--quiet") == (0, "", "")


def test_documents_validation_and_separators(command_line, tmp_path, model):
    (tmp_path / "a.jsonl").write_text('{"body": "one"}\n{"body": "two"}\n')
    (tmp_path / "v.md").write_text("three|four|five")
    arguments = ("data", tmp_path / "a.jsonl", "-o", tmp_path / "out", "--tokenizer", model)
    options = ("--field", "body", "--val-from", tmp_path / "v.md", "--split-at", "|")
    result = command_line(*arguments, *options, "--separator", "both", "--json", "-q")
    assert result.err == ""
    manifest = json.loads(result.out)
    assert [source["documents"] for source in manifest["sources"]] == [2, 3]
    assert manifest["separator"] == "both"


@pytest.mark.parametrize(
    ("arguments", "message", "code"),
    [
        ([], "is text: give --tokenizer or --train-tokenizer", 2),
        (["--tokenizer", "x", "--train-tokenizer", 300], "are both given; choose one", 2),
        (["--val", 0.1, "--val-from", "x"], "--val and --val-from are both given", 2),
        (["--train-tokenizer", 300, "--val", 1.5], "--val is 1.5, expected from 0", 2),
        (["--train-tokenizer", 5], "--train-tokenizer is 5, expected 257 to", 2),
        (["--train-tokenizer", 300, "--separator", "x"], "--separator is 'x'", 2),
        (["--train-tokenizer", 300, "--shard-tokens", 0], "--shard-tokens is 0", 2),
        (["--tokenizer", "nowhere"], "nowhere: file is missing", 1),
    ],
)
def test_mistakes(command_line, text, tmp_path, arguments, message, code):
    result = command_line("data", text, "-o", tmp_path / "out", *arguments)
    assert (result.exit_code, result.out) == (code, "")
    assert result.err.startswith("rung: error: ")
    assert result.err.count("\n") == 1
    assert message in result.err
    assert list(tmp_path.iterdir()) == [text]


def test_info_of_what_was_made(command_line, text, tmp_path):
    out = tmp_path / "out"
    command_line("data", text, "-o", out, "--train-tokenizer", 300)
    facts = json.loads(command_line("info", out, "--json").out)
    manifest = json.loads((out / "manifest.json").read_text())
    assert (facts["train"], facts["vocabulary"]) == (manifest["train_tokens"], 300)
    assert "rung data (uint16)" in command_line("info", out).out
    shard = json.loads(command_line("info", out / "val_000000.bin", "--json").out)
    assert shard["tokens"] == manifest["val_tokens"]
    assert "llm.c tokens (GPT-2, uint16)" in command_line("info", out / "val_000000.bin").out
    (tmp_path / "state.bin").write_bytes(struct.pack("<4i", 20240327, 2, 4, 64).ljust(1024, b"\0"))
    state = json.loads(command_line("info", tmp_path / "state.bin", "--json").out)
    assert (state["batch"], state["sequence"]) == (4, 64)
