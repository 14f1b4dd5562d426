"""What running ahead is worth: tokens a second of a GPU with and without the host in each step.

    python benchmarks/ahead.py --shape stories110M --type i8 --tokens 200

Random weights of a published shape. For each way, by turns and the median of the rounds: the time a
token takes, and what the host computes for it.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import rung.schedule.ahead as ahead
from rung.backends.base import KernelBackend
from rung.bench.models.random_weights import random_checkpoint
from rung.bench.models.shapes import shape_named
from rung.bench.results import append_rows, origin
from rung.engine.batch import Batch, Choice
from rung.engine.runner import ModelRunner, plan_model

RESULTS = Path(__file__).parent / "results" / "webgpu_decoding.jsonl"

Way = Callable[[ModelRunner, int], int]


def on_the_host(runner: ModelRunner, tokens: int) -> int:
    """Reads the logits of each token, and chooses the next one."""
    token = 1
    for position in range(tokens):
        logits_RV = runner.forward(Batch.one([token], start=position))
        token = int(np.argmax(logits_RV[0]))
    return token


def running_ahead(flights: int, *, drawn: bool = False) -> Way:
    """The GPU goes on by itself, with so many submissions in flight."""

    def run(runner: ModelRunner, tokens: int) -> int:
        choice = Choice()
        if drawn:
            settings_P = np.array([0.8, 40, 0.9, 0], np.float32)
            uniform_N = np.random.default_rng(0).random(tokens).astype(np.float32)
            choice = Choice(settings_P, uniform_N)
        ahead.FLIGHTS = flights
        ids = runner.ahead(1, position=0, slot=0, choice=choice, steps=tokens)
        assert ids is not None, "some of this model is not on the device"
        return list(ids)[-1]

    return run


WAYS: dict[str, Way] = {
    "host in each step": on_the_host,
    "ahead, 1 in flight": running_ahead(1),
    "ahead, 2 in flight": running_ahead(2),
    "ahead, 3 in flight": running_ahead(3),
    "ahead, 3, top-k 40": running_ahead(3, drawn=True),
}


def main() -> None:
    """Measures, and prints a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--device", default="webgpu")
    parser.add_argument("--shape", default="stories110M")
    parser.add_argument("--type", default="i8")
    parser.add_argument("--tokens", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--results", type=Path, default=RESULTS, help="append rows to this file")
    given = parser.parse_args()
    checkpoint = random_checkpoint(shape_named(given.shape), given.type)
    runner = plan_model(
        checkpoint, device=given.device, activations="float32", context_length=given.tokens + 8
    )
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in WAYS}
    last = {}
    for number in range(given.rounds + 1):
        for name, way in WAYS.items():
            start, start_host = time.perf_counter(), time.thread_time()
            last[name] = way(runner, given.tokens)
            passed = time.perf_counter() - start, time.thread_time() - start_host
            if number:  # the first one compiles shaders
                times[name].append(passed)
    assert len({last[name] for name in list(WAYS)[:-1]}) == 1, f"not the same tokens: {last}"
    print(f"{given.shape} {given.type}, {given.tokens} tokens, {given.rounds} rounds")
    rows = []
    place = runner.backends[0]
    assert isinstance(place, KernelBackend)
    for name, found in times.items():
        wall, host = (statistics.median(t) / given.tokens for t in zip(*found, strict=True))
        row = {"benchmark": "ahead", "model": given.shape, "dtype": given.type, "way": name}
        row |= {"tokens": given.tokens, "us": round(wall * 1e6), "host_us": round(host * 1e6)}
        rows.append(row | origin(place.origin))
        print(f"{name:20} {wall * 1e6:7.0f} µs {1 / wall:7.0f} tok/s, host {host * 1e6:5.0f} µs")
    append_rows(given.results, rows)
    runner.close()


if __name__ == "__main__":
    main()
