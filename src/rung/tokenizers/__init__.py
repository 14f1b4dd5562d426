"""Tokenizers: `find_tokenizer` looks in and beside a model for one, `open_tokenizer` reads it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rung.errors import FormatError, TokenizerError
from rung.formats.files import read_head
from rung.formats.signatures import looks_like
from rung.tokenizers.base import TextStream, Tokenizer

__all__ = [
    "TextStream",
    "Tokenizer",
    "find_tokenizer",
    "is_tokenizer",
    "open_tokenizer",
    "tokenizer_in",
]

_HEAD_BYTES = 16
_SUPPORTED = (
    "a llama2.c tokenizer, an llm.c tokenizer, a GGUF file, a tokenizer.json, a tokenizer.model, "
    "or a folder with one"
)
# In a folder the exact form of a tokenizer comes before what it was made from.
_FOLDER_NAMES = ("tokenizer.json", "tokenizer.model", "tokenizer.bin", "tokenizer.gguf")


def open_tokenizer(path: str | Path, vocab_size: int | None = None) -> Tokenizer:
    """The tokenizer at `path`, for a model whose embedding has `vocab_size` rows (None: any).

    path: a tokenizer file of any supported kind, a GGUF file that holds one, or a folder. An
    embedding may have more rows than the tokenizer has tokens, never fewer.

    Raises TokenizerError where it does not fit the model or is of a kind that is not supported,
    FormatError where the file is missing, unreadable or damaged.
    """
    path = _file_of(Path(path))
    return _fitting(_read(path, vocab_size), path, vocab_size)


def tokenizer_in(path: Path, metadata: Mapping[str, Any], vocab_size: int) -> Tokenizer | None:
    """The tokenizer in the metadata of the GGUF file at `path`, or None where it holds none.

    Raises as `open_tokenizer` does.
    """
    from rung.tokenizers.gguf_vocab import holds_tokenizer, tokenizer_of

    if not holds_tokenizer(metadata):
        return None
    return _fitting(tokenizer_of(path, metadata), path, vocab_size)


def find_tokenizer(model_path: str | Path, vocab_size: int) -> Path | None:
    """Where a model's tokenizer is, or None: inside the file, in its folder, or beside it.

    Beside it, <model>.tokenizer.bin, tokenizer.bin, tok<size>.bin, gpt2_tokenizer.bin,
    tokenizer.json, tokenizer.model and tokenizer.gguf (a vocabulary alone) are looked for; the
    first that exists is taken, for it is the most particular to the model.
    """
    model_path = Path(model_path)
    if model_path.is_dir():
        return _in_folder(model_path)
    if _holds_tokenizer(model_path):
        return model_path
    names = (
        f"{model_path.stem}.tokenizer.bin",
        "tokenizer.bin",
        f"tok{vocab_size}.bin",
        "gpt2_tokenizer.bin",
        "tokenizer.json",
        "tokenizer.model",
        "tokenizer.gguf",
    )
    candidates = (model_path.with_name(name) for name in names)
    return next((path for path in candidates if path.is_file()), None)


def is_tokenizer(path: str | Path) -> bool:
    """Whether a file says of itself that it is or holds a tokenizer; a tokenizer.bin does not."""
    from rung.tokenizers import llmc, sentencepiece_model

    path = Path(path)
    head = read_head(path, _HEAD_BYTES, _SUPPORTED)
    return (
        _is_json(head)
        or llmc.recognises(head)
        or sentencepiece_model.recognises(head)
        or _holds_tokenizer(path)
    )


def _is_json(head: bytes) -> bool:
    return head.lstrip().startswith(b"{")


def _fitting(tokenizer: Tokenizer, path: Path, vocab_size: int | None) -> Tokenizer:
    if vocab_size is not None and tokenizer.vocab_size > vocab_size:
        raise TokenizerError(
            f"{path} does not fit the model: its vocabulary has {vocab_size} tokens, "
            f"the tokenizer has {tokenizer.vocab_size}"
        )
    return tokenizer


def _in_folder(folder: Path) -> Path | None:
    candidates = (folder / name for name in _FOLDER_NAMES)
    return next((path for path in candidates if path.is_file()), None)


def _file_of(path: Path) -> Path:
    if not path.is_dir():
        return path
    found = _in_folder(path)
    if found is None:
        raise FormatError(path, "tokenizer", "missing", f"one of {', '.join(_FOLDER_NAMES)}")
    return found


def _holds_tokenizer(path: Path) -> bool:
    """Whether a model's file is a GGUF file with a tokenizer in it."""
    from rung.formats.gguf import header as gguf_header
    from rung.tokenizers.gguf_vocab import holds_tokenizer

    if not path.is_file():
        return False
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    return head.startswith(gguf_header.MAGIC) and holds_tokenizer(_metadata(path))


def _metadata(path: Path) -> Mapping[str, Any]:
    """The metadata of a GGUF file, which may have no tensors."""
    from rung.formats.files import mapped
    from rung.formats.gguf.header import parse_header

    return parse_header(path, mapped(path, "a GGUF file").data).metadata


def _read(path: Path, vocab_size: int | None) -> Tokenizer:
    """The tokenizer in a file, by the reader for what it is. Each reader is imported when used."""
    from rung.formats.gguf import header as gguf_header
    from rung.tokenizers import gguf_vocab, llama2c, llmc, sentencepiece_model
    from rung.tokenizers.folder import TokenizerFolder

    head = read_head(path, _HEAD_BYTES, _SUPPORTED)
    if head.startswith(gguf_header.MAGIC):
        return gguf_vocab.tokenizer_of(path, _metadata(path))
    if llmc.recognises(head):
        return llmc.read(path)
    if sentencepiece_model.recognises(head):
        return sentencepiece_model.read(path, TokenizerFolder(path.parent))
    if _is_json(head):
        from rung.tokenizers import huggingface

        return huggingface.read(path, TokenizerFolder(path.parent))
    if llama2c.recognises(head):
        return llama2c.read(path, vocab_size)
    raise FormatError(path, "content", looks_like(head), _SUPPORTED)
