"""Tokenizers: `find_tokenizer` looks beside a model for its file, `open_tokenizer` reads it."""

from __future__ import annotations

from pathlib import Path

from rung.tokenizers import llama2c
from rung.tokenizers.base import TextStream, Tokenizer

__all__ = ["TextStream", "Tokenizer", "find_tokenizer", "open_tokenizer"]


def open_tokenizer(path: str | Path, vocab_size: int) -> Tokenizer:
    """The tokenizer in the file at `path`, for a model of `vocab_size` tokens.

    Raises TokenizerError where it does not fit the model, FormatError where the file is missing,
    unreadable or damaged.
    """
    return llama2c.read(path, vocab_size)


def find_tokenizer(model_path: str | Path, vocab_size: int) -> Path | None:
    """The tokenizer beside a model, or None: <model>.tokenizer.bin, tokenizer.bin, tok<size>.bin.

    The first that exists is taken, for it is the most particular to the model.
    """
    model_path = Path(model_path)
    names = (f"{model_path.stem}.tokenizer.bin", "tokenizer.bin", f"tok{vocab_size}.bin")
    candidates = (model_path.with_name(name) for name in names)
    return next((path for path in candidates if path.is_file()), None)
