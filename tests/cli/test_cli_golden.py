"""The real thing, end to end: what llama2.c's run.c prints, byte for byte."""

from __future__ import annotations

import json

import pytest

PROMPT = "Tom and Lily went to the"


@pytest.fixture
def model(data_folder):
    return data_folder / "stories260K.bin"


def test_a_new_story(shell, model, data_folder):
    expected = (data_folder / "stories260K_greedy_200.txt").read_text()
    result = shell("generate", model, "-n", 200, "--temperature", 0)
    assert (result.exit_code, result.out) == (0, expected)
    assert "200 tokens" in result.err


def test_a_story_that_was_begun(shell, model, data_folder):
    expected = (data_folder / "stories260K_greedy_prompt.txt").read_text()
    begun = json.loads(shell("generate", model, "-p", PROMPT, "-n", 0, "--json").out)
    # run.c counts steps: each reads a token, the prompt's and BOS among them.
    n = 256 - len(begun["prompt_tokens"]) + 1
    options = ["-n", n, "--temperature", 0, "-q"]
    assert shell("generate", model, "-p", PROMPT, *options) == (0, expected, "")
    assert shell("generate", model, *options, stdin=PROMPT.encode()).out == expected


def test_seeds_threads_and_int8(shell, model, tmp_path):
    options = ["-n", 60, "--seed", 7, "-q", "--tokenizer", model.with_name("tok512.bin")]
    text = shell("generate", model, *options).out
    assert text == shell("generate", model, *options, "-t", 1).out
    assert text != shell("generate", model, *options, "--seed", 8).out
    output = tmp_path / "int8.bin"
    assert shell("convert", model, output, "--type", "i8").exit_code == 0
    assert len(shell("generate", output, *options).out) > 60


def test_a_chat(shell, model):
    result = shell("chat", model, "-n", 12, "--seed", 1, stdin=b"Hello\nAgain\n")
    assert result.exit_code == 0
    assert result.out.count("\n") >= 2


def test_a_prompt_longer_than_the_context(shell, model):
    result = shell("generate", model, "-p", PROMPT * 10, "--context", 32)
    assert result.exit_code == 1
    assert result.err.count("rung: error: the prompt has ") == 1
    assert "the context holds 32" in result.err
