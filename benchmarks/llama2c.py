"""Decoding beside llama2.c's own programs: random weights in real shapes, alternating, medians.

    python benchmarks/llama2c.py --run PATH/run --runq PATH/runq --tokenizer PATH/tokenizer.bin

`run` and `runq` are llama2.c's programs, built with -Ofast -march=native -fopenmp. Each round runs
theirs and ours once, one after the other, on the same file, thread count and number of tokens. The
ratio of each round is ours / theirs; the row kept is the median round. The machine's read bandwidth
is measured in the same run, so that the fraction of the limit stands beside the ratio.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from rung.backends.cpu.machine import processor_name
from rung.engine.batch import Batch
from rung.engine.runner import plan_model
from rung.formats import open_checkpoint
from rung.formats.base import Checkpoint
from rung.formats.llama2c_write import write
from rung.models.config import Config, Rope, weight_shapes
from rung.storage import StoredTensor, stored

SHAPES = {
    "stories15M": {"dim": 288, "n_layers": 6, "n_heads": 6, "hidden_dim": 768},
    "stories110M": {"dim": 768, "n_layers": 12, "n_heads": 12, "hidden_dim": 2048},
}
RESULTS = Path(__file__).parent / "results" / "llama2c.jsonl"


class RandomWeights(dict[str, StoredTensor]):
    """Normal weights, made one tensor at a time when asked for, the same each time."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self._shapes = weight_shapes(config)

    def __missing__(self, name: str) -> StoredTensor:
        shape = self._shapes[name]
        if len(shape) == 1:
            return stored(np.ones(shape, np.float32))
        rng = np.random.default_rng(len(name) * 1000 + sum(map(ord, name)))
        return stored(rng.standard_normal(shape, np.float32) * np.float32(0.05))

    def get(self, name: str, default: Any = None) -> Any:
        return self[name] if name in self._shapes else default


def random_checkpoint(shape: dict[str, int]) -> Checkpoint:
    """Random weights in a llama2.c shape with the vocabulary of Llama 2."""
    head_dim = shape["dim"] // shape["n_heads"]
    config = Config(
        **shape,  # type: ignore[arg-type]
        n_kv_heads=shape["n_heads"],
        head_dim=head_dim,
        vocab_size=32000,
        context_length=1024,
        rope=Rope(dims=head_dim),
    )
    return Checkpoint(Path("random"), "random", config, RandomWeights(config))


def read_bandwidth(threads: int) -> float:
    """GB/s that threads read from memory together, each summing 256 MiB; the best of 5."""
    arrays = [np.ones(2**25) for _ in range(threads)]
    best = 0.0
    for _ in range(5):
        workers = [threading.Thread(target=array.sum) for array in arrays]
        start = time.perf_counter()
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        best = max(best, sum(a.nbytes for a in arrays) / (time.perf_counter() - start) / 1e9)
    return best


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


def commit() -> str:
    """The commit that is measured."""
    command = ["git", "describe", "--always", "--dirty"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def compare(options: argparse.Namespace, folder: Path) -> Iterator[dict[str, Any]]:
    """A row for each shape and type."""
    for name, shape in SHAPES.items():
        checkpoint = random_checkpoint(shape)
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
            speeds = sorted(mine for mine, _ in rounds)
            p20, p50, p80 = np.percentile(speeds, [20, 50, 80])
            yield {
                "op": "decode",
                "version": "newest",
                "backend": "cpu",
                "dtype": "f32" if version == 0 else "i8_g64",
                "shape": name,
                "threads": options.threads,
                "machine": processor_name(),
                "commit": commit(),
                "unit": "tok/s",
                "p20": round(p20, 1),
                "p50": round(p50, 1),
                "p80": round(p80, 1),
                "read_gb_s": round(p50 * size / 1e9, 1),
                "limit_gb_s": round(limit, 1),
                "fraction_of_limit": round(p50 * size / 1e9 / limit, 3),
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
                with RESULTS.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
