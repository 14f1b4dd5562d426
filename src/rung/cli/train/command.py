"""`rung train`: train a model, from nothing or from another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rung.cli import groups
from rung.cli.streams import note
from rung.cli.train.options import (
    DataChoice,
    Learning,
    Length,
    Machine,
    ModelChoice,
    Signs,
    given,
)
from rung.cli.train.stop_requests import StopRequests, terminable
from rung.errors import UsageError

if TYPE_CHECKING:
    from rung.train.run.session import Session

_MODEL, _DATA, _LENGTH = ModelChoice(), DataChoice(), Length()
_LEARNING, _SIGNS, _MACHINE = Learning(), Signs(), Machine()


@groups.spread
def train(
    inputs: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="DATA…",
            help="A folder of rung data, llm.c's token shards, or text files (.txt, .jsonl …).",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="FOLDER", help="Folder of the run.", show_default=False
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in FOLDER, bit for bit.")
    ] = False,
    model: ModelChoice = _MODEL,
    data: DataChoice = _DATA,
    length: Length = _LENGTH,
    learning: Learning = _LEARNING,
    signs: Signs = _SIGNS,
    tensorboard: Annotated[
        bool,
        typer.Option(
            "--tensorboard",
            help="Write metrics for TensorBoard, too (extra: tensorboard).",
            rich_help_panel="Signs of life and checkpoints",
        ),
    ] = False,
    machine: Machine = _MACHINE,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Say nothing but errors on stderr.")
    ] = False,
) -> None:
    """Train a GPT-2 or Llama model, from nothing or from any that Rung loads.

    FOLDER is a model as soon as there is a checkpoint: rung generate FOLDER, rung convert FOLDER.
    Ctrl-C, or SIGTERM, finishes the step, saves and ends; --resume goes on. Ctrl-C twice ends now.
    """
    if out is None:
        raise UsageError("give the run a folder: --out FOLDER")
    told = given(model, data, length, learning, signs, machine)
    for name in ("steps", "epochs", "tokens"):
        if told.get(name) == 0:  # which TrainOptions takes for one that was not given
            raise UsageError(f"--{name} is {told[name]}, expected more than 0")
    if inputs:
        told["data"] = tuple(map(str, inputs))
    if tensorboard:
        from rung.train.run.metrics import check_tensorboard

        check_tensorboard()
    from rung.cli.loading import compile_progress

    with (
        terminable(),
        compile_progress(quiet=quiet) as compiling,
        _opened(out, told, compiling, resumed=resume) as session,
    ):
        compiling.stop()
        ended_before = session.state.step >= session.options.steps
        exit_code = _run(session, compiling, tensorboard=tensorboard, quiet=quiet)
        if ended_before and not quiet:
            note(
                f"the run has all of its {session.options.steps:,} steps; --steps N makes it longer"
            )
        if not quiet:
            _tell_end(session, ended=not exit_code)
    if exit_code:
        raise typer.Exit(exit_code)


def _opened(out: Path, told: dict[str, Any], compiling: Any, *, resumed: bool) -> Session:
    from rung.train.run.options import TrainOptions
    from rung.train.run.session import begin, resume

    if resumed:
        return resume(out, told, on_compile=compiling)
    return begin(TrainOptions(**told), out, on_compile=compiling)


def _run(session: Session, compiling: Any, *, tensorboard: bool, quiet: bool) -> int:
    """Trains to the end, which is 0, or until a signal asks for one: 128 + it, as a shell says."""
    from rung.cli.train.progress import Quiet, Telling
    from rung.train.run.trainer import Trainer

    reporter = Quiet() if quiet else Telling(session)
    requests = StopRequests(on_first=reporter.asked_to_stop, on_end=reporter.stopped_at_once)
    with requests, reporter:
        trainer = Trainer(session, reporter, tensorboard=tensorboard, on_compile=compiling)
        if trainer.run(stop=lambda: requests.signal is not None):
            return 0
    assert requests.signal is not None  # nothing else stops it
    return 128 + requests.signal


def _tell_end(session: Session, *, ended: bool) -> None:
    from rung.train.run.checkpoints import CURVE_FILE, METRICS_FILE
    from rung.train.run.curve import can_draw, draw
    from rung.train.run.metrics import read_rows

    folder = session.run.path
    rows = read_rows(folder / METRICS_FILE)
    if can_draw():
        draw(rows, folder / CURVE_FILE)
        note(f"loss curve: {folder / CURVE_FILE}")
    else:
        note('no loss curve is drawn without matplotlib: pip install "rung[plot]"')
    if ended:
        note(f"the model is trained: rung generate {folder}")
    else:
        note(f"stopped and saved; go on with: rung train --resume --out {folder}")
