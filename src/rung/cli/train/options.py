"""Options of `rung train`, by what they are about; None where one was not given."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any

import typer

_MODEL, _DATA, _LENGTH = "Model", "Data and batches", "How long"
_LEARNING, _SIGNS, _MACHINE = "Learning", "Signs of life and checkpoints", "Machine"


def _option(panel: str, *names: str, metavar: str = "N", help: str) -> Any:  # noqa: A002
    return typer.Option(
        *names, metavar=metavar, help=help, rich_help_panel=panel, show_default=False
    )


@dataclass(frozen=True, kw_only=True)
class ModelChoice:
    """Which model."""

    config: Annotated[
        str | None,
        _option(
            _MODEL,
            "--config",
            metavar="NAME|FILE",
            help="Shape of a new model: gpt2-124m, gpt2:d6, gpt2:128x4:heads=4, "
            "llama:288x6:kv=2,context=512, or a .json file.",
        ),
    ] = None
    init_from: Annotated[
        Path | None,
        _option(
            _MODEL,
            "--init-from",
            metavar="MODEL",
            help="A model to go on from, any that Rung loads; it is trained in float32.",
        ),
    ] = None
    tokenizer: Annotated[
        Path | None,
        _option(
            _MODEL,
            "--tokenizer",
            metavar="FILE",
            help="Tokenizer, or the model that has it; without it, that of the model or the data.",
        ),
    ] = None


@dataclass(frozen=True, kw_only=True)
class DataChoice:
    """Which data, and how it is taken."""

    val_from: Annotated[
        list[Path] | None,
        _option(
            _DATA,
            "--val-from",
            metavar="INPUT",
            help="Data to validate with; may be given several times.",
        ),
    ] = None
    val_share: Annotated[
        float | None,
        _option(
            _DATA,
            "--val",
            metavar="SHARE",
            help="Share of the data to validate with, where none is set apart; 0.1 without it.",
        ),
    ] = None
    batch_size: Annotated[
        int | None,
        _option(_DATA, "--batch-size", "-B", help="Sequences at once; 8 without it."),
    ] = None
    seq_len: Annotated[
        int | None,
        _option(
            _DATA,
            "--seq-len",
            "-T",
            help="Tokens of a sequence; without it, the model's context, 256 at most.",
        ),
    ] = None
    grad_accum: Annotated[
        int | None,
        _option(_DATA, "--grad-accum", help="Batches that make a step; 1 without it."),
    ] = None


@dataclass(frozen=True, kw_only=True)
class Length:
    """How long."""

    steps: Annotated[int | None, _option(_LENGTH, "--steps", help="So many steps.")] = None
    epochs: Annotated[
        float | None,
        _option(_LENGTH, "--epochs", metavar="X", help="So often through the data; 1 without all."),
    ] = None
    tokens: Annotated[int | None, _option(_LENGTH, "--tokens", help="So many tokens.")] = None


@dataclass(frozen=True, kw_only=True)
class Learning:
    """How it learns."""

    lr: Annotated[
        float | None,
        _option(_LEARNING, "--lr", metavar="X", help="Greatest learning rate; 6e-4 without it."),
    ] = None
    min_lr: Annotated[
        float | None,
        _option(
            _LEARNING,
            "--min-lr",
            metavar="X",
            help="Least, at the end; a tenth of --lr without it.",
        ),
    ] = None
    schedule: Annotated[
        str | None,
        _option(
            _LEARNING,
            "--schedule",
            metavar="NAME",
            help="cosine, linear, constant or wsd; cosine without it.",
        ),
    ] = None
    warmup: Annotated[
        int | None,
        _option(
            _LEARNING, "--warmup", help="Steps in which the rate rises; a twentieth without it."
        ),
    ] = None
    decay: Annotated[
        float | None,
        _option(
            _LEARNING,
            "--decay",
            metavar="SHARE",
            help="wsd: share of all steps in which the rate falls; 0.2 without it.",
        ),
    ] = None
    weight_decay: Annotated[
        float | None,
        _option(
            _LEARNING, "--weight-decay", metavar="X", help="AdamW's, of matrices; 0.1 without it."
        ),
    ] = None
    beta1: Annotated[
        float | None, _option(_LEARNING, "--beta1", metavar="X", help="AdamW's; 0.9 without it.")
    ] = None
    beta2: Annotated[
        float | None, _option(_LEARNING, "--beta2", metavar="X", help="AdamW's; 0.95 without it.")
    ] = None
    epsilon: Annotated[
        float | None, _option(_LEARNING, "--eps", metavar="X", help="AdamW's; 1e-8 without it.")
    ] = None
    clip: Annotated[
        float | None,
        _option(
            _LEARNING,
            "--clip",
            metavar="X",
            help="Greatest norm of all gradients, 0 for any; 1 without it.",
        ),
    ] = None
    skip_spikes: Annotated[
        float | None,
        _option(
            _LEARNING,
            "--skip-spikes",
            metavar="SIGMA",
            help="Update nothing where the loss is so many deviations above the last ones' mean.",
        ),
    ] = None
    seed: Annotated[
        int | None,
        _option(_LEARNING, "--seed", help="Of first weights and the order of data; 0 without it."),
    ] = None


@dataclass(frozen=True, kw_only=True)
class Signs:
    """What is told on the way, and what is kept."""

    val_every: Annotated[
        int | None,
        _option(_SIGNS, "--val-every", help="Steps between validations, 0 for none; 100 without."),
    ] = None
    val_batches: Annotated[
        int | None, _option(_SIGNS, "--val-batches", help="Batches of each; 20 without it.")
    ] = None
    sample_every: Annotated[
        int | None, _option(_SIGNS, "--sample-every", help="Steps between texts by the model.")
    ] = None
    prompt: Annotated[
        str | None,
        _option(_SIGNS, "--prompt", "-p", metavar="TEXT", help="What these texts begin with."),
    ] = None
    sample_tokens: Annotated[
        int | None, _option(_SIGNS, "--sample-tokens", help="Tokens of each; 64 without it.")
    ] = None
    save_every: Annotated[
        int | None,
        _option(
            _SIGNS,
            "--save-every",
            help="Steps between checkpoints, 0 for one at the end; 500 without it.",
        ),
    ] = None
    keep: Annotated[
        int | None, _option(_SIGNS, "--keep", help="Checkpoints that stay; 2 without it.")
    ] = None


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What it runs on."""

    precision: Annotated[
        str | None,
        _option(
            _MACHINE,
            "--precision",
            metavar="NAME",
            help="float32, or bfloat16 for the factors of products alone; float32 without it.",
        ),
    ] = None
    recompute: Annotated[
        bool | None,
        typer.Option(
            "--recompute/--no-recompute",
            help="Compute cheap activations twice, for less memory.",
            rich_help_panel=_MACHINE,
            show_default=False,
        ),
    ] = None
    threads: Annotated[
        int | None,
        _option(
            _MACHINE,
            "--threads",
            "-t",
            help="CPU threads; without it, RUNG_THREADS, what rung tune found, or the physical "
            "cores.",
        ),
    ] = None
    device: Annotated[
        str | None,
        _option(
            _MACHINE,
            "--device",
            metavar="NAME",
            help="The processor that trains: cpu, or a GPU, as webgpu, webgpu:1, vulkan, metal, "
            "dx12; `rung devices` lists them. cpu without it.",
        ),
    ] = None


def given(*groups: Any) -> dict[str, Any]:
    """The options that were given, as the fields of TrainOptions; paths are texts."""
    found: dict[str, Any] = {}
    for group in groups:
        for field in fields(group):
            value = getattr(group, field.name)
            if isinstance(value, list):
                value = tuple(map(str, value)) or None
            if value is not None:
                found[field.name] = str(value) if isinstance(value, Path) else value
    return found
