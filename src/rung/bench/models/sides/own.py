"""Rung's own side."""

from __future__ import annotations

import time

from rung import __version__
from rung.backends.base import HOST, Compiling
from rung.bench.models.sides.base import Opened, Setup, TokenSide
from rung.engine.batch import Batch, Choice
from rung.engine.runner import plan_model
from rung.formats import open_checkpoint
from rung.formats.base import Checkpoint
from rung.schedule.homes import Wishes, parse_layers


class OwnSide(TokenSide):
    """A ModelRunner, on the file of `setup` or on a checkpoint that is in memory already."""

    def __init__(
        self,
        setup: Setup,
        checkpoint: Checkpoint | None = None,
        *,
        on_compile: Compiling | None = None,
    ) -> None:
        super().__init__(setup)
        compiled: list[str] = []

        def note_compile(done: int, total: int, name: str) -> None:
            compiled.append(name)
            if on_compile is not None:
                on_compile(done, total, name)

        start = time.perf_counter()
        if checkpoint is None:
            assert setup.path is not None
            checkpoint = open_checkpoint(setup.path)
        self._runner = plan_model(
            checkpoint,
            threads=setup.threads,
            context_length=setup.context_length,
            activations=setup.activations,
            cache_type=setup.cache_type,
            device=setup.device,
            wishes=Wishes(gpu_layers=parse_layers(setup.gpu_layers)),
            on_compile=note_compile,
        )
        notes = list(self._runner.notes)
        if compiled:
            notes.append("loading includes compiling kernels, once on a machine")
        device = self._runner.backends[0]
        self.opened = Opened(
            name=f"rung {__version__}",
            load_s=time.perf_counter() - start,
            activations=self._runner.activations,
            cache_type=self._runner.cache_type,
            backend=device.name if device.memory != HOST else "cpu",
            notes=tuple(notes),
        )

    def decode(self, depth: int, tokens: int) -> float:
        """As every side does; a device that runs ahead goes on with the likeliest tokens."""
        if not self._runner.runs_ahead:
            return super().decode(depth, tokens)
        if self._cached < depth:
            self.prompt(depth)
        start = time.perf_counter()
        ids = self._runner.ahead(
            self._tokens[depth], position=depth, slot=0, choice=Choice(), steps=tokens
        )
        if ids is None:  # some layers are on the host
            return super().decode(depth, tokens)
        for _ in ids:
            pass
        elapsed = time.perf_counter() - start
        self._cached = depth + tokens
        return elapsed

    def _read(self, start: int, stop: int) -> None:
        most = self._runner.max_tokens
        for at in range(start, stop, most):
            end = min(at + most, stop)
            rows = "last" if end == stop else "none"
            self._runner.forward(Batch.one(self._tokens[at:end], start=at, rows=rows))

    def _forget(self, start: int) -> None:
        """Nothing to do: positions that are read again are written over."""

    def close(self) -> None:
        self._runner.close()
