"""Measure all that docs/performance.md shows: ladders, models, perplexity; then write the page.

    python benchmarks/measure.py                                      everything
    python benchmarks/measure.py --resume                             what an interruption left
    python benchmarks/measure.py --only ladders --types q4_0,q4_k     a part of it
    python benchmarks/measure.py --budget 0.1 --rounds 1 --results /tmp/try     a quick try

Each step is a command of its own, which is printed, and adds its rows to a file under
benchmarks/results when it has ended. The newest rows count, so a step may be repeated.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from perplexity import TYPES as PERPLEXITY_TYPES

from rung.backends.cpu.machine import default_threads
from rung.bench.kernels.targets import find_op, load_backend, targets, weight_name
from rung.bench.results import origin
from rung.storage import F32

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"

# With 512 outputs, a prompt's triple loop takes a second on Zen 4 (2 cores): the five runs that a
# ratio to version 1 needs fit. So small a matrix stays in the cache, of some types; hence of all.
DECODE, DECODE_S = {"T": 1, "N": 2048, "K": 2048}, 2.0
PROMPT, PROMPT_S = {"T": 128, "N": 512, "K": 2048}, 8.0


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

Row = dict[str, Any]


@dataclass(frozen=True)
class Step:
    """A command, the weights' type, the file that its rows go to, and what they all hold."""

    command: list[str]
    kind: str
    file: Path
    marks: Row

    def __str__(self) -> str:
        return shlex.join(self.command[1:])

    def made(self, row: Row, where: Row) -> bool:
        """Whether a row is of this step, and from here."""
        marks = self.marks | {key: where[key] for key in self.marks.keys() & where.keys()}
        return all(row.get(key) == value for key, value in marks.items())


def ladder_steps(options: argparse.Namespace) -> Iterator[Step]:
    """Every ladder of linear, decoding and a prompt; one ladder a step, its versions by turns."""
    load_backend("cpu")
    op, file = find_op("linear"), options.results / "kernels.jsonl"
    weight = weight_name(op) or ""
    for target in targets(op, "cpu"):
        kind = target.types.get(weight, F32).name
        for sizes, budget, place in ((DECODE, DECODE_S, ()), (PROMPT, PROMPT_S, ("--cached",))):
            words = ["kernels", "bench", "linear", "--form", target.form, "--type", kind]
            words += ["--shape", ",".join(f"{letter}={n}" for letter, n in sizes.items()), *place]
            words += ["--budget", f"{options.budget or budget:g}"]
            words += ["--threads", str(options.threads), "--json", str(file)]
            marks = {"op": "linear", "form": target.form, "dtype": kind, "shape": sizes}
            yield Step(rung(*words), kind, file, marks | _everywhere(options.threads))


def model_steps(options: argparse.Namespace) -> Iterator[Step]:
    """Every shape in every type: a prompt of 256 and decoding, by turns with llama.cpp."""
    versus = find_spec("llama_cpp") is not None
    if not versus:
        print("models are measured alone: pip install llama-cpp-python", file=sys.stderr)
    file = options.results / "models.jsonl"
    for model in MODELS:
        for kind in model.types:
            words = ["bench", "model", "--shape", model.shape, "--type", kind]
            words += ["--prompt", "256", "--depth", "0", "--tokens", str(model.tokens)]
            words += ["--rounds", str(options.rounds or model.rounds)]
            words += ["--threads", str(options.threads)]
            words += ["--versus", "llama.cpp"] if versus else []
            marks = {"op": "decode", "shape": model.shape, "dtype": kind}
            marks |= {"tokens": model.tokens, "depth": 0} | _everywhere(options.threads)
            yield Step(rung(*words, "--append", str(file)), kind, file, marks)


def perplexity_steps(options: argparse.Namespace) -> Iterator[Step]:
    """A type a step: no times are taken, and no figure depends on the machine."""
    script, file = str(ROOT / "benchmarks" / "perplexity.py"), options.results / "perplexity.jsonl"
    for kind in PERPLEXITY_TYPES:
        command = [sys.executable, script, "--types", kind, "--append", str(file)]
        command += ["--stories", str(options.stories)] if options.stories else []
        yield Step(command, kind, file, {"op": "perplexity", "dtype": kind, "commit": ""})


PARTS: dict[str, Callable[[argparse.Namespace], Iterator[Step]]] = {
    "ladders": ladder_steps,
    "models": model_steps,
    "perplexity": perplexity_steps,
}


def _everywhere(threads: int) -> Row:
    """What rows with times hold besides; where they are from is filled in when it is asked for."""
    return {"threads": threads, "machine": "", "features": "", "commit": ""}


def rung(*words: str) -> list[str]:
    """A command of the command line, by this Python."""
    return [sys.executable, "-m", "rung", *words]


def left(steps: list[Step]) -> list[Step]:
    """The steps without rows of this machine, these features and this commit.

    All of them where the source differs from its commit: nobody knows what earlier rows are of.
    """
    where = origin()
    if not where["commit"] or where["commit"].endswith("+"):
        print("no commit is what runs here, so every step is measured", file=sys.stderr)
        return steps
    rows = {
        file: [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        for file in {step.file for step in steps if step.file.exists()}
    }
    return [step for step in steps if not any(step.made(r, where) for r in rows.get(step.file, ()))]


def run(steps: list[Step]) -> list[int]:
    """Runs the steps; the numbers of those that failed."""
    failed = []
    for number, step in enumerate(steps, start=1):
        print(f"[{number}/{len(steps)}] {step}", flush=True)
        if subprocess.run(step.command, check=False).returncode:
            failed.append(number)
    return failed


def chosen(parser: argparse.ArgumentParser, options: argparse.Namespace) -> list[Step]:
    """The steps of the parts and types that were asked for. Exits for a part or type unknown."""
    parts = options.only.split(",") if options.only else list(PARTS)
    for part in parts:
        if part not in PARTS:
            parser.error(f"--only: no part {part!r}; there are: {', '.join(PARTS)}")
    steps = [step for part in parts for step in PARTS[part](options)]
    kinds = options.types.split(",") if options.types else None
    for kind in kinds or ():
        if all(step.kind != kind for step in steps):
            parser.error(f"--types: nothing is measured with weights of type {kind!r}")
    return [step for step in steps if kinds is None or step.kind in kinds]


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", metavar="PART,…", help=f"some of {', '.join(PARTS)}")
    parser.add_argument("--types", metavar="TYPE,…", help="weights of these types, as q4_0,q4_k")
    parser.add_argument("--resume", action="store_true", help="leave out what has rows already")
    parser.add_argument("--list", action="store_true", help="print the steps, and run none")
    parser.add_argument("--threads", type=int, default=default_threads())
    parser.add_argument("--rounds", type=int, help="of models (7, the largest 5)")
    parser.add_argument("--budget", type=float, help="seconds a version of a ladder (2; prompts 8)")
    parser.add_argument("--stories", type=int, help="that perplexity is taken of (100)")
    parser.add_argument(
        "--results", type=Path, default=RESULTS, help="folder of the rows; another makes no page"
    )
    options = parser.parse_args(arguments)
    steps = chosen(parser, options)
    if options.resume:
        steps = left(steps)
    if options.list:
        for number, step in enumerate(steps, start=1):
            print(f"[{number}/{len(steps)}] {step}")
        return 0
    options.results.mkdir(parents=True, exist_ok=True)
    try:
        failed = run(steps)
    except KeyboardInterrupt:
        print("interrupted: --resume goes on with that step", file=sys.stderr)
        return 130
    status = 0
    if options.results == RESULTS:
        page = [sys.executable, str(ROOT / "tools" / "performance_page.py")]
        status = subprocess.run(page, check=False).returncode
    if failed:
        print(f"steps that failed: {', '.join(map(str, failed))}", file=sys.stderr)
    return 1 if failed or status else 0


if __name__ == "__main__":
    sys.exit(main())
