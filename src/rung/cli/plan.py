"""`rung plan`: where every part of a model would run, and why."""

from __future__ import annotations

import json as json_format
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rung.cli import groups, options, show
from rung.cli.streams import note

if TYPE_CHECKING:
    from rung.engine.draft import Draft


@groups.spread
def plan(
    model: options.OptionalModel = None,
    batch: Annotated[
        list[int] | None,
        typer.Option(
            "--batch",
            "-b",
            metavar="N",
            help="Tokens at once; may be given several times. Without it, 1 (a step of decoding) "
            "and a full prompt batch.",
            show_default=False,
        ),
    ] = None,
    depth: Annotated[
        int, typer.Option("--depth", metavar="N", help="Tokens that come before the batch.")
    ] = 0,
    nodes: Annotated[
        bool, typer.Option("--nodes/--no-nodes", help="A line for every node, or splits only.")
    ] = True,
    running: groups.Running = groups.RUNNING,
    mermaid: Annotated[
        bool,
        typer.Option(
            "--mermaid",
            help="Print drawings of the splits and of each kind of layer, as Markdown with Mermaid "
            "flowcharts, instead.",
        ),
    ] = False,
    svg: Annotated[
        Path | None,
        typer.Option(
            "--svg",
            metavar="FILE",
            help="Draw the splits and each kind of layer into this file as well.",
            show_default=False,
        ),
    ] = None,
    json: options.Json = False,
) -> None:
    """Show where every part of a model would run, and why; no weight is loaded.

    Splits are neighboring nodes on one backend. In brackets stands the backend with the reason for
    its choice; then the predicted time, and what the node reads, with sizes for this batch.
    """
    from rung.engine.draft import draft
    from rung.engine.model import built_in_model, wishes_of
    from rung.engine.options import check_cache_type
    from rung.errors import UsageError
    from rung.formats import open_checkpoint

    if json and mermaid:
        raise UsageError("--json and --mermaid are two forms of one answer; give one of them")
    wishes = wishes_of(running.load_options())
    cache = check_cache_type(running.cache_type)
    checkpoint = open_checkpoint(model or built_in_model())
    drafted = draft(
        checkpoint,
        batch or (),
        depth=depth,
        context_length=running.context,
        activations=running.activations,
        cache_type=cache,
        wishes=wishes,
        device=running.device,
        blas=running.blas,
        threads=running.threads,
        threads_batch=running.threads_batch,
    )
    if svg is not None:
        _draw(drafted, svg)
    if mermaid:
        from rung.draw.mermaid import markdown

        print(markdown(drafted.plans.values()))
    elif json:
        print(json_format.dumps(_facts(drafted), indent=2))
    else:
        print(_text(drafted, nodes=nodes))


def _text(drafted: Draft, *, nodes: bool) -> str:
    from rung.schedule.show import lines

    parts = [
        "\n".join(lines(outline.plan, nodes=nodes, outline=outline))
        for outline in drafted.outlines.values()
    ]
    memories = [f"one batch holds {drafted.most_tokens:,} tokens at most"]
    if len(drafted.memory) > 1:
        memories.append(f"{drafted.layers} of {drafted.all_layers} layers on the device")
    for memory, use in drafted.memory.items():
        beyond = use.limit_bytes is not None and use.total_bytes > use.limit_bytes
        memories.append(
            f"{memory} memory: {show.size(use.total_bytes)} "
            f"(weights {show.size(use.weights_bytes)}, keys and values "
            f"{show.size(use.cache_bytes)}, activations {show.size(use.activations_bytes)})"
            + (f": more than the {show.size(use.limit_bytes or 0)} that it has" if beyond else "")
        )
    return "\n\n".join([*parts, "\n".join(memories)])


def _draw(drafted: Draft, path: Path) -> None:
    """Writes all drawings into one file. Raises RungError where it cannot be written."""
    from rung.draw.page import plans_picture
    from rung.draw.svg import svg
    from rung.formats.files import replacing

    notes = {memory: show.size(use.total_bytes) for memory, use in drafted.memory.items()}
    text = svg(plans_picture(drafted.plans.values(), notes), "Plan of a model")
    with replacing(path) as file:
        file.write(text.encode("utf-8"))
    note(f"drawn into {path}")


def _facts(drafted: Draft) -> dict[str, Any]:
    from dataclasses import asdict

    from rung.schedule.show import facts

    return {
        "plans": [facts(outline) for outline in drafted.outlines.values()],
        "most_tokens": drafted.most_tokens,
        "memory": {memory: asdict(use) for memory, use in drafted.memory.items()},
        "layers_on_device": drafted.layers,
        "layers": drafted.all_layers,
    }
