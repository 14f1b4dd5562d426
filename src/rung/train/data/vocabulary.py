"""Training a tokenizer: byte-level pairs as GPT-2's, in the order that the library finds them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rung.errors import DataError, UsageError
from rung.train.data.encode import splitter_for
from rung.train.data.sources import Reading, Source, pieces

END_OF_TEXT = "<|endoftext|>"
LEAST, MOST = 257, 1 << 20
"""All bytes and the end of a text; far above any vocabulary there is."""

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
    library.train_from_iterator(_with(first, texts), trainer)
    path = folder / "tokenizer.json"
    path.write_text(library.to_str(), encoding="utf-8", newline="\n")
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": END_OF_TEXT,
        "eos_token": END_OF_TEXT,
        "add_bos_token": False,
    }
    config = folder / "tokenizer_config.json"
    config.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8", newline="\n")
    return path


def _texts(
    sources: Sequence[Source], reading: Reading, validation: float, seen: Seen
) -> Iterator[str]:
    """The text that is for training, piece by piece."""
    splitter = splitter_for(sources, reading, validation)
    for source in sources:
        if source.kind == "shard":
            continue
        for piece in pieces(source, reading, splitter):
            if not piece.validation:
                yield piece.text
            seen(source, piece.size_bytes)


def _with(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest
