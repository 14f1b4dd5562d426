"""Benchmarking ladders: every version of a form on every shape, thread count and split."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rung.backends.base import KernelBackend
from rung.bench.kernels.prepare import Prepared, prepare, specs_of
from rung.bench.kernels.rows import Row, make_row
from rung.bench.kernels.runner import Entry, rounds, time_by_turns
from rung.bench.kernels.shapes import show
from rung.bench.kernels.targets import Target, lacks, ladder, planned, tokens_of, usable
from rung.bench.machine.limits import Limits
from rung.errors import KernelError, UsageError
from rung.registry import MANY, Kernel, select
from rung.wgsl.call import WORKGROUP

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Settings:
    """How to time: which versions, threads and parts; how long.

    threads: 0 for a GPU. workgroups: their sizes, for kernels that leave it open.
    """

    threads: tuple[int, ...]
    versions: tuple[int, ...] = ()  # none for all
    parts: tuple[int | None, ...] = (None,)
    workgroups: tuple[int | None, ...] = (None,)
    cached: bool = False
    repeats: int | None = None
    budget_s: float = 2.0


@dataclass(frozen=True)
class Result:
    """A ladder on one shape: rows of what was timed, entries of what was not."""

    target: Target
    prepared: Prepared
    rows: tuple[Row, ...]
    left_out: tuple[Entry, ...]

    @property
    def kernels(self) -> list[Kernel]:
        """The whole ladder, oldest first."""
        return ladder(self.target.op, self.target.backend, self.target.form)

    @property
    def failed(self) -> bool:
        """Whether a kernel computed something else than the reference."""
        return any(entry.failed for entry in self.left_out)


def bench(
    target: Target,
    case: Mapping[str, Any],
    settings: Settings,
    backends: Mapping[int, KernelBackend],
    limits: Mapping[int, Limits],
    *,
    progress: Progress = lambda what: None,
) -> Result:
    """Checks and times the versions of a ladder on one case.

    backends, limits: by number of threads. Raises UsageError for a version that does not exist or
    does not accept the case.
    """
    what = f"{target.name} {show(target.op, case)}"
    progress(f"{what}: inputs")
    first = backends[settings.threads[0]]
    prepared = prepare(target.op, case, first, cached=settings.cached)
    kernels = _kernels(target, prepared, settings.versions)
    entries = [
        Entry(kernel, backends[threads], parts, workgroup)
        for threads in settings.threads
        for parts in settings.parts
        for kernel in kernels
        for workgroup in (settings.workgroups if WORKGROUP in kernel.options else (None,))
    ]
    for entry in entries:
        progress(f"{what}: checking version {entry.kernel.version}")
        entry.check(prepared, samples=rounds(settings.repeats), budget_s=settings.budget_s)
    progress(f"{what}: timing")
    time_by_turns(entries, repeats=settings.repeats, budget_s=settings.budget_s)
    chosen = _selected(target, prepared)
    rows = [
        make_row(
            entry,
            prepared,
            limits[entry.threads],
            first=_first(entry, entries),
            selected=entry.kernel is chosen,
        )
        for entry in entries
        if entry.samples
    ]
    return Result(target, prepared, tuple(rows), tuple(e for e in entries if not e.samples))


def _kernels(target: Target, prepared: Prepared, versions: Sequence[int]) -> list[Kernel]:
    """The versions asked for that accept the case; all that do where none are asked for."""
    rungs = ladder(target.op, target.backend, target.form)
    known = [kernel.version for kernel in rungs]
    specs, attributes = specs_of(prepared)
    for version in versions:
        if version not in known:
            raise UsageError(f"{target.name} has no version {version}; it has: {known}")
    kernels = [kernel for kernel in rungs if not versions or kernel.version in versions]
    case = prepared.case
    accepting = [k for k in kernels if usable(k, case) and k.accepts(specs, attributes)]
    if versions and len(accepting) < len(kernels):
        refusing = next(kernel for kernel in kernels if kernel not in accepting)
        lack = f", which needs {', '.join(refusing.missing)}" if refusing.missing else ""
        lack = f": {lacks(refusing)}" if lacks(refusing) else lack
        shape = show(target.op, prepared.case)
        if not refusing.takes(tokens_of(case)):
            least, most = refusing.tokens
            lack = f": it is for T from {least} " + ("on" if most == MANY else f"to {most}")
        raise UsageError(f"{refusing.name} does not accept {shape} on this machine{lack}")
    if not accepting:
        raise UsageError(f"no kernel of {target.name} accepts {show(target.op, prepared.case)}")
    return accepting


def _selected(target: Target, prepared: Prepared) -> Kernel | None:
    specs, attributes = specs_of(prepared)
    try:
        return select(
            *(target.op, target.backend, planned(specs), attributes),
            usable=lambda k: usable(k, prepared.case),
        )
    except KernelError:
        return None


def _first(entry: Entry, entries: Sequence[Entry]) -> Entry | None:
    """Version 1 with the same threads and parts."""
    same: Iterator[Entry] = (
        e
        for e in entries
        if e.kernel.version == 1 and e.backend is entry.backend and e.parts == entry.parts
    )
    return next(same, None)
