"""Opening a model for a command, with a word about kernels that must first be compiled."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Unpack

from rung.cli.streams import note

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from rung.engine.model import Model
    from rung.engine.options import LoadOptions

_COMPILING = "compiling kernels (first run on this machine)"
_UPLOADING = "moving weights to the device"


class Loaded(NamedTuple):
    """A model and the seconds it took to get there."""

    model: Model
    load_s: float


@contextmanager
def loaded(
    path: Path | None,
    *,
    tokenizer: Path | None,
    quiet: bool = False,
    **options: Unpack[LoadOptions],
) -> Iterator[Loaded]:
    """A model for the length of a `with` block. Raises what `rung.load` raises."""
    start = time.perf_counter()
    from rung.engine.model import load

    with compile_progress(quiet=quiet) as compiling, upload_progress(quiet=quiet) as uploading:
        model = load(
            path, tokenizer=tokenizer, on_compile=compiling, on_upload=uploading, **options
        )
    for line in model.notes:
        note(line)
    with model:
        yield Loaded(model, time.perf_counter() - start)


class StepProgress:
    """Called as something long goes on: a moving bar on a terminal, one line elsewhere."""

    def __init__(self, title: str, *, quiet: bool, in_bytes: bool = False) -> None:
        self._title = title
        self._quiet = quiet
        self._in_bytes = in_bytes
        self._is_told = False
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __call__(self, done: int, total: int, name: str) -> None:
        """Shows that `done` of `total` are done, and `name` is next; nothing when all are."""
        if self._quiet:
            return
        if done >= total:
            self.stop()  # two bars at once would draw over each other
            return
        if self._bar is None:
            self._start(total)
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=done, total=total, item=name)

    def stop(self) -> None:
        """Takes the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _start(self, total: int) -> None:
        if not sys.stderr.isatty():
            if not self._is_told:
                print(self._title, file=sys.stderr, flush=True)
            self._is_told = True
            return
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
        )

        self._bar = Progress(
            TextColumn(self._title),
            BarColumn(bar_width=20),
            DownloadColumn() if self._in_bytes else MofNCompleteColumn(),
            TextColumn("{task.fields[item]}"),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task("", total=total, item="")
        self._bar.start()


@contextmanager
def compile_progress(*, quiet: bool) -> Iterator[StepProgress]:
    """Progress of compiling, for the length of a `with` block."""
    progress = StepProgress(_COMPILING, quiet=quiet)
    try:
        yield progress
    finally:
        progress.stop()


@contextmanager
def upload_progress(*, quiet: bool) -> Iterator[StepProgress]:
    """Progress of moving weights, for the length of a `with` block."""
    progress = StepProgress(_UPLOADING, quiet=quiet, in_bytes=True)
    try:
        yield progress
    finally:
        progress.stop()
