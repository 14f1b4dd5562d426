"""The command line as a process: help, version, errors, pipes; never a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

import rung
from rung.backends.cpu.peak_memory import peak_memory_bytes
from rung.cli import show
from rung.formats.llama2c.write import write
from support import tiny_checkpoint, tiny_vocabulary, write_tokenizer

COMMANDS = ["generate", "chat", "info", "convert", "data", "devices", "kernels", "bench"]


def test_version(shell):
    assert shell("--version") == (0, f"rung {rung.__version__}\n", "")


_INTERRUPTED_IMPORT = """
import runpy, sys

class Interrupt:
    def find_spec(self, name, path, target=None):
        if name == "rung.cli":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupt())
runpy.run_module("rung", run_name="__main__")
"""


def test_ctrl_c_during_imports_is_one_line():
    command = [sys.executable, "-c", _INTERRUPTED_IMPORT]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "rung: interrupted\n")


def test_help_lists_every_command(shell):
    result = shell("--help")
    assert result.exit_code == 0
    assert all(command in result.out for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_shows_defaults(command_line, command):
    result = command_line(command, "--help")
    assert result.exit_code == 0
    assert result.out == command_line(command, "-h").out
    if command == "generate":
        assert "[default: 512]" in result.out
        assert "[default: 0.9]" in result.out


def test_help_answers_at_once(shell):
    times = []
    for _ in range(3):
        start = time.perf_counter()
        shell("--help")
        times.append(time.perf_counter() - start)
    assert min(times) < 1.0  # 0.2 s on a free machine


@pytest.mark.parametrize(
    "arguments", [["--nonsense"], ["nonsense"], ["generate", "--nonsense"], ["generate", "-n", "x"]]
)
def test_a_wrong_command_line_is_a_usage_error(shell, arguments):
    result = shell(*arguments)
    assert result.exit_code == 2
    assert result.out == ""
    assert "Traceback" not in result.err
    assert arguments[-1] in result.err


@pytest.fixture
def model_file(tmp_path):
    path = tmp_path / "tiny.bin"
    write(path, tiny_checkpoint(), version=1)
    return path


def check_error(result, *expected, exit_code=1):
    assert result.exit_code == exit_code
    assert result.out == ""
    assert result.err.startswith("rung: error: ")
    assert result.err.count("\n") == 1
    assert all(text in result.err for text in expected)


@pytest.mark.parametrize("command", ["generate", "chat", "info"])
def test_files_that_are_no_model(shell, tmp_path, command):
    check_error(shell(command, tmp_path / "nowhere.bin"), "nowhere.bin", "missing")
    check_error(shell(command, tmp_path), str(tmp_path), "folder")
    text = tmp_path / "text.bin"
    text.write_text("This is not a model. " * 50)
    check_error(shell(command, text), "text.bin")


def test_tokenizers_that_do_not_fit(shell, model_file):
    check_error(shell("generate", model_file), "no tokenizer", "300 tokens", "--tokenizer")
    short = write_tokenizer(
        model_file.with_name("short.bin"), *(v[:290] for v in tiny_vocabulary())
    )
    check_error(shell("generate", model_file, "--tokenizer", short), "short.bin", "300")
    nowhere = model_file.with_name("nowhere.bin")
    check_error(shell("generate", model_file, "--tokenizer", nowhere), "nowhere.bin", "missing")


def test_numbers_out_of_range(shell, model_file):
    check_error(shell("generate", model_file, "-t", 0), "threads is 0", exit_code=2)
    check_error(shell("generate", model_file, "-c", 33), "context_length is 33", exit_code=2)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the system has no /dev/full")
def test_a_full_disk_is_one_line():
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "rung", "devices", "--env"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == "rung: error: No space left on device\n"


@pytest.mark.skipif(os.name == "nt", reason="pipes break differently on Windows")
def test_a_reader_that_leaves_is_no_error():
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run(
        [sys.executable, "-m", "rung", "devices", "--env"],
        stdout=write_end,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(write_end)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize(
    ("n", "expected"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (3 << 20, "3.0 MiB"),
        (5 << 30, "5.0 GiB"),
        (7 << 40, "7.0 TiB"),
    ],
)
def test_sizes(n, expected):
    assert show.size(n) == expected


@pytest.mark.parametrize(
    ("n", "expected"),
    [(9999, "9,999"), (15_200_000, "15.2 M"), (260_032, "260.0 k"), (7 * 10**9, "7.0 G")],
)
def test_counts(n, expected):
    assert show.count(n) == expected


def test_peak_memory_is_of_this_process():
    before = peak_memory_bytes()
    assert 1 << 20 < before < 1 << 40
    data = bytearray(before + (64 << 20) - before % 4096)
    data[::4096] = b"x" * len(data[::4096])
    assert peak_memory_bytes() > before + (1 << 20)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["generate", "-n", "-2"], "'--max-tokens'"),
        (["generate", "--seed", "x"], "'--seed'"),
        (["generate", "a", "b"], "see rung generate --help"),
        (["--bogus"], "No such option: --bogus; see rung --help"),
        (["bogus"], "No such command 'bogus'"),
        (["convert", "x"], "see rung convert --help"),
    ],
)
def test_a_wrong_flag_is_one_line(command_line, arguments, message):
    result = command_line(*arguments)
    assert result.exit_code == 2
    assert result.out == ""
    assert result.err.startswith("rung: error: ")
    assert result.err.count("\n") == 1
    assert message in result.err
