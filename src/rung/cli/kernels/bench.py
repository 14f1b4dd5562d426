"""`rung kernels bench`: versions of a kernel timed beside each other and the machine's limit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rung.cli import options, show
from rung.cli.kernels.check import FAILED
from rung.cli.numbers import numbers
from rung.cli.progress import doing
from rung.cli.streams import note
from rung.cli.tables import print_table

if TYPE_CHECKING:
    from rung.bench.kernels.ladders import Result, Settings
    from rung.bench.kernels.rows import Row
    from rung.bench.kernels.runner import Entry
    from rung.bench.kernels.targets import Target
    from rung.bench.machine.limits import Limits

_ACTIVATIONS = ("float32", "int8")


def bench(
    op: Annotated[str, typer.Argument(metavar="OP", help="Such as linear.")],
    backend: options.KernelBackend = "cpu",
    form: options.Form = None,
    kind: options.WeightType = None,
    activations: Annotated[
        str | None,
        typer.Option(
            "--activations",
            metavar="|".join(_ACTIVATIONS),
            help="Only with activations of this kind.",
            show_default=False,
        ),
    ] = None,
    version: options.Versions = None,
    shape: Annotated[
        list[str] | None,
        typer.Option(
            "--shape",
            metavar="N×K | T=1,N=…",
            help="Sizes by letter, or as 2048x5632; may be given several times.",
            show_default=False,
        ),
    ] = None,
    tokens: Annotated[
        str | None,
        typer.Option(
            "--tokens",
            metavar="T,T…",
            help="Tokens at a time; without it, 1 as in decoding and 128 as in a prompt.",
            show_default=False,
        ),
    ] = None,
    threads: Annotated[
        str | None, options.thread_counts("RUNG_THREADS or the physical cores")
    ] = None,
    chunk: Annotated[
        str | None,
        typer.Option(
            "--chunk",
            metavar="N,N…",
            help="Parts a thread that the work is cut into; without it, as the kernel says.",
            show_default=False,
        ),
    ] = None,
    workgroup: Annotated[
        str | None,
        typer.Option(
            "--workgroup",
            metavar="N,N…",
            help="Threads of a GPU's workgroup, for kernels that leave it open; without it, as the "
            "kernel says.",
            show_default=False,
        ),
    ] = None,
    cached: Annotated[
        bool,
        typer.Option("--cached", help="Keep one copy of the weights, so that caches may hold it."),
    ] = False,
    repeats: Annotated[
        int | None,
        typer.Option(
            "--repeats",
            min=1,
            metavar="N",
            help="Samples of each version; without it, what the budget has room for.",
            show_default=False,
        ),
    ] = None,
    budget: Annotated[
        float,
        typer.Option(
            "--budget", min=0.01, metavar="S", help="Seconds for each version on each shape."
        ),
    ] = 2.0,
    json: Annotated[
        Path | None,
        typer.Option(
            "--json",
            metavar="FILE",
            help="Append a line of JSON for each row; - prints them instead of tables.",
            show_default=False,
        ),
    ] = None,
    plot: options.Plot = None,
) -> None:
    """Time the versions of a kernel beside each other and the machine's limit.

    Every version is compared with the float64 reference first, and one that fails is not timed.
    Weights are read from memory, as in decoding; activations are in the cache.
    """
    from rung.backends.cpu.team import MOST_THREADS
    from rung.bench.kernels.ladders import Settings
    from rung.bench.kernels.shapes import cases
    from rung.bench.kernels.targets import find_op, load_backend, targets
    from rung.bench.plots import check_plot_file, plot_ladders
    from rung.bench.results import append_rows, as_line
    from rung.errors import UsageError

    if plot is not None:
        check_plot_file(plot)
    if activations not in (None, *_ACTIVATIONS):
        raise UsageError(f"--activations is {activations!r}, expected {' or '.join(_ACTIVATIONS)}")
    load_backend(backend)
    chosen = targets(find_op(op), backend, form=form, kind=kind, activations=activations)
    token_counts = numbers(tokens, "--tokens")
    work = [(t, case) for t in chosen for case in cases(t, shapes=shape or (), tokens=token_counts)]
    _check_options(backend, threads=threads, chunk=chunk, workgroup=workgroup)
    settings = Settings(
        threads=numbers(threads, "--threads", most=MOST_THREADS) or (_default_threads(backend),),
        versions=numbers(version, "--version"),
        parts=numbers(chunk, "--chunk", most=MOST_THREADS) or (None,),
        workgroups=_workgroups(workgroup),
        cached=cached,
        repeats=repeats,
        budget_s=budget,
    )
    rows: list[Row] = []
    failed = False
    printing = json is not None and str(json) == "-"
    with ExitStack() as stack:
        limits, results = _results(work, settings, stack)
        for result in results:
            rows += result.rows
            failed |= result.failed
            _tell(result, tables=not printing)
            found = [row.as_dict() for row in result.rows]
            if printing:
                print(*map(as_line, found), sep="", end="", flush=True)
            elif json is not None:
                append_rows(json, found)
    if plot is not None and rows:
        plot_ladders(rows, list(limits.values()), plot)
    if failed:
        raise typer.Exit(FAILED)


def _check_options(backend: str, **given: str | None) -> None:
    """Raises UsageError for options that are another kind of processor's."""
    from rung.errors import UsageError

    on_gpu = backend == "webgpu"
    for name in ("threads", "chunk") if on_gpu else ("workgroup",):
        if given[name] is not None:
            whose = "processors' cores" if on_gpu else "GPUs"
            raise UsageError(f"--{name} is for kernels of {whose}, and --backend is {backend}")


def _workgroups(text: str | None) -> tuple[int | None, ...]:
    """Sizes of workgroups. Raises UsageError for those that kernels do not work with."""
    from rung.errors import UsageError
    from rung.wgsl.call import LEAST_INVOCATIONS, MOST_INVOCATIONS, is_workgroup

    chosen = numbers(text, "--workgroup", most=MOST_INVOCATIONS)
    for size in chosen:
        if not is_workgroup(size):
            raise UsageError(
                f"--workgroup is {size}, expected powers of two from {LEAST_INVOCATIONS} on, such "
                "as 64,128,256"
            )
    return chosen or (None,)


def _default_threads(backend: str) -> int:
    """The physical cores, or RUNG_THREADS; 0 for a GPU."""
    from rung.backends.cpu.machine import default_threads

    return 0 if backend == "webgpu" else default_threads()


def _results(
    work: list[tuple[Target, dict[str, Any]]], settings: Settings, stack: ExitStack
) -> tuple[Mapping[int, Limits], Iterator[Result]]:
    """The machine's limits, and results as they come; teams of threads live as long as `stack`."""
    from rung.bench.kernels.ladders import bench as bench_ladder
    from rung.bench.kernels.targets import opened
    from rung.bench.machine.file import limits as machine_limits
    from rung.bench.machine.limits import gpu_limits

    backend = work[0][0].backend
    with doing() as progress:

        def telling(what: str) -> None:
            progress(f"this machine: {what}")

        if backend == "webgpu":
            gpu = stack.enter_context(opened(backend))
            backends = {0: gpu}
            limits = {0: gpu_limits(gpu, progress=telling)}
        else:
            limits = {n: machine_limits(n, progress=telling) for n in settings.threads}
            backends = {n: stack.enter_context(opened(backend, n)) for n in settings.threads}

    def results() -> Iterator[Result]:
        for target, case in work:
            with doing() as progress:
                result = bench_ladder(target, case, settings, backends, limits, progress=progress)
            yield result

    return limits, results()


def _tell(result: Result, *, tables: bool) -> None:
    """The table of one ladder on one shape; what was not timed, and why, on stderr."""
    for entry in result.left_out:
        note(f"{entry.kernel.name}{_setting(entry)} is left out: {entry.left_out}")
    if not (tables and result.rows):
        return
    on_gpu = result.target.backend == "webgpu"
    how = ("workgroup",) if on_gpu else ("threads", "parts")
    names = ("version", "why", *how, "p20", "p50", "p80", "GB/s", "GFLOP/s")
    whys = {entry.version: entry.why for entry in result.kernels}
    lines = [
        (
            f"{row.version}{' *' if row.selected else ''}",
            whys[row.version],
            *_cells(row, on_gpu=on_gpu),
            *(show.time(value) for value in (row.p20_s, row.p50_s, row.p80_s)),
            f"{row.gb_per_s:.1f}",
            f"{row.gflop_per_s:.1f}" if row.gflop_per_s else "-",
            f"{100 * row.fraction_of_limit:.0f}%",
            "-" if row.speedup_over_1 is None else f"×{row.speedup_over_1:.2f}",
        )
        for row in result.rows
    ]
    print_table((*names, "of limit", "over 1"), lines, title=_title(result), left=2)


def _setting(entry: Entry) -> str:
    """How an entry ran, where that was chosen."""
    if entry.threads:
        return f" ({entry.threads} thread{'s' if entry.threads > 1 else ''})"
    return "" if entry.workgroup is None else f" (workgroups of {entry.workgroup})"


def _cells(row: Row, *, on_gpu: bool) -> tuple[str, ...]:
    """What tells how a row ran."""
    if on_gpu:
        return (str(row.workgroup) if row.workgroup else "fixed",)
    return str(row.threads), str(row.parts_per_thread)


def _title(result: Result) -> str:
    """Op, form, types and shape; where the weights are; what limits."""
    from rung.bench.kernels.shapes import show as show_shape

    target, prepared, row = result.target, result.prepared, result.rows[0]
    types = ", ".join(f"{name} {kind.name}" for name, kind in target.types.items())
    first = f"{target.name}  {show_shape(target.op, prepared.case)}" + (
        f"  {types}" if types else ""
    )
    copies = len(prepared.copies)
    if copies > 1:
        size, names = show.size(prepared.copied_bytes), " and ".join(prepared.copies[0])
        place = f"{names} from memory: {copies} copies by turns, {size} in all"
    else:
        place = "everything in the cache that fits there"
    checked = prepared.checked[0]
    same = "" if checked == prepared.case else f"; checked on {show_shape(target.op, checked)}"
    where = f"at {row.threads} threads" if row.threads else f"on {row.machine}"
    limit = f"limit: {show.time(row.limit_s)} by {row.limited_by} {where}"
    return f"{first}\n{place}; {limit}{same}"
