"""`rung bench model`: how fast a model reads prompts and decodes; alone, or beside others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from rung.cli import options
from rung.cli.progress import doing
from rung.cli.streams import note
from rung.cli.tables import print_table
from rung.errors import UsageError

if TYPE_CHECKING:
    from rung.bench.models.run import Report, Source

_WEIGHTS, _WORK, _OUTPUT = "Weights", "What is measured", "Output"
DEFAULT_TYPE = "q8_0"


def model(
    model: options.OptionalModel = None,
    shape: Annotated[
        str | None,
        typer.Option(
            "--shape",
            metavar="NAME",
            help="Random weights in a published shape, such as tinyllama-1.1b, in place of MODEL.",
            rich_help_panel=_WEIGHTS,
            show_default=False,
        ),
    ] = None,
    value_type: Annotated[
        str | None,
        typer.Option(
            "--type",
            metavar="TYPE",
            help="Storage type of --shape's matrices: f32, f16, bf16, i8, i8_g64, q8_0, q4_0, "
            f"q4_k, q5_k or q6_k; without it, {DEFAULT_TYPE}.",
            rich_help_panel=_WEIGHTS,
            show_default=False,
        ),
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option(
            "--keep",
            metavar="FILE",
            help="Write --shape's random weights here (.gguf or .safetensors), and leave them.",
            rich_help_panel=_WEIGHTS,
            show_default=False,
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", min=0, help="Seed of weights and tokens.",
                          rich_help_panel=_WEIGHTS)
    ] = 0,
    prompt: Annotated[
        str | None,
        typer.Option(
            "--prompt",
            metavar="N,…",
            help="Lengths of prompts; without it, those of 64, 256 and 512 that fit. "
            'None at all: "".',
            rich_help_panel=_WORK,
            show_default=False,
        ),
    ] = None,
    depth: Annotated[
        str | None,
        typer.Option(
            "--depth",
            metavar="N,…",
            help="Tokens in the cache where decoding begins; without it, those of 0 and 256 that "
            'fit. None at all: "".',
            rich_help_panel=_WORK,
            show_default=False,
        ),
    ] = None,
    tokens: Annotated[
        int, typer.Option("--tokens", help="Tokens decoded in a run.", rich_help_panel=_WORK)
    ] = 64,
    repeats: Annotated[
        int,
        typer.Option(
            "--repeats", "--rounds", min=1, help="Runs of each, after one that warms up.",
            rich_help_panel=_WORK,
        ),
    ] = 5,
    versus: Annotated[
        list[str] | None,
        typer.Option(
            "--versus",
            metavar="PROGRAM",
            help="Beside llama.cpp (llama-cpp-python) or torch-bf16 (PyTorch), by turns, on an "
            "equal file; may be given twice.",
            rich_help_panel=_WORK,
            show_default=False,
        ),
    ] = None,
    threads: options.Threads = None,
    device: options.Device = "cpu",
    gpu_layers: options.GpuLayers = "auto",
    context: Annotated[
        int | None,
        typer.Option(
            "--context",
            "-c",
            metavar="N",
            help="Positions that the cache holds; without it, as many as are needed.",
            rich_help_panel=_WORK,
            show_default=False,
        ),
    ] = None,
    cache_type: options.CacheType = None,
    activations: options.Activations = None,
    format: Annotated[  # noqa: A002  # the option's name
        Literal["table", "markdown", "csv", "json"],
        typer.Option("--format", help="How results are printed.", rich_help_panel=_OUTPUT),
    ] = "table",
    append: Annotated[
        Path | None,
        typer.Option(
            "--append",
            metavar="FILE",
            help="Add a JSON object for each result to this file, a line each.",
            rich_help_panel=_OUTPUT,
            show_default=False,
        ),
    ] = None,
) -> None:  # fmt: skip
    """Measure how fast a model reads prompts and decodes: MODEL, or a known shape.

    Tokens are random and nothing is sampled. Without MODEL and --shape it is the built-in model.
    """
    source = _source(model, shape, value_type, keep, seed)
    from rung.bench.models.sides.peers import peer_named

    peers = [peer_named(name) for name in dict.fromkeys(versus or ())]
    if append is not None and not append.parent.is_dir():
        raise UsageError(f"--append: there is no folder {append.parent}")
    from rung.bench.models import plan as plans
    from rung.bench.models.run import bench_model

    plan = plans.plan(
        prompts=plans.numbers("--prompt", prompt, least=1),
        depths=plans.numbers("--depth", depth, least=0),
        tokens=tokens,
        context_length=context,
        trained_context=source.config().context_length,
    )
    with doing() as say:
        report = bench_model(
            source,
            plan,
            peers=peers,
            rounds=repeats,
            threads=threads,
            activations=activations,
            cache_type=cache_type,
            device=device,
            gpu_layers=gpu_layers,
            steps=lambda label, done, total: say(_step(label, done, total)),
        )
    for line in report.notes:
        note(line)
    _print(report, format)
    if append is not None:
        from rung.bench.results import append_rows

        append_rows(append, report.rows)
        note(f"{len(report.rows)} rows added to {append}")


def _step(label: str, done: int, total: int) -> str:
    return f"{label} ({done / total:.0%})" if total else label


def _print(report: Report, form: str) -> None:
    from rung.bench.models.report import cells, facts, render

    if form != "table":
        print(render(report, form))
        return
    print_table(*cells(report.rows))
    print("\n".join(facts(report)))


def _source(
    model: Path | None, shape: str | None, value_type: str | None, keep: Path | None, seed: int
) -> Source:
    """Where weights come from. Raises UsageError for options that do not go together."""
    if model is not None and shape is not None:
        raise UsageError("MODEL and --shape are both given; choose one")
    if shape is None:
        for name, value in (("--type", value_type), ("--keep", keep)):
            if value is not None:
                raise UsageError(f"{name} is for the random weights of --shape")
    from rung.bench.models.run import Source

    if shape is not None:
        return Source(shape=shape, type_name=value_type or DEFAULT_TYPE, keep=keep, seed=seed)
    from rung.engine.model import built_in_model

    if model is None:
        return Source(path=built_in_model(), shape="built-in", seed=seed)
    return Source(path=model, seed=seed)
