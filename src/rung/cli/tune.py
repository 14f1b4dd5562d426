"""`rung tune`: measure what decides where and how things run on this machine."""

from __future__ import annotations

import json as json_format
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from rung.cli import options
from rung.cli.streams import note

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rung.backends.cpu.backend import TeamBackend
    from rung.schedule.rates import Rates
    from rung.tuning.tune import Tuned

_SHAPE = {"N": 2048, "K": 2048}


def tune(
    types: Annotated[
        str | None,
        typer.Option(
            "--types",
            metavar="TYPE,TYPE…",
            help="Types of weights to measure; without it, all that have kernels.",
            show_default=False,
        ),
    ] = None,
    seconds: Annotated[
        float,
        typer.Option(
            "--seconds", min=1, help="Begin nothing after so long; the rest is told and left."
        ),
    ] = 50,
    threads: options.Threads = None,
    blas: options.Blas = None,
    json: options.Json = False,
) -> None:
    """Measure this machine, so that Rung chooses well: threads, parts, kernels, BLAS or not.

    Takes a minute at most; on a machine where kernels must still be compiled, several runs may be
    needed. What is found is kept in the cache folder and used by every command from then on.
    """
    from rung.backends.choose import Devices, open_backends
    from rung.backends.cpu.backend import TeamBackend
    from rung.cli.loading import StepProgress
    from rung.tuning.file import keep_rates, load_rates, path
    from rung.tuning.kernels import WEIGHT_TYPES, check_types
    from rung.tuning.tune import tune as measure

    wanted = WEIGHT_TYPES if types is None else check_types(types.split(","))
    backends = open_backends(Devices(threads=threads, blas=blas))
    host = [backend for backend in backends if isinstance(backend, TeamBackend)]
    progress = StepProgress("measuring this machine", quiet=json)
    try:
        tuned = measure(
            host, load_rates(backends), types=wanted, budget_s=seconds, progress=progress
        )
        keep_rates(backends, tuned.rates)
        progress.stop()
        if json:
            print(json_format.dumps(tuned.rates.to_json(), indent=2))
        else:
            _show(tuned, host, wanted)
            note(f"kept in {path()}")
    finally:
        progress.stop()
        for backend in backends:
            backend.close()
    if tuned.left_out:
        print(
            f"no time was left for {len(tuned.left_out)}: {', '.join(tuned.left_out)}; "
            "run rung tune again, or give it more --seconds",
            file=sys.stderr,
        )


def _show(tuned: Tuned, backends: Sequence[TeamBackend], types: Sequence[str]) -> None:
    rates = tuned.rates
    print(f"threads: {rates.threads} for a token, {rates.threads_batch} for prompts")
    print(f"parts for each thread: {rates.parts} for a token, {rates.parts_batch} for prompts")
    print(f"copies on the host: {rates.copy_gbs:.1f} GB/s\n")
    _show_products(rates, backends, types)


def _show_products(rates: Rates, backends: Sequence[TeamBackend], types: Sequence[str]) -> None:
    """For each type of weights: GFLOP/s by batch on every backend, and where they cross."""
    from rung.cli.tables import print_table
    from rung.schedule.costs import rates_key
    from rung.tuning.kernels import TOKENS, products
    from rung.tuning.measure import subject_node
    from rung.tuning.tune import is_rounded, least_batch

    rows, crossings = [], []
    work = 2.0 * _SHAPE["N"] * _SHAPE["K"]
    for kind in types:
        keys = {}
        node = subject_node(products(kind, rounded=is_rounded(kind)).small)
        for backend in backends:
            key = rates_key(backend, node) if backend.supports(node) else None
            if key in rates.kernels:
                keys[backend.name] = str(key)
        for name, key in keys.items():
            known = rates.kernels[key]
            speeds = [work * n / known.seconds(n, work) / 1e9 for n in TOKENS]
            rows.append([kind, name, *(f"{speed:,.0f}" for speed in speeds)])
        if {"cpu", "blas"} <= set(keys):
            since = least_batch(rates, keys["cpu"], keys["blas"], work=work)
            crossings.append(f"{kind} " + ("never" if since is None else f"from {since} tokens"))
    title = (
        f"products of {_SHAPE['N']}×{_SHAPE['K']} weights in the cache: GFLOP/s by tokens at once"
    )
    print_table(["weights", "backend", *(str(n) for n in TOKENS)], rows, title=title, left=2)
    if crossings:
        print("BLAS is faster, and takes products with weights of type: " + ", ".join(crossings))
    else:
        print("no BLAS library is in use, so the CPU's own kernels take every product")
