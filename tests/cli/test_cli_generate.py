"""`rung generate`: what goes to stdout, what to stderr, and where the prompt comes from."""

from __future__ import annotations

import json
import os
import signal
import sys

import pytest

from engine_fakes import EOS, FakeRunner, fake_model, says
from rung.cli.loading import StepProgress


def model_saying(text, prompt=""):
    return fake_model(FakeRunner(next_token=says(text, after=len(prompt.encode()) + 1)))


def test_text_on_stdout_and_the_summary_on_stderr(command_line):
    command_line.use(model_saying(" went home.", "Lily"))
    result = command_line("generate", "a.bin", "-p", "Lily", "--seed", 5)
    assert result.exit_code == 0
    assert result.out == "Lily went home.\n"
    assert "prompt      5 tokens" in result.err
    assert "text       12 tokens" in result.err
    assert "ended by the end of the text" in result.err
    assert "tok/s" in result.err
    assert "peak memory" in result.err
    assert "seed 5" in result.err


def test_no_echo_and_quiet(command_line):
    command_line.use(model_saying(" went home.", "Lily"))
    result = command_line("generate", "-p", "Lily", "--no-echo", "-q")
    assert result == (0, " went home.\n", "")


def test_json_is_one_object_and_nothing_else(command_line):
    command_line.use(model_saying("é.", "Lily"))
    result = command_line("generate", "-p", "Lily", "--json", "--seed", 9, "-n", 50)
    report = json.loads(result.out)
    assert result.err == ""
    assert report["prompt"] == "Lily"
    assert report["text"] == "é."
    assert report["finish_reason"] == "end_of_text"
    assert report["seed"] == 9
    assert len(report["prompt_tokens"]) == 5
    assert len(report["tokens"]) == 3
    assert report["usage"]["generated_tokens"] == 4
    assert report["peak_memory_bytes"] > 1_000_000
    assert report["load_s"] >= 0


@pytest.mark.parametrize(
    ("arguments", "stdin", "expected"),
    [
        (["-p", "text"], "ignored", "text"),
        (["-p", "text\n"], "", "text\n"),
        (["-p", "-"], "from stdin\n", "from stdin"),
        (["-f", "-"], "from stdin\r\n", "from stdin"),
        ([], "piped\n\n", "piped\n"),
        (["model.bin"], "", ""),
        ([], "", "Once"),
        (["-p", ""], "ignored", ""),
    ],
)
def test_where_the_prompt_comes_from(command_line, arguments, stdin, expected):
    command_line.use(model_saying("", expected))
    result = command_line("generate", "-q", *arguments, stdin=stdin)
    assert result == (0, expected + "\n", "")


def test_a_terminal_without_a_prompt_begins_a_new_text(command_line):
    command_line.use(model_saying("Once."))
    result = command_line("generate", "model.bin", "-q", stdin="unread", terminal=True)
    assert result.out == "Once.\n"


def test_a_prompt_from_a_file(command_line, tmp_path):
    path = tmp_path / "prompt.txt"
    path.write_bytes("schön\n".encode())
    command_line.use(model_saying("!", "schön"))
    assert command_line("generate", "-q", "-f", path).out == "schön!\n"


@pytest.mark.parametrize(
    ("arguments", "stdin", "message"),
    [
        (["-p", "a", "-f", "b"], b"", "--prompt and --file are both given"),
        (["-f", "nowhere.txt"], b"", "cannot read the prompt: nowhere.txt: No such file"),
        (["-f", "."], b"", "cannot read the prompt: .: "),
        ([], b"ab\xff", "the prompt from stdin is not UTF-8 text: byte 2 is 0xff"),
        (["-p", os.fsdecode(b"\xff")], b"", "the prompt from --prompt is not UTF-8"),
        (["--top-p", "1.5"], b"", "top_p is 1.5"),
        (["--temp", "nan"], b"", "temperature is nan"),
        (["--stop", ""], b"", "a stop string is empty"),
    ],
)
def test_mistakes_are_told_in_one_line(command_line, arguments, stdin, message):
    command_line.use(fake_model())
    result = command_line("generate", *arguments, stdin=stdin)
    assert result.exit_code == 2
    assert result.err.startswith("rung: error: ")
    assert message in result.err
    assert result.err.count("\n") == 1
    assert result.out == ""


def test_a_prompt_longer_than_the_context(command_line):
    command_line.use(fake_model(FakeRunner(context_length=16)))
    result = command_line("generate", "-p", "x" * 30)
    assert result.exit_code == 1
    assert "31 tokens" in result.err
    assert "holds 16" in result.err


def test_a_full_context_is_told(command_line):
    command_line.use(fake_model(FakeRunner(context_length=16, next_token=lambda history: 70)))
    result = command_line("generate", "model.bin", "-n", -1)
    assert result.out == "C" * 16 + "\n"
    assert "ended by a full context (16 tokens)" in result.err


def test_stop_strings_and_ignore_eos(command_line):
    command_line.use(model_saying("one two three"))
    result = command_line("generate", "model.bin", "-q", "--stop", "three", "--stop", " two")
    assert result.out == "one\n"
    command_line.use(model_saying("one"))
    result = command_line("generate", "model.bin", "--json", "--ignore-eos", "-n", 5)
    assert json.loads(result.out)["tokens"][3:] == [EOS] * 2


def test_options_reach_the_model(command_line):
    command_line.use(fake_model())
    options = ["--tokenizer", "t.bin", "-t", 3, "-c", 20, "-n", 0]
    assert command_line("generate", "m.bin", *options).exit_code == 0
    loaded = command_line.loaded_with
    assert (str(loaded["path"]), str(loaded["tokenizer"])) == ("m.bin", "t.bin")
    assert (loaded["threads"], loaded["context_length"]) == (3, 20)
    with_seed = ["generate", "-q", "-p", "a", "--seed", 1, "--ignore-eos", "-n", 20]
    seen = set()
    for more in ([], ["--top-k", 1], ["--temp", 2], ["--repeat-penalty", 3], ["--top-p", 0.2]):
        command_line.use(fake_model())
        seen.add(command_line(*with_seed, *more).out)
    assert len(seen) >= 4  # top-k 1 and top-p 0.2 may agree


def test_the_first_ctrl_c_keeps_the_text(command_line):
    def next_token(history):
        if len(history) == 6:
            os.kill(os.getpid(), signal.SIGINT)
        return 70

    command_line.use(fake_model(FakeRunner(next_token=next_token)))
    result = command_line("generate", "model.bin", "-n", -1)
    assert result.exit_code == 130
    assert result.out == "CCCCCC\n"
    assert "ended by Ctrl-C" in result.err
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_still_prints_the_json(command_line):
    def next_token(history):
        if len(history) == 6:
            os.kill(os.getpid(), signal.SIGINT)
        return 70

    command_line.use(fake_model(FakeRunner(next_token=next_token)))
    result = command_line("generate", "--json")
    assert result.exit_code == 130
    assert json.loads(result.out)["finish_reason"] == "interrupted"


def test_the_second_ctrl_c_ends_at_once(command_line):
    def next_token(history):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        return 70

    command_line.use(fake_model(FakeRunner(next_token=next_token)))
    assert command_line("generate").exit_code == 130


def test_compiling_is_told_once_where_there_is_no_terminal(command_line):
    def compile_kernels(on_compile):
        for done, name in enumerate(["linear", "attention", "norm"]):
            on_compile(done, 3, name)

    command_line.use(model_saying("text"), while_loading=compile_kernels)
    result = command_line("generate", "-n", 1)
    assert result.err.startswith("compiling kernels (first run on this machine)\n\n")
    command_line.use(model_saying("text"), while_loading=compile_kernels)
    assert command_line("generate", "-n", 1, "-q").err == ""


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (MemoryError("Unable to allocate 3 GiB"), 1, "out of memory (Unable to allocate 3 GiB)"),
        (OSError(28, "No space left on device"), 1, "No space left on device"),
        (PermissionError(13, "Permission denied", "x.bin"), 1, "x.bin: Permission denied"),
        (KeyboardInterrupt(), 130, ""),
        (BrokenPipeError(32, "Broken pipe"), 141, ""),
    ],
)
def test_limits_of_the_machine_are_one_line_and_a_code(command_line, error, code, message):
    def fail(on_compile):
        raise error

    command_line.use(fake_model(), while_loading=fail)
    result = command_line("generate")
    assert result.exit_code == code
    assert message in result.err
    assert result.err.count("\n") == (1 if message else 0)


def test_one_bar_at_a_time(monkeypatch):
    """The bar of what is done is gone before the next one begins; it may begin again."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    progress = StepProgress("moving", quiet=False)
    for _ in range(2):
        progress(0, 2, "first")
        assert progress._bar is not None
        progress(2, 2, "")
        assert progress._bar is None
