"""`rung kernels` and `rung bench machine`: lists, checks, tables, rows, plots, exit codes."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

from rung import ops
from rung.bench.kernels.rows import Row
from rung.bench.machine import file as machine_file
from rung.bench.machine.limits import Limits, Peak
from rung.registry import OPS, Split
from rung.simd.spans import span


def scale_by_two_too_much(part, parts, x_TD, y_TD, factor):
    start, stop = span(part, parts, x_TD.size, 1024)
    x, y = x_TD.reshape(-1), y_TD.reshape(-1)
    for i in range(start, stop):
        y[i] = np.float32(factor + 2) * x[i]


@pytest.fixture
def wrong_kernel(monkeypatch):
    """Version 2 of `scale` computes something else."""
    monkeypatch.setattr(ops.scale, "kernels", list(ops.scale.kernels))
    register = ops.scale.kernel("cpu", 2, why="is wrong", split=Split("TD", 1024))
    register(scale_by_two_too_much)


@pytest.fixture(autouse=True)
def made_up_machine(monkeypatch):
    """Limits that nobody measured; the numbers of threads that were asked for."""
    asked = []

    def limits(threads, *, fresh=False, progress=lambda what: None):
        asked.append((threads, fresh))
        progress("something")
        peaks = {"f32": Peak(100.0 * threads, "fma"), "int8": Peak(400.0, "dot")}
        return Limits(threads, 20.0, 25.0, ((1 << 14, 90.0), (1 << 20, 60.5)), peaks)

    monkeypatch.setattr(machine_file, "limits", limits)
    return asked


def _ladder(form):
    return [k for k in ops.linear.kernels if (k.form, k.backend) == (form, "cpu")]


def check_error(result, *expected, exit_code=2):
    assert result.exit_code == exit_code
    assert result.out == ""
    assert result.err.startswith("rung: error: ")
    assert result.err.count("\n") == 1
    assert all(text in result.err for text in expected)


def test_the_list_has_every_kernel(command_line):
    text = command_line("kernels").out
    assert text == command_line("kernels", "list").out
    for op in OPS.values():
        for kernel in op.kernels:
            assert (f" {kernel.name} " in text) == (kernel.backend == "cpu")
    assert "* decode and prompt" in text


def test_kernels_of_blas(command_line, monkeypatch):
    monkeypatch.setenv("RUNG_BLAS", "auto")
    text = command_line("kernels", "list", "--backend", "blas").out
    kernels = [kernel for kernel in ops.linear.kernels if kernel.backend == "blas"]
    assert kernels
    assert all(f" {kernel.name} " in text for kernel in kernels)
    result = command_line("kernels", "check", "linear", "--backend", "blas", "--form", "f32")
    assert (result.exit_code, result.out[:4], result.err) == (0, "ok  ", "")
    arguments = ["--backend", "blas", "--form", "f32", "--shape", "64x96", "--repeats", 1]
    result = command_line("kernels", "bench", "linear", *arguments, "--json", "-")
    assert {json.loads(line)["backend"] for line in result.out.splitlines()} == {"blas"}


def test_kernels_of_blas_without_a_library(command_line, monkeypatch):
    monkeypatch.setenv("RUNG_BLAS", "none")
    listed = json.loads(command_line("kernels", "list", "--backend", "blas", "--json").out)
    assert {kernel["why_not"] for kernel in listed} == {
        "switched off (--blas none or RUNG_BLAS=none)"
    }
    result = command_line("kernels", "check", "linear", "--backend", "blas")
    check_error(result, "the blas backend is not available: switched off", exit_code=1)
    result = command_line("kernels", "bench", "linear", "--backend", "blas", "--form", "f32")
    check_error(result, "no blas kernel of linear runs here")


def test_the_list_of_one_op_as_json(command_line):
    found = json.loads(command_line("kernels", "list", "linear", "--type", "q8_0", "--json").out)
    assert {kernel["op"] for kernel in found} == {"linear"}
    assert all(kernel["types"]["w_NK"] == "q8_0" for kernel in found)
    assert {"decode", "prompt"} <= {phase for kernel in found for phase in kernel["selected"]}
    assert all(kernel["runs_here"] for kernel in found if kernel["selected"])
    assert all(kernel["runs_here"] != bool(kernel["why_not"]) for kernel in found)


def test_a_check_that_all_pass(command_line):
    result = command_line("kernels", "check", "rms_norm", "--threads", 2)
    assert result.exit_code == 0
    lines = result.out.splitlines()
    on_cpu = [kernel for kernel in ops.rms_norm.kernels if kernel.backend == "cpu"]
    assert [line[:4] for line in lines[:-1]] == ["ok  "] * len(on_cpu)
    assert lines[-1].endswith("0 failed")
    assert result.err == ""


@pytest.mark.usefixtures("wrong_kernel")
def test_a_check_that_fails(command_line):
    result = command_line("kernels", "check", "scale")
    assert result.exit_code == 1
    assert [line[:4] for line in result.out.splitlines()] == ["ok  ", "FAIL", "2 ke"]
    assert "the worst: T=" in result.out
    as_json = command_line("kernels", "check", "scale", "--json")
    assert as_json.exit_code == 1
    assert [kernel["ok"] for kernel in json.loads(as_json.out)] == [True, False]
    assert command_line("kernels", "check", "scale", "--version", 1).exit_code == 0


def test_a_bench_prints_a_table_and_appends_rows(command_line, tmp_path):
    rows = tmp_path / "rows.jsonl"
    arguments = [
        "kernels",
        "bench",
        "linear",
        "--form",
        "f32",
        "--shape",
        "64x96",
        "--tokens",
        "1,2",
    ]
    arguments += ["--threads", "1,2", "--chunk", "1,2", "--repeats", 2, "--json", rows]
    result = command_line(*arguments)
    assert (result.exit_code, result.err) == (0, "")
    assert "linear:f32  T=1 K=96 N=64" in result.out
    assert "linear:f32  T=2 K=96 N=64" in result.out
    found = [json.loads(line) for line in rows.read_text().splitlines()]
    # The newest is for 64 tokens and more.
    assert len(found) == 2 * 2 * 2 * (len(_ladder("f32")) - 1)
    assert all(set(row) == set(Row.__dataclass_fields__) for row in found)
    assert command_line(*arguments).exit_code == 0
    assert len(rows.read_text().splitlines()) == 2 * len(found)


def test_rows_instead_of_tables(command_line):
    result = command_line("kernels", "bench", "add", "--shape", "T=1,D=64", "--json", "-")
    [row] = [json.loads(line) for line in result.out.splitlines()]
    assert (row["op"], row["shape"]) == ("add", {"T": 1, "D": 64})


@pytest.mark.usefixtures("wrong_kernel")
def test_a_bench_refuses_a_wrong_kernel(command_line):
    result = command_line("kernels", "bench", "scale", "--shape", "T=1,D=64", "--repeats", 1)
    assert result.exit_code == 1
    assert "scale/cpu=2" in result.err
    assert "does not compute the reference" in result.err
    assert "is wrong" not in result.out
    alone = ["kernels", "bench", "scale", "--version", 2, "--tokens", 1]
    assert command_line(*alone)[:2] == (1, "")


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_plots(command_line, tmp_path, suffix):
    ladder, machine = tmp_path / f"ladder{suffix}", tmp_path / f"machine{suffix}"
    arguments = ["kernels", "bench", "rms_norm", "--shape", "D=64", "--repeats", 1]
    assert command_line(*arguments, "--plot", ladder).exit_code == 0
    assert command_line("bench", "machine", "--threads", "1,2", "--plot", machine).exit_code == 0
    begins = b"\x89PNG" if suffix == ".png" else b"<?xml"
    assert ladder.read_bytes().startswith(begins)
    assert machine.read_bytes().startswith(begins)


def test_a_plot_of_what_has_no_operations(command_line, tmp_path):
    file = tmp_path / "plot.svg"
    arguments = ["kernels", "bench", "cache_write", "--shape", "C=8,G=1,D=4,T=1", "--repeats", 1]
    assert command_line(*arguments, "--plot", file).exit_code == 0
    assert file.exists()


def test_plots_that_cannot_be_drawn(command_line, tmp_path, monkeypatch):
    check_error(command_line("bench", "machine", "--plot", "x.pdf"), ".png or .svg")
    nowhere = tmp_path / "nowhere" / "x.png"
    check_error(command_line("kernels", "bench", "add", "--plot", nowhere), "no folder")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    check_error(command_line("bench", "machine", "--plot", tmp_path / "x.png"), "rung[plot]")


def test_the_machine(command_line, made_up_machine):
    text = command_line("bench", "machine", "--threads", "1,2", "--fresh").out
    assert made_up_machine == [(1, True), (2, True)]
    assert "read memory, GB/s" in text
    assert "1.0 MiB" in text
    assert "f32 products (fma), Gop/s" in text
    found = json.loads(command_line("bench", "machine", "--threads", 2, "--json").out)
    assert found["limits"][0]["peaks"]["f32"]["gops"] == 200.0
    assert made_up_machine[2:] == [(2, False)]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["kernels", "list", "nope"], "no op 'nope'"),
        (["kernels", "list", "--backend", "nope"], "no backend 'nope'"),
        (["kernels", "list", "--type", "nope"], "unknown storage type"),
        (["kernels", "list", "--type", "i32"], "i32"),
        (["kernels", "check", "--form", "f32"], "needs an OP"),
        (["kernels", "check", "linear", "--form", "nope"], "no form 'nope'"),
        (["kernels", "check", "linear", "--version", "99"], "rung kernels list"),
        (["kernels", "check", "linear", "--version", "one"], "--version"),
        (["kernels", "bench"], "OP"),
        (["kernels", "bench", "add", "--threads", "0"], "--threads"),
        (["kernels", "bench", "add", "--threads", "1,,2"], "--threads"),
        (["kernels", "bench", "add", "--chunk", "-1"], "--chunk"),
        *(
            (["kernels", "bench", "linear", "--backend", "webgpu", "--workgroup", size], "from 32")
            for size in ("48", "16")
        ),
        (["kernels", "bench", "add", "--tokens", "1.5"], "--tokens"),
        (["kernels", "bench", "add", "--shape", "1x1"], "--shape"),
        (["kernels", "bench", "add", "--version", "9"], "no version 9"),
        (["kernels", "bench", "add", "--type", "q8_0"], "no weights"),
        (["kernels", "bench", "linear", "--activations", "int4"], "float32 or int8"),
        (["kernels", "bench", "attention", "--shape", "T=9,C=4"], "cannot have this shape"),
        (["kernels", "bench", "rope", "--shape", "D=64"], "cannot have this shape"),
        (["kernels", "bench", "quantize", "--shape", "K=100"], "multiple of 64"),
        (["bench", "machine", "--threads", "x"], "--threads"),
    ],
)
def test_mistakes_are_one_line(command_line, arguments, expected):
    check_error(command_line(*arguments), expected)


def test_an_op_without_kernels_on_a_backend(command_line):
    result = command_line("kernels", "list", "norm_mlp")
    check_error(result, "norm_mlp has no cpu kernels; --backend takes cpu, blas, webgpu")
