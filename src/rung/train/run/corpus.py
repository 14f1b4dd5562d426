"""The data of a run: token shards, folders of them, or text that is encoded at each start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path

from rung.errors import DataError, FormatError, TokenizerError, UsageError
from rung.formats.files import read_head
from rung.formats.llmc import tokens as llmc_tokens
from rung.tokenizers import Tokenizer
from rung.train.data import DataSet, Tokens, open_data
from rung.train.data.encode import in_memory
from rung.train.data.manifest import MANIFEST, read_manifest
from rung.train.data.sources import find_sources
from rung.train.data.tokenizer_files import fingerprint

_EDGE = 1 << 16  # ids of each end of a shard that a fingerprint looks at


@dataclass(frozen=True)
class Corpus:
    """Where the data lies: `paths` to train with, `val_paths` and `val_share` to validate with."""

    paths: tuple[Path, ...]
    val_paths: tuple[Path, ...] = ()
    val_share: float = 0.1

    def tokenizer_file(self) -> Path | None:
        """The tokenizer that came with the data; None where there is none."""
        for path in self.paths:
            if (path / MANIFEST).is_file():
                manifest = read_manifest(path / MANIFEST)
                if manifest.tokenizer:
                    return path / manifest.tokenizer
        return None

    def open(self, tokenizer: Tokenizer | None) -> DataSet:
        """The data as ids; text needs the tokenizer.

        Raises DataError where there is no data, or another tokenizer made it; FormatError for files
        that are damaged.
        """
        data = _opened(self.paths, tokenizer, 0.0 if self.val_paths else self.val_share)
        if self.val_paths:
            apart = _opened(self.val_paths, tokenizer, 0.0)
            data = replace(data, validation=apart.train)
        elif data.validation is None and self.val_share:
            train, held = data.train.split(self.val_share)
            data = replace(data, train=train, validation=held)
        _check_tokenizer(data, tokenizer)
        return data


def _opened(paths: Sequence[Path], tokenizer: Tokenizer | None, share: float) -> DataSet:
    if not paths:
        raise UsageError("there is no data: name a folder of rung data, token shards or text files")
    for path in paths:
        if not path.exists():
            raise FormatError(path, "file", "missing", "token shards, a folder of them, or text")
    if len(paths) == 1 and (_is_shards(paths[0])):
        return open_data(paths[0])
    folders = [path for path in paths if path.is_dir() and _is_shards(path)]
    if folders:
        raise UsageError(f"{folders[0]} is one of several; a folder of rung data comes alone")
    sources = find_sources(paths)
    if all(source.kind == "shard" for source in sources):
        return DataSet(Tokens.read(source.path for source in sources), None)
    if tokenizer is None:
        text = next(source.name for source in sources if source.kind != "shard")
        raise UsageError(f"{text} is text: give --tokenizer, or encode it first with rung data")
    return in_memory(sources, tokenizer, validation=share)


def _is_shards(path: Path) -> bool:
    """Whether a path is a shard, or a folder with a manifest or llm.c's names."""
    if not path.is_dir():
        return llmc_tokens.recognises(read_head(path, 4, "text or token shards"))
    return (path / MANIFEST).is_file() or any(path.glob("*train*.bin"))


def _check_tokenizer(data: DataSet, tokenizer: Tokenizer | None) -> None:
    """Raises TokenizerError where the data says that another tokenizer made it."""
    made = "" if data.manifest is None else data.manifest.tokenizer_sha256
    if made and tokenizer is not None and fingerprint(tokenizer) != made:
        raise TokenizerError(
            f"the data was encoded with another tokenizer ({data.manifest.tokenizer_kind}) than "  # type: ignore[union-attr]
            "the model's; encode the text again: rung data --tokenizer MODEL"
        )


def identity(data: DataSet) -> str:
    """What tells data from other data: sizes of all shards, and the ids at their ends."""
    digest = blake2b(digest_size=16)
    for tokens in (data.train, data.validation):
        digest.update(b"|")
        for shard in () if tokens is None else tokens.shards:
            digest.update(f"{shard.size} ".encode())
            for part in (shard[:_EDGE], shard[-_EDGE:]):
                digest.update(part.astype("<u4").tobytes())
    return digest.hexdigest()


def check_same(saved: str, data: DataSet) -> None:
    """Raises DataError where data is no longer what a run began with."""
    if saved != identity(data):
        raise DataError(
            "the data is not what this run began with, so it cannot go on bit for bit; bring the "
            "data back, name the place it moved to, or begin anew from this model: "
            "--init-from FOLDER"
        )
