"""`rung bench model`: what it prints and appends, alone and beside others, and what it refuses."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from conftest import CommandLine
from gpu import require_gpu
from rung.backends.base import Origin
from rung.backends.cpu.machine import notable_features
from rung.bench.models import run
from rung.bench.models.rows import Limits
from rung.simd.target import host

QUICK = ("--prompt", "8", "--depth", "4", "--tokens", "3", "--repeats", "2", "--threads", "1")
TINY = ("--shape", "stories260K", *QUICK)


@pytest.fixture(autouse=True)
def _known_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits that need no measuring, for they take seconds."""
    monkeypatch.setattr(run, "_limits", lambda *_: Limits(30.0, 900.0))


def test_a_table(command_line: CommandLine) -> None:
    done = command_line("bench", "model", *TINY)
    assert done.exit_code == 0
    lines = [line.strip() for line in done.out.splitlines() if line.strip()]
    assert lines[0].split() == ["tok/s", "GB/s", "of", "bandwidth", "GFLOP/s", "of", "arithmetic"]
    assert any(line.startswith("prompt 8 ") for line in lines)
    assert any(line.startswith("decode 3 after 4 ") for line in lines)
    assert any(line.startswith("stories260K q8_0+f16, ") for line in lines)
    assert any("loaded in" in line and "peak memory" in line for line in lines)
    assert any(line.startswith("first token: ") for line in lines)
    assert "of the matrices are f16: their rows are not whole blocks of q8_0" in done.err


def test_the_built_in_model(command_line: CommandLine) -> None:
    done = command_line("bench", "model", *QUICK, "--format", "json")
    rows = json.loads(done.out)
    assert [(r["op"], r["tokens"], r["depth"]) for r in rows] == [
        ("prompt", 8, 0),
        ("decode", 3, 4),
    ]
    assert {(r["shape"], r["dtype"], r["activations"]) for r in rows} == {
        ("built-in", "i8_g64", "int8")
    }
    assert all(len(r["rounds"]) == 2 and r["threads"] == 1 for r in rows)


def test_csv_has_every_key(command_line: CommandLine) -> None:
    done = command_line("bench", "model", *TINY, "--type", "f32", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert [row["op"] for row in rows] == ["prompt", "decode"]
    assert {row["dtype"] for row in rows} == {"f32"}
    assert rows[0]["read_gb_s"] == "" != rows[1]["read_gb_s"]


def test_markdown(command_line: CommandLine) -> None:
    lines = command_line("bench", "model", *TINY, "--format", "markdown").out.splitlines()
    assert lines[0].startswith("|  | tok/s | GB/s |")
    assert lines[1].count("---:") == 5
    assert all(line.count("|") == lines[0].count("|") for line in lines[:4])
    assert lines[5].startswith("- stories260K")


def test_rows_are_appended(command_line: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    for _ in range(2):
        done = command_line("bench", "model", *TINY, "--append", file)
        assert f"2 rows added to {file}" in done.err
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert [row["op"] for row in rows] == ["prompt", "decode"] * 2
    keys = {"version", "backend", "dtype", "shape", "machine", "commit", "p20", "p50", "p80"}
    keys |= {"mean", "deviation", "fraction_of_limit", "activations", "threads"}
    assert all(keys <= row.keys() for row in rows)
    features = {(row["features"], *row["instructions"]) for row in rows}
    assert features == {(host().chosen or "default", *notable_features())}


def test_a_file_that_is_kept(command_line: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "kept.gguf"
    command_line("bench", "model", *TINY, "--keep", file)
    again = command_line("bench", "model", file, *QUICK, "--format", "json")
    assert {row["shape"] for row in json.loads(again.out)} == {"kept"}
    refused = command_line("bench", "model", *TINY, "--keep", file)
    assert refused.exit_code == 2
    assert "exists already" in refused.err


def test_activations(command_line: CommandLine) -> None:
    options = ("--shape", "stories15M", *QUICK, "--format", "json", "--activations")
    for kind in ("float32", "int8"):
        rows = json.loads(command_line("bench", "model", *options, kind).out)
        assert {row["activations"] for row in rows} == {kind}


def test_beside_llama_cpp(command_line: CommandLine, tmp_path: Path) -> None:
    pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed")
    file = tmp_path / "rows.jsonl"
    done = command_line("bench", "model", *TINY, "--versus", "llama.cpp", "--append", file)
    assert done.exit_code == 0, done.err
    assert "llama.cpp" in done.out
    assert "its tok/s   ratio" in done.out
    for row in map(json.loads, file.read_text().splitlines()):
        assert row["peer"].startswith("llama.cpp ")
        assert row["ratio"] > 0
        assert len(row["rounds"]) == 2
        assert all(len(pair) == 2 for pair in row["rounds"])
        assert min(row["peak_memory_bytes"], row["peer_peak_memory_bytes"]) > 1 << 20


def test_beside_torch(command_line: CommandLine) -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed")
    options = (*TINY, "--type", "i8", "--versus", "torch-bf16", "--format", "json")
    rows = json.loads(command_line("bench", "model", *options).out)
    assert [row["op"] for row in rows] == ["prompt", "decode"]
    assert all(row["peer"].startswith("torch ") and row["peer_load_s"] is None for row in rows)


def test_cache_types(command_line: CommandLine) -> None:
    options = (*TINY, "--type", "f32", "--format", "json")
    rows = json.loads(command_line("bench", "model", *options).out)
    assert {row["cache_type"] for row in rows} == {"f32"}
    rows = json.loads(command_line("bench", "model", *options, "--cache-type", "f16").out)
    assert {row["cache_type"] for row in rows} == {"f16"}


@pytest.mark.parametrize("peer", ["llama.cpp", "torch-bf16"])
def test_a_program_that_is_not_installed(
    command_line: CommandLine, monkeypatch: pytest.MonkeyPatch, peer: str
) -> None:
    module, package = {
        "llama.cpp": ("llama_cpp", "llama-cpp-python"),
        "torch-bf16": ("torch", "torch"),
    }[peer]
    monkeypatch.setitem(sys.modules, module, None)
    done = command_line("bench", "model", *TINY, "--versus", peer)
    assert done.exit_code == 1
    assert done.err == (
        f"rung: error: --versus {peer} needs {package}, which is not installed: "
        f"pip install {package}\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--shape", "llama9"), "--shape is 'llama9', expected one of"),
        (("--shape", "stories260K", "--type", "q9"), "--type is 'q9', expected one of"),
        (("some.gguf", "--shape", "stories260K"), "MODEL and --shape are both given"),
        (("--type", "q8_0"), "--type is for the random weights of --shape"),
        (("--keep", "x.gguf"), "--keep is for the random weights of --shape"),
        ((*TINY, "--keep", "x.txt"), "x.txt names no format"),
        ((*TINY, "--versus", "vllm"), "--versus is 'vllm', expected one of llama.cpp, torch-bf16"),
        ((*TINY, "--prompt", "abc"), "--prompt is 'abc'"),
        ((*TINY, "--prompt", "600"), "needs 600 positions, the context holds 512"),
        ((*TINY, "--append", "no/such/folder/x.jsonl"), "there is no folder no/such/folder"),
        ((*TINY, "--threads", "0"), "threads"),
        ((*TINY, "--cache-type", "q8"), "cache type is 'q8', expected f32 or f16"),
        ((*TINY, "--activations", "int4"), "activations is 'int4', expected float32 or int8"),
        ((*TINY, "--repeats", "0"), "--repeats"),
        (("--shape", "stories15M", "--type", "i8_g100", *QUICK), "multiple of 100, not 288"),
    ],
)
def test_refusals(command_line: CommandLine, arguments: tuple[Any, ...], message: str) -> None:
    done = command_line("bench", "model", *arguments)
    assert (done.exit_code, done.out) == (2, "")
    assert message in done.err
    assert done.err.count("\n") == 1


def test_a_type_that_gguf_does_not_hold(command_line: CommandLine) -> None:
    pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed")
    done = command_line("bench", "model", *TINY, "--type", "i8", "--versus", "llama.cpp")
    assert done.exit_code == 2
    assert "needs a GGUF file, which holds no i8; choose one of" in done.err


def test_a_model_that_is_no_gguf(command_line: CommandLine) -> None:
    pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed")
    done = command_line("bench", "model", *QUICK, "--versus", "llama.cpp")
    assert done.exit_code == 2
    assert "rung convert writes one" in done.err


def test_a_shape_that_torch_does_not_run(command_line: CommandLine) -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed")
    done = command_line("bench", "model", "--shape", "gpt2-124m", *QUICK, "--versus", "torch-bf16")
    assert done.exit_code == 2
    assert "runs plain Llama shapes only" in done.err


def test_on_a_gpu(command_line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    require_gpu()
    place = Origin("Some GPU", "default", ("f16", "vulkan"))
    monkeypatch.setattr(run, "_gpu_limits", lambda device: (Limits(4000.0, 6e4), place))
    done = command_line("bench", "model", *TINY, "--device", "webgpu", "--format", "json")
    rows = json.loads(done.out)
    assert {(row["backend"], row["machine"], row["activations"]) for row in rows} == {
        ("webgpu", "Some GPU", "float32")
    }
    assert {row.get("limit_gb_s", 4000.0) for row in rows} == {4000.0}
    done = command_line("bench", "model", *TINY, "--device", "gpu")
    assert done.exit_code == 2
    assert "expected one of cpu, webgpu" in done.err
