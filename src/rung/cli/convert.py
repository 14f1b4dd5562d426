"""`rung convert`: write a model in another format."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from rung.cli import show
from rung.cli.streams import note
from rung.errors import UsageError

if TYPE_CHECKING:
    from rung.formats.base import Checkpoint
    from rung.storage import StoredTensor

_CHUNK_VALUES = 1 << 20  # compared together: 4 MiB of float32 each


def convert(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="Model file to read.")],
    output: Annotated[Path, typer.Argument(metavar="OUTPUT", help="Model to write.")],
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="FORMAT",
            help="gguf, rung, llmc, huggingface (a folder), llama2c-v0, llama2c-v1 or llama2c-v2; "
            "without it, .gguf and .safetensors (rung) say it, and any other OUTPUT is llama2c-v2 "
            "(-v1 for --type f32).",
            show_default=False,
        ),
    ] = None,
    value_type: Annotated[
        str | None,
        typer.Option(
            "--type",
            metavar="TYPE",
            help="Storage type of matrices: f32, f16, bf16, i8 (one scale a row), q8_0, q4_0, "
            "q4_k, q5_k or q6_k, where the format holds it. Without it, gguf and rung keep what is "
            "there.",
            show_default=False,
        ),
    ] = None,
    group_size: Annotated[
        int,
        typer.Option(
            "--group-size",
            min=1,
            help="llama2c-v2: int8 values that share a scale; halved until it divides the widths.",
        ),
    ] = 64,
    force: Annotated[bool, typer.Option("--force", help="Replace OUTPUT if it exists.")] = False,
) -> None:
    """Write a model in another format, such as int8 for less memory and more speed.

    OUTPUT appears only when it is whole. Only GGUF and Hugging Face folders hold the tokenizer,
    too; for others the note at the end says which file to use.
    """
    from rung.formats.writers import writer_for

    writer = writer_for(output, name=to, kind=value_type)
    if output.exists() and not force:
        raise UsageError(f"{output} exists already; --force replaces it")
    from rung.formats import open_checkpoint

    checkpoint = open_checkpoint(source)
    for line in checkpoint.notes:
        note(line)
    with _bar(f"writing {output.name}") as progress:
        writer.write(output, checkpoint, kind=value_type, group_size=group_size, progress=progress)
    _report(checkpoint, open_checkpoint(output), value_type)


def _report(before: Checkpoint, after: Checkpoint, value_type: str | None) -> None:
    """Says what was written, how exact it is, and which tokenizer belongs to it."""
    from rung.formats.rotation import with_layout

    if after.config.rope is not None:
        before = with_layout(before, after.config.rope.layout)
    share = after.size_bytes / before.size_bytes
    note(f"{after.path}: {after.format}")
    note(
        f"weights: {show.size(before.size_bytes)} became {show.size(after.size_bytes)}, {share:.0%}"
    )
    if value_type is not None and after.format.startswith("GGUF"):
        _tell_other_types(after, value_type)
    with _bar("comparing") as progress:
        worst = worst_rounding(before, after, progress)
    if worst.error:
        note(
            f"largest rounding error: {worst.error:.2g} of the largest weight in {worst.name}, "
            "the others round less"
        )
    else:
        note("all weights are exactly as they were")
    _tell_tokenizer(before, after)


def _tell_other_types(after: Checkpoint, value_type: str) -> None:
    """Says which matrices have another type than was asked for, and why."""
    others = Counter(
        weight.type.name
        for name, weight in after.weights.items()
        if len(weight.shape) > 1 and name != "position_embd.weight"
    )
    others.pop(value_type, None)
    for name, count in others.items():
        matrices = "matrix is" if count == 1 else "matrices are"
        note(f"{count} {matrices} {name}: their rows are not whole blocks of {value_type}")


class Rounding(NamedTuple):
    """The largest |difference| of a tensor's values, relative to the largest |value| in it."""

    error: float
    name: str


def worst_rounding(
    before: Checkpoint, after: Checkpoint, progress: Callable[[int, int], None]
) -> Rounding:
    """The tensor that lost most in a conversion; calls `progress` with (tensors done, all)."""
    worst = Rounding(0.0, "")
    for done, (name, tensor) in enumerate(after.weights.items(), start=1):
        worst = max(worst, Rounding(_rounding(before.weights[name], tensor), name))
        progress(done, len(after.weights))
    return worst


def _rounding(before: StoredTensor, after: StoredTensor) -> float:
    if before.type is after.type:
        return 0.0  # copied as it was
    n_rows, n_values = before.shape[0], 1
    for length in before.shape:
        n_values *= length
    step = max(1, _CHUNK_VALUES * n_rows // n_values)
    error = largest = 0.0
    for start in range(0, n_rows, step):
        stop = min(start + step, n_rows)
        exact = before.rows(start, stop).float32()
        error = max(error, float(abs(exact - after.rows(start, stop).float32()).max()))
        largest = max(largest, float(abs(exact).max()))
    return error / largest if largest else 0.0


def _tell_tokenizer(before: Checkpoint, after: Checkpoint) -> None:
    from rung.tokenizers import find_tokenizer

    if "tokenizer.ggml.tokens" in after.metadata:
        note("tokenizer: in the file")
        return
    vocab_size = after.config.vocab_size
    if (found := find_tokenizer(after.path, vocab_size)) is not None:
        note(f"tokenizer: {found} is found by itself")
    elif (found := find_tokenizer(before.path, vocab_size)) is not None:
        note(f"tokenizer: use --tokenizer {found}, or copy it beside the model")
    else:
        note("tokenizer: none beside either model; name one with --tokenizer")


@contextmanager
def _bar(label: str) -> Iterator[Callable[[int, int], None]]:
    """A function of (done, total) that moves a progress bar on a terminal, and is silent else."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
