"""All that `rung tune` measures: threads, parts, copies, kernels; within a given time.

What matters most comes first. What the time does not suffice for is told, and what was known of it
stays.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np

from rung import ops
from rung.backends.base import Compiling
from rung.backends.cpu.backend import TeamBackend
from rung.backends.cpu.caches import last_cache_bytes
from rung.backends.cpu.team import Team
from rung.backends.host_memory import copy_values
from rung.schedule.rates import Rates
from rung.storage import Q8_S, storage_type, stored
from rung.tuning.kernels import WEIGHT_TYPES, Pair, measure_rates, others, products
from rung.tuning.measure import Chain, Subject, chain, subject_node

Progress = Callable[[int, int, str], None]
"""Told what is measured next: how many are done, of how many, its name."""

_COPY_BYTES = 64 << 20
_PARTS = (1, 2, 4, 8)
# More threads or parts only where they are faster by so much.
_BETTER = 0.97


@dataclass(frozen=True)
class Tuned:
    """What was measured, and the names of what there was no time for."""

    rates: Rates
    left_out: tuple[str, ...]


def tune(
    backends: Sequence[TeamBackend],
    known: Rates,
    *,
    types: Sequence[str] = WEIGHT_TYPES,
    budget_s: float,
    progress: Progress,
    on_compile: Compiling | None = None,
) -> Tuned:
    """Measures everything anew, on backends of one team, the CPU last.

    The team is left with the threads and parts that are best.
    """
    start = time.perf_counter()
    cache = last_cache_bytes()
    jobs = list(_jobs(backends, types))
    total = len(jobs) + 2
    progress(0, total, "threads and parts")
    rates = _choose_threads(replace(known, cache_bytes=cache), backends[-1], on_compile)
    progress(1, total, "copies")
    found = dict(known.kernels)
    rates = replace(rates, copy_gbs=_copy_gbs())
    left_out = []
    for index, (pair, backend) in enumerate(jobs):
        name = f"{pair.name} on {backend.name}"
        progress(index + 2, total, name)
        if time.perf_counter() - start > budget_s:
            left_out.append(name)
            continue
        key, measured = measure_rates(pair, backend, cache_bytes=cache, on_compile=on_compile)
        found[key] = measured
    progress(total, total, "")
    date = datetime.now(UTC).strftime("%Y-%m-%d")
    return Tuned(replace(rates, kernels=found, date=date), tuple(left_out))


def _jobs(
    backends: Sequence[TeamBackend], types: Sequence[str]
) -> Iterator[tuple[Pair, TeamBackend]]:
    """Products of the two most used types, everything else, the other products."""
    pairs = [products(kind, rounded=is_rounded(kind)) for kind in types]
    for pair in pairs[:2]:
        for backend in reversed(backends):
            yield from _if_supported(pair, backend)
    for pair in others():
        yield from _if_supported(pair, backends[-1])
    for pair in pairs[2:]:
        for backend in reversed(backends):
            yield from _if_supported(pair, backend)


def _if_supported(pair: Pair, backend: TeamBackend) -> Iterator[tuple[Pair, TeamBackend]]:
    if backend.supports(subject_node(pair.small)):
        yield pair, backend


def is_rounded(kind: str) -> bool:
    """Whether products with weights of a type take activations rounded to int8 by default."""
    return kind not in ("f32", "f16", "bf16")


def _choose_threads(rates: Rates, cpu: TeamBackend, on_compile: Compiling | None) -> Rates:
    """Threads and parts that are fastest, for a step of decoding and for a prompt."""
    team = cpu.team
    copies = min(64, 2 * last_cache_bytes() // (4 << 20) + 1)
    step = chain(_product(copies), cpu, 1, nodes=copies, on_compile=on_compile)
    prompt = chain(_product(1), cpu, 128, nodes=2, on_compile=on_compile)
    most = max(team.threads, team.batch)
    counts = [n for n in range(1, most + 1) if n == most or most <= 8 or n & (n - 1) == 0]
    threads = _least(counts, lambda count: _step_s(team, step, threads=count))
    batch = _least(counts, lambda count: _prompt_s(team, prompt, threads=count))
    parts = _least(_PARTS, lambda count: _step_s(team, step, parts=count))
    parts_batch = _least(_PARTS, lambda count: _prompt_s(team, prompt, parts=count))
    return replace(
        rates, threads=threads, threads_batch=batch, parts=parts, parts_batch=parts_batch
    )


def _product(copies: int) -> Subject:
    types = {"w_NK": storage_type("q8_0"), "x_TK": Q8_S}
    return Subject(ops.linear, {"N": 2048, "K": 2048}, types=types, copies=copies)


def _step_s(team: Team, step: Chain, *, threads: int = 0, parts: int = 0) -> float:
    team.threads, team.parts = threads or team.threads, parts or team.parts
    return step.seconds(1)


def _prompt_s(team: Team, prompt: Chain, *, threads: int = 0, parts: int = 0) -> float:
    team.batch, team.parts_batch = threads or team.batch, parts or team.parts_batch
    return prompt.seconds(128)


def _least(counts: Sequence[int], seconds: Callable[[int], float]) -> int:
    """The least count that takes hardly longer than the best, which is then in use."""
    times = {count: min(seconds(count) for _ in range(3)) for count in counts}
    best = min(times.values())
    chosen = min(count for count, taken in times.items() if taken * _BETTER <= best)
    seconds(chosen)
    return chosen


def _copy_gbs() -> float:
    """1e9 bytes a second that the host copies from memory to memory."""
    values = np.ones(_COPY_BYTES // 4, np.float32)
    source, target = stored(values), stored(np.zeros_like(values))
    times = []
    for _ in range(3):
        start = time.perf_counter()
        copy_values(target, source, source.shape)
        times.append(time.perf_counter() - start)
    return _COPY_BYTES / min(times) / 1e9


def least_batch(rates: Rates, ours: str, theirs: str, *, work: float) -> int | None:
    """The least batch from which `theirs` is predicted faster for good; None for never."""
    first, second = rates.kernels[ours], rates.kernels[theirs]
    since = None
    for point in first.points:
        tokens = point.tokens
        faster = second.seconds(tokens, work) < first.seconds(tokens, work)
        since = (since or tokens) if faster else None
    return since
