"""Text as token shards in a folder, with a manifest: all of it, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rung.errors import DataError, UsageError
from rung.formats.files import replacing
from rung.formats.llmc import tokens as llmc_tokens
from rung.tokenizers import Tokenizer, llmc_write, open_tokenizer
from rung.train.data.encode import Encoded, check_separator, encoded, separation, splitter_for
from rung.train.data.manifest import MANIFEST, Manifest
from rung.train.data.shards import ShardSet
from rung.train.data.sources import Reading, Source
from rung.train.data.split import Splitter
from rung.train.data.staging import staged
from rung.train.data.tokenizer_files import LLMC_FILE, copy_tokenizer, fingerprint
from rung.train.data.vocabulary import train_tokenizer

TOKENIZER_STAGE, TOKENS_STAGE = "training the tokenizer", "encoding"

Progress = Callable[[str, int, int, int], None]
"""Called with the stage, the bytes read so far, the bytes in all, and the ids written so far."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """How shards are to be made.

    validation: the share of text that is for validation (`split.Splitter`), unless
    `validation_sources` are there for it. shard_tokens: most ids in a shard. llmc_tokenizer: write
    llm.c's tokenizer file, too.
    """

    reading: Reading
    validation: float = 0.1
    validation_sources: tuple[Source, ...] = ()
    separator: str = "auto"
    shard_tokens: int = 100_000_000
    llmc_tokenizer: bool = False
    replace: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.shard_tokens <= llmc_tokens.MOST_TOKENS:
            most = llmc_tokens.MOST_TOKENS
            raise UsageError(f"--shard-tokens is {self.shard_tokens}, expected 1 to {most:,}")
        Splitter(self.validation)  # raises what is wrong with it
        check_separator(self.separator)


@dataclass(frozen=True)
class Vocabulary:
    """The tokenizer to use, and the file that it lies in (None: shards are made of shards)."""

    tokenizer: Tokenizer | None = None
    path: Path | None = None


def prepare(
    sources: Sequence[Source],
    output: Path,
    options: Options,
    *,
    vocabulary: Vocabulary | int,
    progress: Progress,
) -> Manifest:
    """Writes the shards of `sources` to the folder `output`, and what they hold beside them.

    vocabulary: a tokenizer, or how many tokens one is trained to have. The same text, options and
    tokenizer give the same bytes. The folder appears when it is whole; a failure leaves what was
    there. Raises UsageError, DataError, FormatError and RungError, which say what to do.
    """
    with staged(output, replace=options.replace) as stage:
        if isinstance(vocabulary, int):
            vocabulary = _trained(sources, stage, options, vocabulary, progress)
            name = "tokenizer.json"
        else:
            name = "" if vocabulary.path is None else copy_tokenizer(vocabulary.path, stage)
        tokenizer = vocabulary.tokenizer
        if options.llmc_tokenizer:
            if tokenizer is None:
                raise UsageError("--llmc-tokenizer needs --tokenizer or --train-tokenizer")
            llmc_write.write(stage / LLMC_FILE, tokenizer)
        writer = _write(sources, stage, options, tokenizer, progress)
        return finish(stage, writer, tokenizer, name=name, separator=options.separator)


def finish(
    stage: Path, writer: ShardSet, tokenizer: Tokenizer | None, *, name: str, separator: str
) -> Manifest:
    """Writes the manifest of shards that are closed; `name` is that of the tokenizer's file."""
    manifest = Manifest(
        tokenizer=name,
        tokenizer_kind="" if tokenizer is None else tokenizer.kind,
        tokenizer_sha256="" if tokenizer is None else fingerprint(tokenizer),
        vocab_size=writer.largest + 1 if tokenizer is None else tokenizer.vocab_size,
        separator="" if tokenizer is None else separation(tokenizer, separator).name,
        token_type=writer.kind.dtype.name,
        shards=writer.facts(),
        sources=writer.sources(),
    )
    with replacing(stage / MANIFEST) as file:
        file.write(manifest.to_json().encode())
    return manifest


def _trained(
    sources: Sequence[Source], stage: Path, options: Options, size: int, progress: Progress
) -> Vocabulary:
    """A tokenizer of so many tokens, trained on the text and written to the stage."""
    total = sum(source.size_bytes for source in sources)
    before = _Offsets(sources)
    path = train_tokenizer(
        sources,
        stage,
        vocab_size=size,
        reading=options.reading,
        validation=_share(options),
        seen=lambda source, done: progress(TOKENIZER_STAGE, before[source] + done, total, 0),
    )
    return Vocabulary(open_tokenizer(path), path)


def _share(options: Options) -> float:
    """The share of the sources that is for validation."""
    return 0.0 if options.validation_sources else options.validation


class _Offsets:
    """Bytes of all sources before each of them."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._before: dict[int, int] = {}
        total = 0
        for source in sources:
            self._before[id(source)] = total
            total += source.size_bytes

    def __getitem__(self, source: Source) -> int:
        return self._before[id(source)]


def _write(
    sources: Sequence[Source],
    stage: Path,
    options: Options,
    tokenizer: Tokenizer | None,
    progress: Progress,
) -> ShardSet:
    """Writes all shards."""
    every = [*sources, *options.validation_sources]
    total = sum(source.size_bytes for source in every)
    before = _Offsets(every)
    kind = llmc_tokens.kind_for(_vocabulary_size(every, tokenizer))
    with ShardSet(stage, kind, every, options.shard_tokens) as writer:
        for part in _parts(sources, options, tokenizer):
            writer.add(part)
            done = before[part.source] + part.size_bytes
            progress(TOKENS_STAGE, done, total, writer.count)
        _check_splits(writer, options)
    return writer


def _vocabulary_size(sources: Sequence[Source], tokenizer: Tokenizer | None) -> int:
    """How many ids shards must hold: of a tokenizer, or of the widest shard among the sources."""
    if tokenizer is not None:
        return tokenizer.vocab_size
    shards = (source for source in sources if source.kind == "shard")
    return max((llmc_tokens.read(shard.path).kind.most_vocab for shard in shards), default=1)


def _parts(
    sources: Sequence[Source], options: Options, tokenizer: Tokenizer | None
) -> Iterator[Encoded]:
    """All ids, with the sources that are for validation as that."""
    reading, separator = options.reading, options.separator
    splitter = splitter_for(sources, reading, _share(options))
    yield from encoded(sources, tokenizer, reading=reading, splitter=splitter, separator=separator)
    apart = encoded(
        options.validation_sources,
        tokenizer,
        reading=reading,
        splitter=Splitter(0.0),
        separator=separator,
    )
    for part in apart:
        yield replace(part, validation=True)


def _check_splits(writer: ShardSet, options: Options) -> None:
    counts = writer.counts
    if not counts["train"]:
        raise DataError("there is no text to train with; give more, or a smaller --val")
    if not counts["val"] and (options.validation or options.validation_sources):
        raise DataError(
            "no document came to validation; give more text, a larger --val, --val-from FILE, "
            "or --val 0 for none"
        )
