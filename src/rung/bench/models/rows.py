"""Rows of results: one object a measurement, the same keys whatever was measured of a model."""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from rung import env
from rung.backends.base import Origin
from rung.bench.models.measure import Measured, Series, prompt_flops
from rung.bench.models.sides.base import Opened, Side
from rung.bench.results import origin
from rung.formats.base import Checkpoint
from rung.models.config import Config

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Subject:
    """The model that was measured. weights_bytes are those that one decoded token reads."""

    shape: str
    config: Config
    dtype: str
    weights_bytes: int
    threads: int

    @classmethod
    def of(cls, checkpoint: Checkpoint, *, shape: str, threads: int) -> Subject:
        """The subject that a checkpoint is."""
        return cls(
            shape=shape,
            config=checkpoint.config,
            dtype=matrix_types(checkpoint),
            weights_bytes=read_bytes(checkpoint),
            threads=threads,
        )


@dataclass(frozen=True)
class Limits:
    """What the machine allows: reading memory, and products of the kind that prompts use."""

    read_gb_s: float
    gflop_s: float


def read_bytes(checkpoint: Checkpoint) -> int:
    """Bytes of weights that one token reads: all but the tables of which it takes a row."""
    tables = {"position_embd.weight"}
    if not checkpoint.config.tied_output:
        tables.add("token_embd.weight")
    return sum(w.size_bytes for name, w in checkpoint.weights.items() if name not in tables)


def matrix_types(checkpoint: Checkpoint) -> str:
    """The storage type of the matrices, or all of them, the most values first: q4_k+q6_k."""
    counts: Counter[str] = Counter()
    for name, weight in checkpoint.weights.items():
        if len(weight.shape) > 1 and name != "position_embd.weight":
            counts[weight.type.name] += int(np.prod(weight.shape, dtype=np.int64))
    return "+".join(name for name, _ in counts.most_common())


def speeds_of(values: list[float]) -> Row:
    """p20, p50, p80, mean and standard deviation of tok/s."""
    p20, p50, p80 = (round(float(p), 2) for p in np.percentile(values, [20, 50, 80]))
    return {
        "unit": "tok/s",
        "p20": p20,
        "p50": p50,
        "p80": p80,
        "mean": round(statistics.fmean(values), 2),
        "deviation": round(statistics.stdev(values), 2) if len(values) > 1 else 0.0,
    }


def rows_of(
    measured: Measured,
    sides: list[Side],
    subject: Subject,
    *,
    limits: Limits,
    place: Origin | None = None,
) -> list[Row]:
    """A row for each task and peer, or for each task where Rung was measured alone.

    place: the GPU that Rung ran on; None is this processor.
    """
    own, *peers = sides
    first = None if own.opened.load_s is None else own.opened.load_s + measured.first_s[0]
    side_facts = {
        "load_s": _rounded(own.opened.load_s, 3),
        "first_token_s": _rounded(first, 3),
        "first_token_after": measured.first_task.tokens,
        "peak_memory_bytes": measured.peak_memory_bytes[0],
    }
    rows = []
    for series in measured.series:
        row = _own_row(series, subject, own.opened, limits) | side_facts | origin(place)
        if not peers:
            rows.append(row | {"rounds": [round(speed, 2) for speed in series.speeds()]})
        for number, peer in enumerate(peers, start=1):
            rows.append(row | _peer_part(series, number, peer, measured.peak_memory_bytes[number]))
    return rows


def _own_row(series: Series, subject: Subject, opened: Opened, limits: Limits) -> Row:
    task = series.task
    speeds = speeds_of(series.speeds())
    row = {
        "op": task.kind,
        "version": env.PIN.get() or "newest",
        "backend": opened.backend,
        "dtype": subject.dtype,
        "activations": opened.activations,
        "cache_type": opened.cache_type,
        "shape": subject.shape,
        "tokens": task.tokens,
        "depth": task.depth,
        "threads": subject.threads,
        **speeds,
        "joules_per_token": _rounded(series.joules_per_token, 4),
    }
    if task.kind == "prompt":
        flops = prompt_flops(subject.config, task.tokens) / task.tokens
        gflop_s = speeds["p50"] * flops / 1e9
        return row | {
            "gflop_s": round(gflop_s, 1),
            "limit_gflop_s": round(limits.gflop_s, 1),
            "fraction_of_limit": round(gflop_s / limits.gflop_s, 3),
        }
    read_gb_s = speeds["p50"] * subject.weights_bytes / 1e9
    return row | {
        "read_gb_s": round(read_gb_s, 2),
        "limit_gb_s": round(limits.read_gb_s, 2),
        "fraction_of_limit": round(read_gb_s / limits.read_gb_s, 3),
    }


def _peer_part(series: Series, number: int, peer: Side, peak_memory_bytes: int) -> Row:
    theirs = speeds_of(series.speeds(number))
    pairs = zip(series.speeds(), series.speeds(number), strict=True)
    return {
        "peer": peer.opened.name,
        "peer_p50": theirs["p50"],
        "peer_mean": theirs["mean"],
        "peer_deviation": theirs["deviation"],
        "peer_load_s": _rounded(peer.opened.load_s, 3),
        "peer_peak_memory_bytes": peak_memory_bytes,
        "ratio": round(series.ratio(number), 3),
        "rounds": [[round(mine, 2), round(other, 2)] for mine, other in pairs],
    }


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
