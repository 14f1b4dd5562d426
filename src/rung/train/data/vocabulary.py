"""Training a tokenizer: byte-level pairs as GPT-2's, in the order that the library finds them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread

from rung.errors import DataError, UsageError
from rung.formats.files import replacing
from rung.train.data.encode import splitter_for
from rung.train.data.sources import Reading, Source, pieces

END_OF_TEXT = "<|endoftext|>"
LEAST, MOST = 257, 1 << 20
"""All bytes and the end of a text; far above any vocabulary there is."""

_LISTEN_S = 0.1

Seen = Callable[[Source, int], None]
"""Called with a source and how far it has been read."""


def train_tokenizer(
    sources: Sequence[Source],
    folder: Path,
    *,
    vocab_size: int,
    reading: Reading,
    validation: float,
    seen: Seen,
) -> Path:
    """Writes tokenizer.json, and its settings, for the text that is to train with; its path.

    Token 0 is <|endoftext|>, then come the bytes, then what was merged. Less text than makes
    `vocab_size` tokens gives fewer. Raises UsageError for a size out of range, DataError without
    text, FormatError for a source that cannot be read.
    """
    if not LEAST <= vocab_size <= MOST:
        raise UsageError(f"--train-tokenizer is {vocab_size}, expected {LEAST} to {MOST}")
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    library = Tokenizer(models.BPE())
    library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    library.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    texts = _texts(sources, reading, validation, seen)
    first = next(texts, None)
    if first is None:
        raise DataError("no text to train a tokenizer with")
    _interruptible(
        lambda stopped: library.train_from_iterator(_until(stopped, first, texts), trainer)
    )
    path = folder / "tokenizer.json"
    with replacing(path) as file:
        file.write(library.to_str().encode())
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": END_OF_TEXT,
        "eos_token": END_OF_TEXT,
        "add_bos_token": False,
    }
    with replacing(folder / "tokenizer_config.json") as file:
        file.write((json.dumps(settings, indent=2) + "\n").encode())
    return path


def _texts(
    sources: Sequence[Source], reading: Reading, validation: float, seen: Seen
) -> Iterator[str]:
    """The text that is for training, piece by piece."""
    splitter = splitter_for(sources, reading, validation)
    reading = replace(reading, whole=False)
    for source in sources:
        if source.kind == "shard":
            continue
        for piece in pieces(source, reading, splitter):
            if not piece.validation:
                yield piece.text
            seen(source, piece.size_bytes)


def _until(stopped: Event, first: str, rest: Iterator[str]) -> Iterator[str]:
    """The texts, up to the moment when nobody waits for them any more."""
    yield first
    for text in rest:
        if stopped.is_set():
            return
        yield text


def _interruptible(work: Callable[[Event], None]) -> None:
    """Runs `work` in a thread, so that Ctrl-C ends the wait for it at once.

    The library asks for texts from threads of its own, in which Python hears no signal: of 50 MB
    it heard when it was done, 12 s later. Work that nobody waits for is told by the event.
    """
    stopped = Event()
    failures: list[BaseException] = []

    def run() -> None:
        try:
            work(stopped)
        except BaseException as error:  # raised again where it is waited for
            failures.append(error)

    thread = Thread(target=run, daemon=True)
    thread.start()
    try:
        while thread.is_alive():
            thread.join(_LISTEN_S)
    finally:
        stopped.set()
    if failures:
        raise failures[0]
