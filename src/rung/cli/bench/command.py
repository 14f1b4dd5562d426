"""`rung bench`: how fast this machine is, and what runs on it."""

from __future__ import annotations

import typer

from rung.cli.bench import machine as bench_machine
from rung.cli.bench import model as bench_model

app = typer.Typer(
    name="bench", no_args_is_help=True, help="Measure this machine, and models on it."
)
app.command("machine")(bench_machine.machine)
app.command("model")(bench_model.model)
