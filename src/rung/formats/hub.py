"""Models by name from the Hugging Face hub: hf:owner/name, downloaded once and kept in its cache.

hf:owner/name                  the folder of a model: config.json, safetensors, tokenizer
hf:owner/name/folder/file.gguf one file; of a split GGUF file, every part
hf:owner/name@revision         at a branch, tag or commit, in either form
"""

from __future__ import annotations

import logging
import re
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from rung.errors import RungError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PREFIX = "hf:"

# What a model needs, and not the same weights once more in other formats.
_WANTED = (
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "model.safetensors.index.json",
    "model-*.safetensors",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
    "chat_template.json",
)
_SPLIT = re.compile(r"(.+)-\d{5}-of-(\d{5})\.gguf")


@dataclass(frozen=True)
class Reference:
    """A repository of the hub, at a revision (None: its main branch), or one file of it."""

    repository: str
    file: str | None
    revision: str | None

    def __str__(self) -> str:
        file = "" if self.file is None else f"/{self.file}"
        revision = "" if self.revision is None else f"@{self.revision}"
        return f"{PREFIX}{self.repository}{file}{revision}"


def is_reference(path: str | PurePath) -> bool:
    """Whether a model argument names a model of the hub."""
    return _text(path).startswith(PREFIX)


def parse(path: str | PurePath) -> Reference:
    """A model argument by its parts. Raises UsageError where it is not of the form above."""
    text = _text(path)
    name, at, revision = text.removeprefix(PREFIX).partition("@")
    owner, _, rest = name.partition("/")
    model, slash, file = rest.partition("/")
    if not owner or not model or (slash and not file) or (at and not revision):
        raise UsageError(f"{text} is not of the form hf:owner/name[/file][@revision]")
    return Reference(f"{owner}/{model}", file or None, revision or None)


def download(path: str | PurePath) -> Path:
    """The model's folder, or the file that was asked for, in the hub's cache.

    Only what the cache lacks is fetched, with progress bars where stderr is a terminal; offline,
    the cache alone serves. Raises RungError, in one line, where there is no such model, it is
    private or gated, or the hub cannot be reached.
    """
    reference = parse(path)
    patterns = _WANTED if reference.file is None else (_part_pattern(reference.file),)
    folder = _snapshot(reference, patterns)
    found = folder if reference.file is None else folder / reference.file
    if not (found / "config.json" if reference.file is None else found).exists():
        raise RungError(f"{reference}: {_absence(reference)}")
    return found


def _text(path: str | PurePath) -> str:
    return path if isinstance(path, str) else path.as_posix()


def _part_pattern(file: str) -> str:
    """A pattern for all parts of a split file, for the file itself otherwise."""
    literal = re.sub(r"([*?\[])", r"[\1]", file)
    split = _SPLIT.fullmatch(literal)
    return f"{split[1]}-*-of-{split[2]}.gguf" if split else literal


def _snapshot(reference: Reference, patterns: Sequence[str]) -> Path:
    try:
        import huggingface_hub
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError
        from huggingface_hub.utils.tqdm import disable_progress_bars
    except ImportError:
        raise RungError(
            f"{reference}: models of the hub need a package: pip install huggingface-hub"
        ) from None
    if not sys.stderr.isatty():
        disable_progress_bars()
    try:
        with _errors_alone():
            folder = huggingface_hub.snapshot_download(
                reference.repository,
                revision=reference.revision,
                allow_patterns=list(patterns),
            )
    except (HfHubHTTPError, HFValidationError, OSError, ValueError) as error:
        raise RungError(f"{reference}: {_reason(error, reference)}") from None
    return Path(folder)


@contextmanager
def _errors_alone() -> Iterator[None]:
    """No warnings of huggingface_hub meanwhile: that no file matches is ours to say."""
    logger = logging.getLogger("huggingface_hub")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def _absence(reference: Reference) -> str:
    """Why a download left nothing to read."""
    if reference.file is not None:
        return "this repository has no such file"
    return (
        "this repository has no config.json; a GGUF file is named as "
        f"{PREFIX}{reference.repository}/FILE.gguf"
    )


def _reason(error: Exception, reference: Reference) -> str:
    """An error of huggingface_hub in one line that says what to do."""
    from huggingface_hub.errors import (
        GatedRepoError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    repository = reference.repository
    if isinstance(error, GatedRepoError):
        return f"gated: accept its terms on the hub's page of {repository}, then `hf auth login`"
    if isinstance(error, RepositoryNotFoundError):
        return "the hub has no such model, or it is private: check the name, or `hf auth login`"
    if isinstance(error, RevisionNotFoundError):
        return f"this model has no revision {reference.revision}"
    if isinstance(error, LocalEntryNotFoundError):
        return "the hub cannot be reached, and the cache does not hold this model"
    if isinstance(error, HFValidationError):
        return "not a name that the hub allows"
    return f"download failed ({' '.join(str(error).split())[:200] or type(error).__name__})"
