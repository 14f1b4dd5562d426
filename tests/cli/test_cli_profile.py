"""`rung generate --profile`: tables on stderr, files that are written, mistakes told at once."""

from __future__ import annotations

import json

import pytest

from engine_fakes import fake_model

ARGUMENTS = ("generate", "-p", "Once", "-n", 4, "--seed", 1, "--ignore-eos")


def test_text_is_the_same_and_tables_go_to_stderr(command_line):
    plain = command_line(*ARGUMENTS)
    profiled = command_line(*ARGUMENTS, "--profile", "summary")
    assert (profiled.exit_code, profiled.out) == (0, plain.out)
    assert "prompt: 2 tokens in 1 run" in profiled.err
    assert "decode: 3 tokens in 3 runs" in profiled.err
    assert "waiting for other threads" in profiled.err
    assert "tok/s" in profiled.err  # the usual summary as well
    assert "waiting" not in plain.err


def test_a_trace_and_tables_with_json(command_line, tmp_path):
    path = tmp_path / "trace.json"
    result = command_line(*ARGUMENTS, "--json", "--profile", path, "--profile", "summary")
    assert result.exit_code == 0
    assert len(json.loads(result.out)["tokens"]) == 4
    assert "decode: 3 tokens in 3 runs" in result.err
    trace = json.loads(path.read_text(encoding="utf-8"))
    assert trace["otherData"]["runs"] == 4
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_alone_prints_nothing_more(command_line, tmp_path):
    result = command_line(*ARGUMENTS, "-q", "--profile", tmp_path / "trace.json")
    assert result.err == ""
    assert (tmp_path / "trace.json").stat().st_size > 1000


@pytest.mark.parametrize(
    ("value", "exit_code", "said"),
    [
        ("sumary", 2, "--profile is 'sumary', expected summary or a file that ends in .json"),
        ("missing/trace.json", 1, "missing/trace.json cannot be written"),
        ("folder.json", 2, "folder.json is a folder; give the name of a file to write"),
    ],
)
def test_a_mistake_is_told_before_the_model_is_loaded(
    command_line, tmp_path, monkeypatch, value, exit_code, said
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.json").mkdir()
    command_line.use(fake_model())
    result = command_line("generate", "-p", "a", "--profile", value)
    assert result.exit_code == exit_code
    assert result.err.startswith("rung: error: ")
    assert said in result.err
    assert result.err.count("\n") == 1
    assert command_line.loaded_with == {}
    assert [path.name for path in tmp_path.iterdir()] == ["folder.json"]


def test_what_does_not_fit_is_told_without_tables(command_line, tmp_path, monkeypatch):
    from rung.backends.cpu import recorder

    monkeypatch.setattr(recorder, "MOST_RECORDS", 2)
    result = command_line(*ARGUMENTS, "-q", "--profile", tmp_path / "trace.json")
    assert "spans are missing" in result.err
    assert result.err.count("\n") == 1
