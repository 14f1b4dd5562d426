"""The speed of a model: alone, or beside other programs on an equal file.

Alone, Rung runs in this process. Beside others, each program has a process of its own.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from rung.backends.base import Origin
from rung.backends.choose import Devices, check_device
from rung.backends.cpu import machine
from rung.bench.models.energy import EnergyMeter
from rung.bench.models.measure import Measured, measure
from rung.bench.models.plan import Plan
from rung.bench.models.random_weights import matrix_type, random_checkpoint
from rung.bench.models.rows import Limits, Row, Subject, rows_of
from rung.bench.models.shapes import shape_named
from rung.bench.models.sides.base import Setup, Side
from rung.bench.models.sides.own import OwnSide
from rung.bench.models.sides.peers import Peer, check_peer
from rung.bench.models.sides.worker import WorkerSide
from rung.engine.options import check_activations, check_cache_type
from rung.errors import UsageError
from rung.formats import open_checkpoint
from rung.formats.base import Checkpoint
from rung.formats.gguf.types import written_types
from rung.formats.writers import writer_for
from rung.models.config import Config

Steps = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is (0: unknown)."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where weights come from: a model file, or else a known shape with random ones of a type.

    shape: the known shape; with a path, what results call the model ("" for the file's own name).
    keep: where the random weights are written, to stay; None is a temporary folder, or memory.
    """

    path: Path | None = None
    shape: str = ""
    type_name: str = ""
    seed: int = 0
    keep: Path | None = None

    def config(self) -> Config:
        """The shape. Raises what opening a file raises, UsageError for an unknown shape."""
        return open_checkpoint(self.path).config if self.path else shape_named(self.shape)


@dataclass(frozen=True, kw_only=True)
class Report:
    """What was measured, a row each, and what a reader should be told."""

    rows: list[Row]
    measured: Measured
    notes: tuple[str, ...]
    energy_available: bool


@dataclass(frozen=True, kw_only=True)
class _Model:
    """A model that is ready to be opened by sides: in a file, or in memory."""

    subject: Subject
    path: Path | None
    checkpoint: Checkpoint | None
    notes: tuple[str, ...]


def bench_model(
    source: Source,
    plan: Plan,
    *,
    peers: Sequence[Peer] = (),
    rounds: int = 5,
    threads: int | None = None,
    activations: str | None = None,
    cache_type: str | None = None,
    device: str = "cpu",
    gpu_layers: str = "auto",
    steps: Steps = lambda label, done, total: None,
) -> Report:
    """Measures a plan's tasks, so many rounds after a warm-up, by turns with the peers.

    Raises UsageError for what does not go together, before anything is made or run.
    """
    threads = machine.default_threads() if threads is None else threads
    _check(source, peers)
    check_activations(activations)
    check_device(device)
    check_cache_type(cache_type)
    with ExitStack() as stack:
        model = stack.enter_context(_prepared(source, peers, threads, steps))
        setup = Setup(
            config=model.subject.config,
            path=model.path,
            threads=threads,
            context_length=plan.context_length,
            longest_batch=plan.longest_batch,
            activations=activations,
            cache_type=cache_type,
            device=device,
            gpu_layers=gpu_layers,
            seed=source.seed,
        )
        sides: list[Side] = []
        for label, opener in _openers(model, setup, peers, steps):
            steps(f"opening {label}", 0, 0)
            sides.append(stack.enter_context(closing(opener())))
        meter = EnergyMeter()
        measured = measure(
            sides,
            plan.tasks,
            rounds=rounds,
            progress=lambda done, total, label: steps(label, done, total),
            meter=meter,
        )
        # Only now: what it reads is memory of this process, whose peak has been taken.
        steps("measuring the machine's limits", 0, 0)
        place = None
        if Devices(device=device).has_gpu:
            limits, place = _gpu_limits(device)
        else:
            limits = _limits(threads, sides[0].opened.activations, model.subject.dtype)
        notes = (*plan.notes, *model.notes, *(note for side in sides for note in side.opened.notes))
        rows = rows_of(measured, sides, model.subject, limits=limits, place=place)
        return Report(rows=rows, measured=measured, notes=notes, energy_available=meter.available)


def _limits(threads: int, activations: str, dtype: str) -> Limits:
    """Bandwidth as it is now, for it changes with what else runs; arithmetic as it is known."""
    from rung.bench.machine import file as machine_file
    from rung.bench.machine.limits import read_bandwidth

    kind = {"int8": "int8", "bfloat16": "bf16"}.get(activations, "f32")
    if kind == "int8" and dtype in ("f32", "f16", "bf16"):
        kind = "f32"
    return Limits(read_bandwidth(threads), machine_file.limits(threads).peaks[kind].gops)


def _gpu_limits(device: str) -> tuple[Limits, Origin]:
    """Of copying and of float32, measured now; and what they hold for."""
    from rung.backends.webgpu.backend import WebGpuBackend
    from rung.backends.webgpu.speeds import measure as measure_gpu

    backend = WebGpuBackend(device)
    try:
        speeds = measure_gpu(backend.gpu)
        return Limits(speeds.copy_gbs, speeds.gops["f32"]), backend.origin
    finally:
        backend.close()


def _check(source: Source, peers: Sequence[Peer]) -> None:
    config = source.config()
    for peer in peers:
        check_peer(peer, config)
    if source.path is None:
        kind = matrix_type(source.type_name)
        target = source.keep or Path(_file_name(source, peers))
        writer = writer_for(target)  # its name must say a format
        if source.keep is not None and source.keep.exists():
            raise UsageError(f"{source.keep} exists already; measure it as MODEL, or remove it")
        for peer in peers:
            if peer.reads_gguf and kind.name not in written_types():
                known = ", ".join(written_types())
                raise UsageError(
                    f"--versus {peer.name} needs a GGUF file, which holds no {kind.name}; "
                    f"choose one of {known}"
                )
            if peer.reads_gguf and writer.name != "gguf":
                raise UsageError(f"--versus {peer.name} needs a GGUF file; {target} is none")
        return
    if any(peer.reads_gguf for peer in peers):
        checkpoint = open_checkpoint(source.path)
        if not checkpoint.format.startswith("GGUF"):
            raise UsageError(
                f"--versus llama.cpp needs a GGUF file, and {source.path} is {checkpoint.format}; "
                f"rung convert writes one"
            )


def _file_name(source: Source, peers: Sequence[Peer]) -> str:
    in_gguf = source.type_name in written_types() or any(peer.reads_gguf for peer in peers)
    return f"{source.shape}-{source.type_name}.{'gguf' if in_gguf else 'safetensors'}"


@contextmanager
def _prepared(
    source: Source, peers: Sequence[Peer], threads: int, steps: Steps
) -> Iterator[_Model]:
    """The model, and the file for it where one is needed."""
    if source.path is not None:
        checkpoint = open_checkpoint(source.path)
        subject = Subject.of(
            checkpoint, shape=source.shape or checkpoint.path.stem, threads=threads
        )
        yield _Model(subject=subject, path=checkpoint.path, checkpoint=None, notes=checkpoint.notes)
        return
    made = random_checkpoint(
        shape_named(source.shape),
        source.type_name,
        seed=source.seed,
        name=source.shape,
        progress=lambda done, total: steps("making random weights", done, total),
    )
    subject = Subject.of(made, shape=source.shape, threads=threads)
    notes = made.notes
    if not peers and source.keep is None:
        yield _Model(subject=subject, path=None, checkpoint=made, notes=notes)
        return
    with tempfile.TemporaryDirectory(prefix="rung-bench-") as folder:
        path = source.keep or Path(folder) / _file_name(source, peers)
        writer_for(path).write(
            path,
            made,
            kind=None,
            group_size=0,
            progress=lambda done, total: steps(f"writing {path.name}", done, total),
        )
        del made  # from here on the file's pages are all that there is of it
        yield _Model(subject=subject, path=path, checkpoint=None, notes=notes)


def _openers(
    model: _Model, setup: Setup, peers: Sequence[Peer], steps: Steps
) -> Iterator[tuple[str, Callable[[], Side]]]:
    """A name and an opener for each side, Rung first."""

    def compiling(done: int, total: int, name: str) -> None:
        steps("compiling kernels (first run on this machine)", done, total)

    if not peers:
        yield "rung", lambda: OwnSide(setup, model.checkpoint, on_compile=compiling)
        return
    yield "rung", lambda: WorkerSide(OwnSide, setup, label="rung")
    for peer in peers:
        yield peer.name, lambda peer=peer: WorkerSide(peer.side, setup, label=peer.name)  # type: ignore[misc]
