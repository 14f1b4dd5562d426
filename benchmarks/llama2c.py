"""Decoding beside llama2.c's own programs: random weights in real shapes, alternating, medians.

    python benchmarks/llama2c.py --run PATH/run --runq PATH/runq --tokenizer PATH/tokenizer.bin

`run` and `runq` are llama2.c's programs, built with -Ofast -march=native -fopenmp. Each round runs
theirs and ours once, one after the other, on the same file, thread count and number of tokens. The
ratio of each round is ours / theirs; the row kept is the median round. The machine's read bandwidth
is measured in the same run, so that the fraction of the limit stands beside the ratio.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from rung.bench.machine.limits import read_bandwidth
from rung.bench.models.random_weights import random_checkpoint
from rung.bench.models.rows import speeds_of
from rung.bench.models.shapes import shape_named
from rung.bench.results import append_rows, origin
from rung.engine.batch import Batch
from rung.engine.runner import plan_model
from rung.formats import open_checkpoint
from rung.formats.llama2c.write import write

# Room for as many tokens as are decoded here: stories15M was trained for 256.
SHAPES = {
    name: replace(shape_named(name), context_length=1024) for name in ("stories15M", "stories110M")
}
RESULTS = Path(__file__).parent / "results" / "llama2c.jsonl"


def ours(path: Path, tokens: int, threads: int) -> float:
    """Decoding tok/s from position 0, greedy, as llama2.c counts: its first token is left out."""
    runner = plan_model(open_checkpoint(path), threads=threads)
    token = int(runner.forward(Batch.one([1]))[0].argmax())
    start = time.perf_counter()
    for position in range(1, tokens):
        token = int(runner.forward(Batch.one([token], start=position))[0].argmax())
    elapsed = time.perf_counter() - start
    runner.close()
    return (tokens - 1) / elapsed


def theirs(program: Path, path: Path, tokenizer: Path, tokens: int, threads: int) -> float:
    """tok/s that the program prints for the same."""
    command = [program, path, "-z", tokenizer, "-t", "0", "-n", str(tokens)]
    done = subprocess.run(
        command, env=os.environ | {"OMP_NUM_THREADS": str(threads)}, capture_output=True, check=True
    )
    match = re.search(rb"achieved tok/s: ([0-9.]+)", done.stderr)
    if match is None:
        raise SystemExit(f"{program} ended its text too early to be timed; try another --tokens")
    return float(match[1])


def compare(options: argparse.Namespace, folder: Path) -> Iterator[dict[str, Any]]:
    """A row for each shape and type."""
    for name, config in SHAPES.items():
        checkpoint = random_checkpoint(config, "f32", name=name)
        for version, program in ((0, options.run), (2, options.runq)):
            path = folder / "model.bin"
            write(path, checkpoint, version=version)
            size = path.stat().st_size - 256
            tokens = options.tokens if name == "stories15M" else options.tokens // 4
            rounds = []
            for _ in range(options.rounds):
                peer = theirs(program, path, options.tokenizer, tokens, options.threads)
                rounds.append((ours(path, tokens, options.threads), peer))
            limit = read_bandwidth(options.threads)
            speeds = speeds_of([mine for mine, _ in rounds])
            read_gb_s = speeds["p50"] * size / 1e9
            yield {
                "op": "decode",
                "version": "newest",
                "backend": "cpu",
                "dtype": "f32" if version == 0 else "i8_g64",
                "shape": name,
                "threads": options.threads,
                **origin(),
                **speeds,
                "read_gb_s": round(read_gb_s, 1),
                "limit_gb_s": round(limit, 1),
                "fraction_of_limit": round(read_gb_s / limit, 3),
                "peer": f"llama2.c {program.name}",
                "peer_p50": round(statistics.median(peer for _, peer in rounds), 1),
                "ratio": round(statistics.median(mine / peer for mine, peer in rounds), 3),
                "rounds": [[round(mine, 1), round(peer, 1)] for mine, peer in rounds],
            }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--run", type=Path, required=True, help="llama2.c's float32 program")
    parser.add_argument("--runq", type=Path, required=True, help="llama2.c's int8 program")
    parser.add_argument("--tokenizer", type=Path, required=True, help="a 32000-token tokenizer.bin")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--tokens", type=int, default=400, help="tokens of the smaller shape")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--save", action="store_true", help=f"append rows to {RESULTS.name}")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for row in compare(options, Path(folder)):
            print(
                f"{row['shape']:12} {row['dtype']:7} ours {row['p50']:8.1f} tok/s   "
                f"{row['peer']} {row['peer_p50']:8.1f} tok/s   ratio {row['ratio']:.2f}   "
                f"{row['read_gb_s']:.1f} of {row['limit_gb_s']:.1f} GB/s"
            )
            if options.save:
                append_rows(RESULTS, [row])


if __name__ == "__main__":
    main()
