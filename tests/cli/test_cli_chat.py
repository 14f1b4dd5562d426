"""`rung chat`: turns from a pipe and at a terminal, and the commands."""

from __future__ import annotations

import os
import signal

import pytest

from engine_fakes import EOS, FIRST_BYTE, FakeRunner, fake_model

SPACE = FIRST_BYTE + 32


def counting_runner(context_length=600):
    """Answers " A" to the first turn in its context, " B" to the second …"""

    def next_token(history):
        text = bytes(max(i - FIRST_BYTE, 0) for i in history)
        if text.endswith(b"[/INST]"):
            return SPACE
        if text.endswith(b" ") and text[-8:-1] == b"[/INST]":
            return FIRST_BYTE + 64 + text.count(b"[INST]")
        return EOS

    return FakeRunner(context_length=context_length, next_token=next_token, max_tokens=64)


@pytest.fixture
def chat(command_line):
    """Holds a conversation of these lines."""

    def run(lines, *options, terminal=False):
        command_line.use(fake_model(counting_runner()))
        return command_line("chat", *options, stdin=lines, terminal=terminal)

    return run


def test_each_line_of_a_pipe_is_a_turn(chat):
    assert chat("one\ntwo\n\nthree") == (0, "A\nB\nC\n", "")


def test_a_backslash_continues_the_line(chat):
    assert chat("one \\\nand more\ntwo\n").out == "A\nB\n"


def test_a_terminal_is_greeted_and_prompted_on_stderr(chat):
    result = chat("one\n/quit\nnever\n", terminal=True)
    assert result.out == "A\n"
    assert "/help lists the commands" in result.err
    assert result.err.count("> ") == 2


def test_commands(chat):
    lines = "one\ntwo\n/undo\ntwo again\n/retry\n/reset\none\n/system Be kind.\none\n/system\none\n"
    assert chat(lines).out == "A\nB\nB\nB\nA\nA\nA\n"
    result = chat("/help\n/nonsense\n/undo\n/retry\n/exit\nnever\n")
    assert result.out == ""
    for expected in ("/help", "/retry", "/nonsense is no command", "nothing to undo", "to retry"):
        assert expected in result.err


def test_a_block_of_lines_between_quotes(chat):
    assert chat('"""one\n  and /more\n\n"""\ntwo\n"""three"""\n').out == "A\nB\nC\n"


def test_a_conversation_is_saved_and_gone_on_with(chat, tmp_path):
    path = tmp_path / "talk.json"
    assert chat(f"one\ntwo\n/save {path}\n").err == "(saved: 2 turns)\n"
    result = chat(f"/load {path}\nthree\n/save\n/load\n")
    assert result.out == "C\n"
    assert result.err == "(loaded: 2 turns)\n(name a file: /save FILE)\n(name a file: /load FILE)\n"


def test_a_file_that_cannot_be_loaded(chat, tmp_path):
    lines = f"/load {tmp_path}/none\none\n"
    result = chat(lines)
    assert (result.exit_code, result.out) == (1, "")
    assert "none: file is missing, expected a conversation" in result.err
    result = chat(lines, terminal=True)
    assert (result.exit_code, result.out) == (0, "A\n")
    assert "none: file is missing" in result.err


def test_a_template_by_name_or_file(chat, tmp_path):
    assert chat("one\n", "--chat-template", "llama2").out == "A\n"
    result = chat("one\n", "--chat-template", "nope")
    assert (result.exit_code, result.out) == (2, "")
    assert "no chat template 'nope'" in result.err
    path = tmp_path / "looping.jinja"
    path.write_text("{{ 'a' * 10 ** 11 }}")
    result = chat("one\n", "--chat-template", path)
    assert (result.exit_code, result.err.count("\n")) == (1, 1)
    assert f"the chat template {path} needs more memory" in result.err


def test_an_answer_cut_by_max_tokens_is_told(chat):
    result = chat("one\n", "-n", 1)
    assert result.out == "\n"
    assert "cut at --max-tokens" in result.err


def test_the_oldest_turns_are_forgotten_and_it_is_told(command_line):
    command_line.use(fake_model(counting_runner(context_length=80)))
    result = command_line("chat", stdin="one\ntwo\nthree\nfour\n")
    assert result.out == "A\nB\nB\nB\n"
    assert result.err.count("the oldest turn was forgotten") == 2


def test_a_turn_that_cannot_fit(command_line):
    command_line.use(fake_model(counting_runner(context_length=80)))
    lines = "x" * 100 + "\none\n"
    result = command_line("chat", stdin=lines)
    assert (result.exit_code, result.out) == (1, "")
    assert result.err.startswith("rung: error: this message needs")
    command_line.use(fake_model(counting_runner(context_length=80)))
    result = command_line("chat", stdin=lines, terminal=True)
    assert (result.exit_code, result.out) == (0, "A\n")
    assert "(this message needs" in result.err


def test_ctrl_c_stops_the_answer_and_keeps_the_conversation(command_line):
    def next_token(history):
        if len(history) == 30 and not stopped:
            stopped.append(True)
            os.kill(os.getpid(), signal.SIGINT)
        return 70 if len(history) < 40 else EOS

    stopped = []
    command_line.use(fake_model(FakeRunner(context_length=200, next_token=next_token)))
    result = command_line("chat", stdin="one\ntwo\n")
    n_opening = len("[INST] one [/INST]") + 1
    assert result.exit_code == 0
    assert result.out.split("\n")[0] == "C" * (30 - n_opening + 1)
    assert "(stopped)" in result.err


def test_ctrl_c_at_the_prompt_ends_the_conversation(command_line, monkeypatch):
    command_line.use(fake_model(counting_runner()))
    monkeypatch.setattr("rung.cli.chat.conversation.Conversation._read_line", _interrupted)
    assert command_line("chat", terminal=True).exit_code == 0


def _interrupted(*_):
    raise KeyboardInterrupt


def test_the_same_seed_gives_the_same_conversation_and_retry_another_answer(command_line):
    outputs = []
    for lines in ("one\ntwo\n", "one\ntwo\n", "one\n/retry\n"):
        command_line.use(fake_model(FakeRunner(context_length=400, max_tokens=64)))
        options = ("--seed", 4, "-n", 12, "--temp", 3, "--top-p", 1)
        outputs.append(command_line("chat", *options, stdin=lines).out)
    assert outputs[0] == outputs[1]
    first = outputs[2].split("\n")[0]
    assert outputs[2] != f"{first}\n{first}\n"


def test_a_wrong_option_is_told(chat):
    result = chat("", "--min-p", 2)
    assert result.exit_code == 2
    assert "min_p is 2.0" in result.err
