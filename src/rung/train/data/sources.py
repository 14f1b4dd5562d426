"""Files and folders as documents of text, a piece at a time: large files are never in memory.

A text file is one document, or several where a separating text is named; each line of a JSONL file
is one, in a field. Long documents are cut into pieces where tokenizers split words anyhow: after
the end of a line, or else before a space.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Literal

from rung.errors import DataError, FormatError
from rung.formats.files import opened, read_head
from rung.formats.llmc import tokens as llmc_tokens
from rung.train.data.split import Splitter

Kind = Literal["text", "jsonl", "shard"]

TEXT_SUFFIXES = (".txt", ".md")
JSONL_SUFFIXES = (".jsonl", ".ndjson")
_SURROGATE = re.compile("[\ud800-\udfff]")
_BLOCK_BYTES = 1 << 20
_BOM = "\ufeff"
_MOST_DOCUMENT = 1 << 28  # characters, or bytes of a line: a document like that is a mistake


@dataclass(frozen=True)
class Source:
    """A file to read: its name as it was given or found, what it is, and its size."""

    path: Path
    name: str
    kind: Kind
    size_bytes: int


@dataclass(frozen=True)
class Reading:
    """How documents are found in files.

    field: that of a JSONL line which holds the text.
    split_at: the text that stands between documents of a text file; "" where a file is one.
    whole: documents are not cut into pieces, for tokenizers that cannot go on within a text.
    piece: how many characters a piece has at least; at most, about twice as many.
    """

    field: str = "text"
    split_at: str = ""
    whole: bool = False
    piece: int = 1 << 16


WHOLE_FILES = Reading()


@dataclass(frozen=True)
class Piece:
    """A part of a document, in order; `size_bytes` is how far the file has been read."""

    text: str
    validation: bool
    starts: bool
    ends: bool
    size_bytes: int


def find_sources(paths: Iterable[str | Path]) -> list[Source]:
    """The files at `paths`: a file is taken as it is; a folder gives what it and its folders hold.

    That is .txt, .md, .jsonl, .ndjson and llm.c's shards, by name in order; hidden ones are left
    out. Raises FormatError for a file that is missing or empty, DataError for a folder of none.
    """
    sources: list[Source] = []
    for path in map(Path, paths):
        if not path.is_dir():
            sources.append(_source(path))
            continue
        found = [_source(file) for file in _files(path)]
        if not found:
            known = ", ".join((*TEXT_SUFFIXES, *JSONL_SUFFIXES))
            raise DataError(f"{path} holds no text: no file of {known}, and no llm.c token shard")
        sources += found
    return sources


def _files(folder: Path) -> list[Path]:
    """The files in a folder that hold text or tokens and are not empty."""
    found = []
    for path in sorted(folder.rglob("*"), key=lambda p: p.relative_to(folder).as_posix()):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if hidden or not path.is_file() or not path.stat().st_size:
            continue
        suffix = path.suffix.lower()
        if suffix in TEXT_SUFFIXES + JSONL_SUFFIXES or (suffix == ".bin" and _is_shard(path)):
            found.append(path)
    return found


def _is_shard(path: Path) -> bool:
    return llmc_tokens.recognises(read_head(path, 4, "text, JSONL or token shards"))


def _source(path: Path) -> Source:
    kind: Kind = "text"
    if _is_shard(path):
        kind = "shard"
    elif path.suffix.lower() in JSONL_SUFFIXES:
        kind = "jsonl"
    return Source(path, path.as_posix(), kind, path.stat().st_size)


def pieces(source: Source, reading: Reading, splitter: Splitter) -> Iterator[Piece]:
    """The documents of a text or JSONL file, piece by piece.

    Raises FormatError for what is not UTF-8, and for a line that is no object with the field.
    """
    if source.kind == "text" and not reading.split_at:
        yield from _file_pieces(source, reading, splitter)
        return
    documents = _json_texts if source.kind == "jsonl" else _separated
    for text, size_bytes in documents(source, reading):
        cut = splitter.cut(len(text))
        yield from _document_pieces(text, cut, size_bytes, reading)


def _file_pieces(source: Source, reading: Reading, splitter: Splitter) -> Iterator[Piece]:
    """A text file that is one document; it is cut at a byte, moved on to the next character."""
    cut = _character_start(source, splitter.cut(source.size_bytes))
    starts = True
    for validation, first, last in ((False, 0, cut), (True, cut, source.size_bytes)):
        if first == last:
            continue
        held, size_bytes = "", first
        for text, size_bytes in _texts(source, first, last):
            held += text
            while not reading.whole and len(held) > 2 * reading.piece:
                place = _break(held, reading.piece)
                yield Piece(held[:place], validation, starts, False, size_bytes)
                held, starts = held[place:], False
        yield Piece(held, validation, starts, last == source.size_bytes, size_bytes)
        starts = False


def _document_pieces(text: str, cut: int, size_bytes: int, reading: Reading) -> Iterator[Piece]:
    """A document that is in memory."""
    for validation, first, last in ((False, 0, cut), (True, cut, len(text))):
        while first < last:
            rest = last - first
            if reading.whole or rest <= 2 * reading.piece:
                length = rest
            else:
                length = _break(text[first : first + 2 * reading.piece], reading.piece)
            stop = first + length
            yield Piece(text[first:stop], validation, first == 0, stop == len(text), size_bytes)
            first = stop


def _break(text: str, least: int) -> int:
    """Where to cut text after `least` characters so that no tokenizer would have joined the parts.

    After a line's end without other white space around it: GPT-2 makes two tokens of an empty
    line before a word, and one at the end of a text. Where there is none, before a space with a
    word on either side; in text without either, in the middle of it.
    """
    place = text.find("\n", least)
    while 0 <= place < len(text) - 1:
        if not (text[place - 1].isspace() or text[place + 1].isspace()):
            return place + 1
        place = text.find("\n", place + 1)
    place = text.find(" ", least)
    while 0 <= place < len(text) - 1:
        if text[place - 1].isalnum() and text[place + 1].isalpha():
            return place
        place = text.find(" ", place + 1)
    return least


def _character_start(source: Source, place: int) -> int:
    """`place` in a file of UTF-8, or the start of the next character where it is within one."""
    if place in (0, source.size_bytes):
        return place
    with opened(source.path, "text") as file:
        file.seek(place)
        following = file.read(3)
    return place + next((i for i, byte in enumerate(following) if byte & 0xC0 != 0x80), 3)


def _texts(source: Source, start: int = 0, stop: int | None = None) -> Iterator[tuple[str, int]]:
    """The text of a part of a file, block by block, with the place in the file after each."""
    place, stop = start, source.size_bytes if stop is None else stop
    decoder = codecs.getincrementaldecoder("utf-8")()
    with opened(source.path, "text") as file:
        file.seek(start)
        while place < stop:
            block = file.read(min(_BLOCK_BYTES, stop - place))
            if not block:
                raise FormatError(source.path, "file", "changing while it is read", "text")
            held = len(decoder.getstate()[0])
            place += len(block)
            try:
                text = decoder.decode(block, final=place == stop)
            except UnicodeDecodeError as error:
                at = place - len(block) - held + error.start
                found = f"not UTF-8 (0x{error.object[error.start]:02x})"
                raise FormatError(source.path, f"byte {at:,}", found, "text in UTF-8") from None
            yield (text.removeprefix(_BOM) if place == len(block) else text), place


def _separated(source: Source, reading: Reading) -> Iterator[tuple[str, int]]:
    """The documents between separating texts; empty ones are left out, white space around too."""
    held, place = "", 0
    for text, place in _texts(source):
        *documents, held = (held + text).split(reading.split_at)
        for document in documents:
            if document := document.strip():
                yield document, place
        if len(held) > _MOST_DOCUMENT:
            found = f"over {_MOST_DOCUMENT:,} characters"
            expected = f"{reading.split_at!r} between documents"
            raise FormatError(source.path, "document", found, expected)
    if held := held.strip():
        yield held, place


def _json_texts(source: Source, reading: Reading) -> Iterator[tuple[str, int]]:
    """The named field of each line; lines without anything, and empty texts, are left out."""
    place = 0
    with opened(source.path, "JSONL") as file:
        for number in count(1):
            line = file.readline(_MOST_DOCUMENT)
            place += len(line)
            if not line:
                return
            if line.strip() and (text := _field(source, number, line, reading.field)):
                yield text, place


def _field(source: Source, number: int, line: bytes, field: str) -> str:
    label = f"line {number:,}"
    try:
        value: Any = json.loads(line)
    except (ValueError, RecursionError):
        raise FormatError(source.path, label, "not JSON", "a JSON object") from None
    if not isinstance(value, dict):
        raise FormatError(source.path, label, f"a JSON {type(value).__name__}", "a JSON object")
    text = value.get(field)
    if not isinstance(text, str):
        names = ", ".join(list(value)[:8]) or "none"
        what = "missing" if field not in value else f"a JSON {type(text).__name__}"
        raise FormatError(
            source.path,
            f"{label}, field {field!r}",
            f"{what} (fields: {names})",
            "text; see --field",
        )
    if not text.isascii() and _SURROGATE.search(text):
        raise FormatError(source.path, label, "half a character (U+D800 to U+DFFF)", "whole ones")
    return text
