"""Measure all that docs/performance.md shows: kernels, models, perplexity; then write the page.

    python benchmarks/measure.py                             everything
    python benchmarks/measure.py --models --only q4_k        a part of it
    python benchmarks/measure.py --from 12                   what an interruption left

Each step is a command of its own, which is printed, and adds its rows to a file under
benchmarks/results when it has ended. The newest rows count, so a step may be repeated.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from rung.backends.cpu.machine import default_threads
from rung.bench.targets import find_op, load_backend, targets, weight_name
from rung.storage import F32

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"

# With 512 outputs, a prompt's triple loop takes a second on Zen 4 (2 cores): the five runs that a
# ratio to version 1 needs fit. So small a matrix stays in the cache, of some types; hence of all.
DECODE = ("--shape", "T=1,N=2048,K=2048", "--budget", "2")
PROMPT = ("--shape", "T=128,N=512,K=2048", "--cached", "--budget", "8")


@dataclass(frozen=True)
class Model:
    """A shape, types that its rows are whole blocks of, tokens to decode, rounds of turns."""

    shape: str
    types: tuple[str, ...]
    tokens: int
    rounds: int


MODELS = (
    Model("stories15M", ("f32", "f16", "q8_0", "q4_0"), 128, 7),
    Model("stories110M", ("f32", "f16", "q8_0", "q4_0", "q4_k"), 64, 7),
    Model("tinyllama-1.1b", ("f16", "q8_0", "q4_0", "q4_k"), 16, 5),
)

Command = list[str]


def kernel_steps(only: str | None, threads: int) -> Iterator[Command]:
    """Every ladder of linear, decoding and a prompt; one ladder a step, its versions by turns."""
    load_backend("cpu")
    op = find_op("linear")
    weight = weight_name(op) or ""
    for target in targets(op, "cpu"):
        kind = target.types.get(weight, F32).name
        if only in (None, kind):
            for case in (DECODE, PROMPT):
                command = rung("kernels", "bench", "linear", "--form", target.form, "--type", kind)
                command += [*case, "--threads", str(threads)]
                yield [*command, "--json", str(RESULTS / "kernels.jsonl")]


def model_steps(
    only: str | None, threads: int, rounds: int | None, *, versus: bool
) -> Iterator[Command]:
    """Every shape in every type: a prompt of 256 and decoding, by turns with llama.cpp."""
    for model in MODELS:
        for kind in model.types:
            if only in (None, kind):
                command = rung("bench", "model", "--shape", model.shape, "--type", kind)
                command += ["--prompt", "256", "--depth", "0", "--tokens", str(model.tokens)]
                command += ["--rounds", str(rounds or model.rounds), "--threads", str(threads)]
                command += ["--versus", "llama.cpp"] if versus else []
                yield [*command, "--append", str(RESULTS / "models.jsonl")]


def perplexity_steps() -> Iterator[Command]:
    """All types at once: no times are taken."""
    script = str(ROOT / "benchmarks" / "perplexity.py")
    yield [sys.executable, script, "--append", str(RESULTS / "perplexity.jsonl")]


def rung(*words: str) -> Command:
    """A command of the command line, by this Python."""
    return [sys.executable, "-m", "rung", *words]


def steps(options: argparse.Namespace) -> list[Command]:
    """The commands of the parts that were chosen; of all parts without a choice."""
    everything = not (options.kernels or options.models or options.perplexity)
    found: list[Command] = []
    if options.kernels or everything:
        found += kernel_steps(options.only, options.threads)
    if options.models or everything:
        versus = find_spec("llama_cpp") is not None
        if not versus:
            print("models are measured alone: pip install llama-cpp-python", file=sys.stderr)
        found += model_steps(options.only, options.threads, options.rounds, versus=versus)
    if options.perplexity or (everything and options.only is None):
        found += perplexity_steps()
    return found


def run(commands: list[Command], first: int) -> list[int]:
    """Runs commands from the number `first` on; the numbers of those that failed."""
    failed = []
    for number, command in enumerate(commands, start=1):
        if number >= first:
            print(f"[{number}/{len(commands)}] {shlex.join(command[1:])}", flush=True)
            if subprocess.run(command, check=False).returncode:
                failed.append(number)
    return failed


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kernels", action="store_true", help="the ladders of linear")
    parser.add_argument("--models", action="store_true", help="models, beside llama.cpp")
    parser.add_argument("--perplexity", action="store_true", help="by type and activations")
    parser.add_argument("--only", metavar="TYPE", help="weights of this storage type, as q4_k")
    parser.add_argument("--rounds", type=int, help="of models (7, the largest 5)")
    parser.add_argument("--threads", type=int, default=default_threads())
    parser.add_argument("--from", type=int, default=1, metavar="N", dest="first", help="step N on")
    parser.add_argument("--list", action="store_true", help="print the steps, and run none")
    options = parser.parse_args(arguments)
    commands = steps(options)
    if not commands:
        parser.error(f"--only {options.only}: nothing is measured with weights of that type")
    if options.list:
        for number, command in enumerate(commands, start=1):
            print(f"[{number}/{len(commands)}] {shlex.join(command[1:])}")
        return 0
    RESULTS.mkdir(exist_ok=True)
    try:
        failed = run(commands, options.first)
    except KeyboardInterrupt:
        print("interrupted: --from with the last number above goes on there", file=sys.stderr)
        return 130
    page = [sys.executable, str(ROOT / "tools" / "performance_page.py")]
    status = subprocess.run(page, check=False).returncode
    if failed:
        print(f"steps that failed: {', '.join(map(str, failed))}", file=sys.stderr)
    return 1 if failed or status else 0


if __name__ == "__main__":
    sys.exit(main())
