"""`rung data`: text as token shards to train with."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rung.cli import show
from rung.cli.streams import note
from rung.errors import UsageError

if TYPE_CHECKING:
    from rung.train.data.manifest import Manifest
    from rung.train.data.prepare import Progress, Vocabulary

_TOKENIZER, _TEXT, _SPLIT = "Tokenizer", "Text", "Validation and shards"
_DEFAULT_SHARE = 0.1


def data(
    inputs: Annotated[
        list[Path],
        typer.Argument(
            metavar="INPUT…",
            help="Text files, .jsonl files, llm.c's token shards, or folders of them.",
        ),
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FOLDER", help="Folder to write; a new one."),
    ],
    tokenizer: Annotated[
        Path | None,
        typer.Option(
            "--tokenizer",
            metavar="FILE",
            help="A tokenizer, or the model that has it: any that Rung loads, hf:owner/name too.",
            rich_help_panel=_TOKENIZER,
            show_default=False,
        ),
    ] = None,
    train_tokenizer: Annotated[
        int | None,
        typer.Option(
            "--train-tokenizer",
            metavar="N",
            help="Train a byte-level tokenizer of N tokens on the text, and use it.",
            rich_help_panel=_TOKENIZER,
            show_default=False,
        ),
    ] = None,
    llmc_tokenizer: Annotated[
        bool,
        typer.Option(
            "--llmc-tokenizer",
            help="Write the tokenizer as llm.c's gpt2_tokenizer.bin, too.",
            rich_help_panel=_TOKENIZER,
        ),
    ] = False,
    separator: Annotated[
        str,
        typer.Option(
            "--separator",
            metavar="auto|bos|eos|both|none",
            help="Token before (bos) or after (eos) each document; auto is bos where there is one.",
            rich_help_panel=_TEXT,
        ),
    ] = "auto",
    field: Annotated[
        str,
        typer.Option(
            "--field", metavar="NAME", help=".jsonl: where the text is.", rich_help_panel=_TEXT
        ),
    ] = "text",
    split_at: Annotated[
        str,
        typer.Option(
            "--split-at",
            metavar="TEXT",
            help="Text files: what stands between documents, such as '<|endoftext|>'; "
            "without it, a file is one document.",
            rich_help_panel=_TEXT,
            show_default=False,
        ),
    ] = "",
    val: Annotated[
        float | None,
        typer.Option(
            "--val",
            metavar="SHARE",
            help="Share of the text for validation, 0 for none: the end of each long document, and "
            f"of short ones every so many-th. Without it, {_DEFAULT_SHARE}.",
            rich_help_panel=_SPLIT,
            show_default=False,
        ),
    ] = None,
    val_from: Annotated[
        list[Path] | None,
        typer.Option(
            "--val-from",
            metavar="INPUT",
            help="Text for validation, instead of --val; may be given several times.",
            rich_help_panel=_SPLIT,
            show_default=False,
        ),
    ] = None,
    shard_tokens: Annotated[
        int,
        typer.Option(
            "--shard-tokens", metavar="N", help="Most tokens in a file.", rich_help_panel=_SPLIT
        ),
    ] = 100_000_000,
    force: Annotated[
        bool, typer.Option("--force", help="Replace FOLDER if this command made it.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Say nothing but errors on stderr.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print the manifest, one JSON object, on stdout.")
    ] = False,
) -> None:
    """Turn text into tokens to train with: llm.c's shards, the tokenizer, and a manifest.

    FOLDER appears only when it is whole. The same text, options and tokenizer give the same bytes.
    """
    if val is not None and val_from:
        raise UsageError("--val and --val-from are both given; choose one")
    if tokenizer is not None and train_tokenizer is not None:
        raise UsageError("--tokenizer and --train-tokenizer are both given; choose one")
    from rung.train.data.prepare import Options, prepare
    from rung.train.data.sources import Reading, find_sources
    from rung.train.data.staging import check_output

    check_output(output.resolve(), replace=force)
    sources = find_sources(inputs)
    options = Options(
        reading=Reading(field=field, split_at=split_at),
        validation=_DEFAULT_SHARE if val is None else val,
        validation_sources=tuple(find_sources(val_from or ())),
        separator=separator,
        shard_tokens=shard_tokens,
        llmc_tokenizer=llmc_tokenizer,
        replace=force,
    )
    vocabulary = _vocabulary(tokenizer) if train_tokenizer is None else train_tokenizer
    with _progress(quiet=quiet) as progress:
        manifest = prepare(sources, output, options, vocabulary=vocabulary, progress=progress)
    if json:
        print(manifest.to_json(), end="")
    if not quiet:
        _tell(output, manifest)
        if train_tokenizer is not None and manifest.vocab_size < train_tokenizer:
            note(f"the text has no more than {manifest.vocab_size:,} tokens in it")


def _vocabulary(path: Path | None) -> Vocabulary:
    """The tokenizer that --tokenizer names, and its file."""
    from rung.train.data.prepare import Vocabulary

    if path is None:
        return Vocabulary()
    from rung.engine.vocabulary import tokenizer_at, tokenizer_file

    return Vocabulary(tokenizer_at(path), tokenizer_file(path))


def _tell(output: Path, manifest: Manifest) -> None:
    """Says what was written."""
    read = sum(source.size_bytes for source in manifest.sources)
    documents = sum(source.documents for source in manifest.sources)
    total = sum(manifest.tokens(split) for split in ("train", "val"))
    files = "file" if len(manifest.sources) == 1 else "files"
    what = "document" if documents == 1 else "documents"
    note(
        f"{output}: {total:,} tokens ({manifest.token_type}, vocabulary "
        f"{manifest.vocab_size:,}) of {documents:,} {what}, {show.size(read)} in "
        f"{len(manifest.sources):,} {files}"
    )
    for split, name in (("train", "training"), ("val", "validation")):
        shards = manifest.of(split)
        if shards:
            names = shards[0].name if len(shards) == 1 else f"{shards[0].name} … {shards[-1].name}"
            note(f"{name}: {manifest.tokens(split):,} tokens in {names}")
    if manifest.tokenizer:
        note(f"tokenizer: {manifest.tokenizer} ({manifest.tokenizer_kind})")


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Progress]:
    """A bar with tokens a second and the time left on a terminal, silent elsewhere."""
    if quiet or not sys.stderr.isatty():
        yield lambda stage, done, total, tokens: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        TaskProgressColumn(),
        TextColumn("{task.fields[speed]}"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=None, speed="")

        def show_progress(stage: str, done: int, total: int, tokens: int) -> None:
            if bar.tasks[0].description != stage:
                bar.reset(task, description=stage)
            elapsed = bar.tasks[0].elapsed
            speed = f"{show.count(int(tokens / elapsed))} tok/s" if tokens and elapsed else ""
            bar.update(task, completed=done, total=total, speed=speed)

        yield show_progress
