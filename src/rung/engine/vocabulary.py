"""Finding the tokenizer of a model, or a tokenizer that is no model's."""

from __future__ import annotations

from pathlib import Path

from rung.errors import TokenizerError
from rung.formats import FORMATS, Checkpoint, hub, open_checkpoint
from rung.formats.files import read_head
from rung.tokenizers import (
    Tokenizer,
    find_tokenizer,
    is_tokenizer,
    open_tokenizer,
    tokenizer_in,
)

_HEAD_BYTES = 256


def checkpoint_tokenizer(checkpoint: Checkpoint, path: Path | None = None) -> Tokenizer:
    """The tokenizer at `path`, or (None) the one in or beside a checkpoint.

    Raises TokenizerError where there is none, or it does not fit the model.
    """
    vocab_size = checkpoint.config.vocab_size
    if path is None:
        inside = tokenizer_in(checkpoint.path, checkpoint.metadata, vocab_size)
        if inside is not None:
            return inside
        path = find_tokenizer(checkpoint.path, vocab_size)
    if path is None:
        raise TokenizerError(
            f"{checkpoint.path}: no tokenizer with {vocab_size} tokens lies in it or beside it; "
            "name one with --tokenizer (in Python: tokenizer=...)"
        )
    return open_tokenizer(path, vocab_size)


def tokenizer_at(path: Path, *, tokenizer: Path | None = None) -> Tokenizer:
    """The tokenizer of what lies at `path`: a model, a vocabulary, a tokenizer file, a folder.

    tokenizer: the file to take it from instead.

    Raises TokenizerError, FormatError as `open_tokenizer`.
    """
    if tokenizer is not None:
        return open_tokenizer(tokenizer)
    if hub.is_reference(path):
        path = hub.download(path)
    if path.is_dir() or is_tokenizer(path):
        return open_tokenizer(path)
    head = read_head(path, _HEAD_BYTES, "a model or a tokenizer")
    if any(known.recognises(head) for known in FORMATS):
        return checkpoint_tokenizer(open_checkpoint(path))
    return open_tokenizer(path)


def tokenizer_file(path: Path) -> Path:
    """The file that `tokenizer_at` takes the tokenizer of `path` from."""
    if hub.is_reference(path):
        path = hub.download(path)
    if path.is_dir():
        return find_tokenizer(path, 0) or path
    if not is_tokenizer(path):
        head = read_head(path, _HEAD_BYTES, "a model or a tokenizer")
        if any(known.recognises(head) for known in FORMATS):
            checkpoint = open_checkpoint(path)
            return find_tokenizer(checkpoint.path, checkpoint.config.vocab_size) or path
    return path
