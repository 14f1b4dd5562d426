"""Tokens: ids in shards, mapped or in memory. DataSet: those to train and to validate with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rung.errors import DataError, UsageError
from rung.formats.llmc import tokens as llmc_tokens
from rung.train.data.manifest import MANIFEST, Manifest, read_manifest
from rung.train.data.split import cut_at

Array = NDArray[np.integer[Any]]
_SEARCHED = 1 << 25  # ids that are looked through before training starts: 64 MB as uint16


@dataclass(frozen=True)
class Tokens:
    """Ids in one or more shards; no window of a batch reaches over the end of one.

    names: what an error calls each shard.
    """

    shards: tuple[Array, ...]
    names: tuple[str, ...]

    @staticmethod
    def of(ids: Array | Sequence[int], name: str = "tokens") -> Tokens:
        """One array in memory as a single shard."""
        return Tokens((np.asarray(ids),), (name,))

    @staticmethod
    def read(paths: Iterable[str | Path]) -> Tokens:
        """llm.c's shards at these paths, mapped. Raises FormatError."""
        shards = [llmc_tokens.read(path) for path in paths]
        return Tokens(tuple(s.tokens for s in shards), tuple(str(s.path) for s in shards))

    @property
    def count(self) -> int:
        """Number of ids."""
        return sum(shard.size for shard in self.shards)

    def check_vocabulary(self, vocab_size: int) -> None:
        """Raises DataError for an id that a vocabulary of this size lacks.

        Looks through at most _SEARCHED ids of the start, so that it takes no time for large data;
        the others are looked at as they come in batches.
        """
        left = _SEARCHED
        for name, shard in zip(self.names, self.shards, strict=True):
            part = shard[:left]
            check_ids(part, vocab_size, name)
            left -= part.size
            if not left:
                return

    def split(self, fraction: float) -> tuple[Tokens, Tokens]:
        """The first ids of every shard, and the last `fraction` of them, such as 0.1.

        Raises UsageError for a fraction that is not between 0 and 1.
        """
        if not 0 < fraction < 1:
            raise UsageError(f"validation share is {fraction}, expected between 0 and 1")
        cuts = [cut_at(shard.size, fraction) for shard in self.shards]
        pairs = list(zip(self.shards, cuts, strict=True))
        first = tuple(shard[:cut] for shard, cut in pairs)
        last = tuple(shard[cut:] for shard, cut in pairs)
        return Tokens(first, self.names), Tokens(last, self.names)


def check_ids(ids: Array, vocab_size: int, name: str) -> None:
    """Raises DataError that names the first id outside range(vocab_size)."""
    if not ids.size:
        return
    if int(ids.max()) < vocab_size and int(ids.min()) >= 0:
        return
    place = int(np.argmax((ids >= vocab_size) | (ids < 0)))
    raise DataError(
        f"{name}: token {int(ids.reshape(-1)[place])} does not fit the model, whose vocabulary has "
        f"{vocab_size} tokens; encode the text with the model's tokenizer"
    )


@dataclass(frozen=True)
class DataSet:
    """What there is to train with: validation is None where the source sets nothing apart."""

    train: Tokens
    validation: Tokens | None
    manifest: Manifest | None = None

    def check_vocabulary(self, vocab_size: int) -> None:
        """Raises DataError for an id that a model's vocabulary lacks, before training starts.

        With a manifest it costs nothing; without, `Tokens.check_vocabulary` says what is searched.
        """
        if self.manifest is not None:
            for shard in self.manifest.shards:
                check_ids(np.array([shard.largest]), vocab_size, shard.name)
            return
        self.train.check_vocabulary(vocab_size)
        if self.validation is not None:
            self.validation.check_vocabulary(vocab_size)


def open_data(path: str | Path) -> DataSet:
    """The token shards at `path`: a folder that `rung data` wrote, one with llm.c's names, a file.

    By llm.c's names, a file with "val" in its name is for validation and one with "train" for
    training. Raises FormatError for a shard that is damaged, DataError for a folder without any.
    """
    path = Path(path)
    if not path.is_dir():
        return DataSet(Tokens.read([path]), None)
    if (path / MANIFEST).is_file():
        manifest = read_manifest(path / MANIFEST)
        read = {
            split: Tokens.read(path / shard.name for shard in manifest.of(split))
            for split in ("train", "val")
        }
        manifest.check_counts(path, {n: t.size for s in read.values() for n, t in _named(s)})
        return DataSet(read["train"], read["val"] if read["val"].shards else None, manifest)
    return _by_name(path)


def _named(tokens: Tokens) -> Iterable[tuple[str, Array]]:
    return ((Path(n).name, s) for n, s in zip(tokens.names, tokens.shards, strict=True))


def _by_name(folder: Path) -> DataSet:
    files = sorted(folder.glob("*.bin"))
    train = [file for file in files if "train" in file.name]
    val = [file for file in files if "val" in file.name and "train" not in file.name]
    if not train:
        raise DataError(
            f"{folder} holds no {MANIFEST} and no *train*.bin; `rung data` makes such a folder"
        )
    return DataSet(Tokens.read(train), Tokens.read(val) if val else None)
