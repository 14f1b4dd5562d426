"""`rung check-gpt2`: Rung's training beside what another program found, tensor by tensor."""

from __future__ import annotations

import json as json_format
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rung.cli import options
from rung.errors import UsageError

if TYPE_CHECKING:
    from rung.train.check import Check


def check_gpt2(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="llm.c's model file, such as gpt2_124M.bin.")
    ],
    state: Annotated[
        Path,
        typer.Argument(metavar="STATE", help="Its debug state, such as gpt2_124M_debug_state.bin."),
    ],
    losses: Annotated[
        str | None,
        typer.Option(
            "--losses",
            metavar="X,X…",
            help="The losses of the steps; without it, those that llm.c knows of GPT-2 124M.",
            show_default=False,
        ),
    ] = None,
    steps: Annotated[int, typer.Option("--steps", min=1, help="Steps of AdamW.")] = 10,
    weight_decay: Annotated[
        float,
        typer.Option(
            "--weight-decay", min=0, help="AdamW's, of every tensor; llm.c's test has 0.01."
        ),
    ] = 0.0,
    device: options.Device = "cpu",
    threads: options.Threads = None,
    json: options.Json = False,
) -> None:
    """Compare logits, loss, every gradient and ten steps of AdamW with llm.c's debug state.

    The exit code is 1 where something is off.
    """
    from rung.cli.loading import compile_progress
    from rung.train.check import check

    expected = None if losses is None else _numbers(losses)
    with compile_progress(quiet=json) as compiling:
        found = check(
            *(model, state),
            steps=steps,
            losses=expected,
            weight_decay=weight_decay,
            device=device,
            threads=threads,
            on_compile=compiling,
        )
    if json:
        rows = [{**row._asdict(), "ok": row.ok} for row in found]
        print(json_format.dumps({"ok": all(row.ok for row in found), "checks": rows}, indent=2))
    else:
        _show(found)
    if not all(row.ok for row in found):
        raise typer.Exit(1)


def _show(found: list[Check]) -> None:
    from rung.cli.tables import print_table

    rows = [
        [
            row.name,
            "-" if row.expected is None else f"{row.expected:.6g}",
            f"{row.found:.6g}",
            "-" if row.difference is None else f"{row.difference:.1e}",
            "-" if row.difference is None else f"{row.tolerance:.0e}",
            ("ok" if row.ok else "OFF") if row.difference is not None else "not known",
            row.place,
        ]
        for row in found
    ]
    columns = ["", "expected", "found", "difference", "allowed", "", "worst at"]
    print_table(columns, rows, title="differences as shares of a weight's largest value")
    wrong = [row.name for row in found if not row.ok]
    print(f"{len(wrong)} of {len(found)} are off: {', '.join(wrong)}" if wrong else "all is well")


def _numbers(text: str) -> list[float]:
    try:
        return [float(word) for word in text.split(",")]
    except ValueError:
        raise UsageError(f"--losses is {text!r}, expected numbers, as 5.27,4.06") from None
