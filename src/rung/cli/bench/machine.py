"""`rung bench machine`: the machine's limits, that every other figure is compared with."""

from __future__ import annotations

import json as json_format
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rung.cli import options, show
from rung.cli.numbers import numbers
from rung.cli.progress import doing
from rung.cli.tables import print_table

if TYPE_CHECKING:
    from rung.bench.machine.limits import Limits


def machine(
    threads: Annotated[str | None, options.thread_counts("one and all physical cores")] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Measure again what was measured before.")
    ] = False,
    plot: options.Plot = None,
    json: options.Json = False,
) -> None:
    """Measure how fast this machine reads, copies, multiplies and adds.

    Takes some seconds for each number of threads, and is kept in the cache folder.
    """
    from rung.backends.cpu.machine import default_threads, processor_name
    from rung.backends.cpu.team import MOST_THREADS
    from rung.bench.machine.file import limits
    from rung.bench.plots import check_plot_file, plot_machine

    if plot is not None:
        check_plot_file(plot)
    counts = numbers(threads, "--threads", most=MOST_THREADS) or (1, default_threads())
    measured = []
    with doing() as progress:
        for count in dict.fromkeys(counts):
            what = partial(_said, progress, count)
            measured.append(limits(count, fresh=fresh, progress=what))
    name = processor_name()
    if plot is not None:
        plot_machine(name, measured, plot)
    if json:
        facts = {"machine": name, "limits": [asdict(known) for known in measured]}
        print(json_format.dumps(facts, indent=2))
        return
    _print(name, measured)


def _said(progress: Callable[[str], None], threads: int, what: str) -> None:
    progress(f"{threads} thread{'s' if threads > 1 else ''}: {what}")


def _print(name: str, measured: list[Limits]) -> None:
    columns = ["", *(f"{m.threads} thread{'s' if m.threads > 1 else ''}" for m in measured)]
    rows: list[list[str]] = [
        ["read memory, GB/s", *(f"{m.read_gbs:.1f}" for m in measured)],
        ["copy memory, GB/s read and written", *(f"{m.copy_gbs:.1f}" for m in measured)],
    ]
    for index, (size, _) in enumerate(measured[0].sweep):
        rates = (f"{m.sweep[index][1]:.1f}" for m in measured)
        rows.append([f"read {show.size(size)} again and again, GB/s", *rates])
    for kind, peak in measured[0].peaks.items():
        label = f"{kind} products ({peak.instruction}), Gop/s"
        rows.append([label, *(_gops(m.peaks, kind) for m in measured)])
    print_table(columns, rows, title=name)


def _gops(peaks: dict[str, Any], kind: str) -> str:
    return f"{peaks[kind].gops:,.0f}" if kind in peaks else "-"
