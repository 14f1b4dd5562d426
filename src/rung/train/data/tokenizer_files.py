"""The tokenizer beside the shards: copied where it is a file of its own, named where it is not."""

from __future__ import annotations

import hashlib
from pathlib import Path

from rung.formats.files import read_head, replacing
from rung.tokenizers import Tokenizer, llmc, open_tokenizer, sentencepiece_model
from rung.tokenizers.folder import SETTINGS
from rung.train.data.manifest import Manifest

LLMC_FILE = "gpt2_tokenizer.bin"
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer.bin",
    LLMC_FILE,
    *SETTINGS,
)
_MOST_BYTES = 1 << 27  # of a file that is copied: the largest tokenizer.json have 30 MB


def fingerprint(tokenizer: Tokenizer) -> str:
    """SHA-256 of all tokens as the vocabulary writes them, whatever file they came from."""
    pieces = "\0".join(tokenizer.piece(token) for token in range(tokenizer.vocab_size))
    return hashlib.sha256(pieces.encode(errors="surrogatepass")).hexdigest()


def copy_tokenizer(path: Path, folder: Path) -> str:
    """Copies a tokenizer's file, with its settings, into `folder`; its name there.

    A GGUF file is not copied, for it may hold a model: its whole path is returned.
    """
    head = read_head(path, 16, "a tokenizer")
    if head.startswith(b"GGUF") or path.stat().st_size > _MOST_BYTES:
        return str(path.resolve())
    settings: tuple[str, ...]
    if llmc.recognises(head):
        name, settings = LLMC_FILE, ()
    elif sentencepiece_model.recognises(head):
        name, settings = "tokenizer.model", SETTINGS
    elif head.lstrip().startswith(b"{"):
        name, settings = "tokenizer.json", SETTINGS
    else:
        name, settings = "tokenizer.bin", ()
    _copy(path, folder / name)
    for setting in settings:
        if (path.parent / setting).is_file():
            _copy(path.parent / setting, folder / setting)
    return name


def _copy(source: Path, target: Path) -> None:
    with replacing(target) as file:
        file.write(source.read_bytes())


def tokenizer_of(folder: Path, manifest: Manifest) -> Tokenizer | None:
    """The tokenizer that made the shards in `folder`; None for shards made of shards alone.

    Raises FormatError, TokenizerError where it is no longer there or cannot be read.
    """
    if not manifest.tokenizer:
        return None
    return open_tokenizer(folder / manifest.tokenizer, manifest.vocab_size)
