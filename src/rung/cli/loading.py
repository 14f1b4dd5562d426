"""Opening a model for a command, with a word about kernels that must first be compiled."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rung.cli.streams import note

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from rung.engine.model import Model

_COMPILING = "compiling kernels (first run on this machine)"


class Loaded(NamedTuple):
    """A model and the seconds it took to get there."""

    model: Model
    load_s: float


@contextmanager
def loaded(
    path: Path | None,
    *,
    tokenizer: Path | None,
    threads: int | None,
    context: int | None,
    cache_type: str | None,
    activations: str | None,
    quiet: bool = False,
) -> Iterator[Loaded]:
    """A model for the length of a `with` block. Raises what `rung.load` raises."""
    start = time.perf_counter()
    from rung.engine.model import load

    with compile_progress(quiet=quiet) as progress:
        model = load(
            path,
            tokenizer=tokenizer,
            threads=threads,
            context_length=context,
            cache_type=cache_type,
            activations=activations,
            on_compile=progress,
        )
    for line in model.checkpoint.notes:
        note(line)
    with model:
        yield Loaded(model, time.perf_counter() - start)


class CompileProgress:
    """Called as kernels are compiled: a moving bar on a terminal, one line elsewhere."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._started = False
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __call__(self, done: int, total: int, name: str) -> None:
        """Shows that `done` of `total` kernels are compiled, and `name` is next."""
        if self._quiet:
            return
        if not self._started:
            self._started = True
            self._start(total)
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=done, total=total, kernel=name)

    def stop(self) -> None:
        """Takes the bar away."""
        if self._bar is not None:
            self._bar.stop()

    def _start(self, total: int) -> None:
        if not sys.stderr.isatty():
            print(_COMPILING, file=sys.stderr, flush=True)
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        self._bar = Progress(
            TextColumn(_COMPILING),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn("{task.fields[kernel]}"),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task("compile", total=total, kernel="")
        self._bar.start()


@contextmanager
def compile_progress(*, quiet: bool) -> Iterator[CompileProgress]:
    """A CompileProgress for the length of a `with` block."""
    progress = CompileProgress(quiet=quiet)
    try:
        yield progress
    finally:
        progress.stop()
