"""Documents as ids: what tokenizers make of them, with the tokens that separate documents."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from rung.errors import DataError, UsageError
from rung.formats.llmc import tokens as llmc_tokens
from rung.tokenizers.base import Tokenizer
from rung.train.data.sources import WHOLE_FILES, Piece, Reading, Source, pieces
from rung.train.data.split import Splitter, cut_at
from rung.train.data.tokens import DataSet, Tokens

Separator = Literal["auto", "bos", "eos", "both", "none"]
SEPARATORS: tuple[Separator, ...] = get_args(Separator)

_TOGETHER = 1 << 20  # characters that are encoded in one call, which may use all cores
_SHARD_PART = 1 << 20  # ids of a shard that are taken along at once


@dataclass(frozen=True)
class Encoded:
    """Some ids in order, of one source and for one split.

    size_bytes: how far the source has been read. documents: those that begin here.
    """

    source: Source
    validation: bool
    ids: NDArray[np.integer[Any]]
    documents: int
    size_bytes: int


@dataclass(frozen=True)
class Separation:
    """The ids before and after each document."""

    before: tuple[int, ...]
    after: tuple[int, ...]
    name: str


def check_separator(name: str) -> None:
    """Raises UsageError for a separator of another name."""
    if name not in SEPARATORS:
        raise UsageError(f"--separator is {name!r}, expected one of {', '.join(SEPARATORS)}")


def separation(tokenizer: Tokenizer, separator: str) -> Separation:
    """What stands between documents.

    auto is bos (before a document) where the tokenizer has it, else eos (after it), else none.
    Raises UsageError for an unknown name, and for a token that the tokenizer lacks.
    """
    check_separator(separator)
    if separator == "auto":
        has = {"bos": tokenizer.bos_id, "eos": tokenizer.eos_id}
        separator = next((name for name, token in has.items() if token is not None), "none")
    before: tuple[int, ...] = ()
    after: tuple[int, ...] = ()
    if separator in ("bos", "both"):
        before = (_required(tokenizer.bos_id, "begins", separator),)
    if separator in ("eos", "both"):
        after = (_required(tokenizer.eos_id, "ends", separator),)
    return Separation(before, after, separator)


def _required(token: int | None, what: str, separator: str) -> int:
    if token is None:
        raise UsageError(
            f"--separator is {separator}, but the tokenizer has no token that {what} a text"
        )
    return token


def encoded(
    sources: Sequence[Source],
    tokenizer: Tokenizer | None,
    *,
    reading: Reading,
    splitter: Splitter,
    separator: str = "auto",
) -> Iterator[Encoded]:
    """The ids of all sources in order. Shards are taken as they are; text needs a tokenizer.

    Raises UsageError for text without a tokenizer, DataError for a shard with an id that the
    tokenizer lacks, FormatError for a source that cannot be read.
    """
    between = None
    if tokenizer is not None:
        between = separation(tokenizer, separator)
        reading = replace(reading, whole=not tokenizer.joins)
    for source in sources:
        if source.kind == "shard":
            yield from _from_shard(source, tokenizer, splitter)
            continue
        if tokenizer is None or between is None:
            raise UsageError(f"{source.name} is text: give --tokenizer or --train-tokenizer")
        for together in _together(pieces(source, reading, splitter)):
            yield from _from_text(source, together, tokenizer, between)


def _together(found: Iterator[Piece]) -> Iterator[list[Piece]]:
    """Pieces in lists of _TOGETHER characters."""
    held: list[Piece] = []
    characters = 0
    for piece in found:
        held.append(piece)
        characters += len(piece.text)
        if characters >= _TOGETHER:
            yield held
            held, characters = [], 0
    if held:
        yield held


def _from_text(
    source: Source, together: list[Piece], tokenizer: Tokenizer, between: Separation
) -> Iterator[Encoded]:
    lists = tokenizer.encode_pieces([(piece.text, not piece.starts) for piece in together])
    size_bytes = together[-1].size_bytes
    for validation in (False, True):
        ids: list[int] = []
        documents = 0
        for piece, found in zip(together, lists, strict=True):
            if piece.validation is not validation:
                continue
            ids += between.before if piece.starts else ()
            ids += found
            ids += between.after if piece.ends else ()
            documents += piece.starts
        if ids:
            yield Encoded(source, validation, np.array(ids, np.int64), documents, size_bytes)


def _from_shard(
    source: Source, tokenizer: Tokenizer | None, splitter: Splitter
) -> Iterator[Encoded]:
    """The ids of a shard; its end is for validation, however short it is."""
    ids = llmc_tokens.read(source.path).tokens
    cut = cut_at(ids.size, splitter.fraction)
    for validation, first, last in ((False, 0, cut), (True, cut, ids.size)):
        for start in range(first, last, _SHARD_PART):
            part = ids[start : min(start + _SHARD_PART, last)]
            if tokenizer is not None and part.max() >= tokenizer.vocab_size:
                raise DataError(
                    f"{source.name}: token {part.max()} is not in the tokenizer, "
                    f"which has {tokenizer.vocab_size}"
                )
            done = source.size_bytes * (start + part.size) // ids.size
            yield Encoded(source, validation, part, int(start == 0), done)


def in_memory(
    sources: Sequence[Source],
    tokenizer: Tokenizer,
    *,
    reading: Reading = WHOLE_FILES,
    validation: float = 0.1,
    separator: str = "auto",
) -> DataSet:
    """The ids of all sources as arrays, for text that is small enough to be encoded at each start.

    Raises as `encoded` does, and DataError for sources without text to train with.
    """
    parts: dict[bool, list[NDArray[np.integer[Any]]]] = {False: [], True: []}
    splitter = splitter_for(sources, reading, validation)
    for part in encoded(
        sources, tokenizer, reading=reading, splitter=splitter, separator=separator
    ):
        parts[part.validation].append(part.ids.astype(np.int32))
    if not parts[False]:
        raise DataError(f"no text to train with in {', '.join(source.name for source in sources)}")
    train, held = (np.concatenate(parts[v]) if parts[v] else None for v in (False, True))
    assert train is not None
    name = sources[0].name if len(sources) == 1 else "the text"
    return DataSet(Tokens.of(train, name), None if held is None else Tokens.of(held, name))


def splitter_for(sources: Sequence[Source], reading: Reading, fraction: float) -> Splitter:
    """The splitter of these sources: a text file that is all there is, is split in itself."""
    only = len(sources) == 1 and sources[0].kind == "text" and not reading.split_at
    return Splitter(fraction, only=only)
