"""Never slower: the CPU's kernels alone, BLAS by choice, and BLAS for every product, by turns.

python benchmarks/placing.py [--shapes stories15M,…] [--types f32,…] [--rounds 5] [--append]

Random weights in known shapes. Each line is a batch that a sequence begins with. `auto` should be
no slower than the faster of the other two; `predicted` is what `rung plan` says of auto. Rows go to
benchmarks/results/placing.jsonl with --append; docs/performance.md shows them.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src")]

from rung.backends.cpu.machine import processor_name  # noqa: E402
from rung.bench.models.random_weights import random_checkpoint  # noqa: E402
from rung.bench.models.shapes import shape_named  # noqa: E402
from rung.bench.results import commit  # noqa: E402
from rung.engine.batch import Batch  # noqa: E402
from rung.engine.runner import ModelRunner, plan_model  # noqa: E402
from rung.schedule.homes import Override, Wishes  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results" / "placing.jsonl"
SHAPES = ("stories15M", "stories110M", "tinyllama-1.1b")
TYPES = ("f32", "f16", "q8_0", "q4_0")
BATCHES = (1, 8, 32, 128, 512)
WAYS = ("cpu", "auto", "blas")
_CONTEXT = 640


def _runner(checkpoint: Any, way: str, threads: int) -> ModelRunner:
    forced = Wishes(overrides=(Override.parse(".=blas"),))
    return plan_model(
        checkpoint,
        context_length=_CONTEXT,
        threads=threads,
        blas="none" if way == "cpu" else "auto",
        wishes=forced if way == "blas" else Wishes(),
    )


def _read(runner: ModelRunner, tokens: np.ndarray[Any, Any]) -> float:
    """Seconds for a prompt from an empty cache."""
    start = time.perf_counter()
    for at in range(0, len(tokens), runner.max_tokens):
        piece = tokens[at : at + runner.max_tokens].tolist()
        runner.forward(Batch.one(piece, start=at))
    return time.perf_counter() - start


def _predicted(runner: ModelRunner, tokens: int) -> float:
    seconds = 0.0
    for at in range(0, tokens, runner.max_tokens):
        seconds += runner.executor.plan(min(runner.max_tokens, tokens - at), depth=at).seconds
    return seconds


def _measure(shape: str, kind: str, *, rounds: int, threads: int) -> list[dict[str, Any]]:
    # Longer than stories15M was trained for: weights are random, and 512 tokens should fit.
    config = replace(shape_named(shape), context_length=_CONTEXT)
    checkpoint = random_checkpoint(config, kind)
    runners = {way: _runner(checkpoint, way, threads) for way in WAYS}
    vocabulary = checkpoint.config.vocab_size
    rng = np.random.default_rng(0)
    rows = []
    for tokens in BATCHES:
        ids = rng.integers(0, vocabulary, tokens)
        times: dict[str, list[float]] = {way: [] for way in WAYS}
        for way in WAYS:
            _read(runners[way], ids)
        repeats = max(1, min(50, int(0.1 / _read(runners["auto"], ids))))
        for turn in range(rounds):
            for way in WAYS if turn % 2 == 0 else WAYS[::-1]:
                samples = [_read(runners[way], ids) for _ in range(repeats)]
                times[way].append(statistics.median(samples))
        middle = {way: statistics.median(found) for way, found in times.items()}
        placed = runners["auto"].executor.plan(min(tokens, runners["auto"].max_tokens)).placed
        on_blas = sum(p.backend.name == "blas" for p in placed.values())
        rows.append(
            {
                "op": "placing",
                "shape": f"{shape}-{kind}",
                "dtype": kind,
                "tokens": tokens,
                "threads": threads,
                **{f"{way}_s": seconds for way, seconds in middle.items()},
                "on_blas": on_blas,
                "auto_over_faster": statistics.median(
                    auto / min(cpu, blas)
                    for auto, cpu, blas in zip(
                        *(times[way] for way in ("auto", "cpu", "blas")), strict=True
                    )
                ),
                "predicted_s": _predicted(runners["auto"], tokens),
                "machine": processor_name(),
                "commit": commit(),
            }
        )
        _show(rows[-1])
    for runner in runners.values():
        runner.close()
    return rows


def _show(row: dict[str, Any]) -> None:
    print(
        f"{row['shape']:22s} {row['tokens']:4d}  cpu {row['cpu_s'] * 1e3:9.2f} ms  "
        f"auto {row['auto_s'] * 1e3:9.2f}  blas {row['blas_s'] * 1e3:9.2f}  "
        f"auto/faster {row['auto_over_faster']:.3f}  on blas {row['on_blas']:3d}  "
        f"predicted/auto {row['predicted_s'] / row['auto_s']:.2f}",
        flush=True,
    )


def main(arguments: Sequence[str]) -> None:
    """Measures, prints, and appends rows if asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--shapes", default=",".join(SHAPES))
    parser.add_argument("--types", default=",".join(TYPES))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--append", action="store_true", help="keep the rows")
    given = parser.parse_args(arguments)
    rows = []
    for shape in given.shapes.split(","):
        for kind in given.types.split(","):
            rows += _measure(shape, kind, rounds=given.rounds, threads=given.threads)
    errors = [abs(row["predicted_s"] / row["auto_s"] - 1) for row in rows]
    print(
        f"auto over the faster: at most {max(row['auto_over_faster'] for row in rows):.3f}; "
        f"predictions off by {statistics.mean(errors):.1%} on average"
    )
    if given.append:
        with RESULTS.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)


if __name__ == "__main__":
    main(sys.argv[1:])
