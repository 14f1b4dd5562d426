"""The shards of a folder while they are written, and what is known of them and their sources."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from rung.formats.llmc import tokens as llmc_tokens
from rung.train.data.encode import Encoded
from rung.train.data.manifest import SPLITS, ShardFacts, SourceFacts
from rung.train.data.sources import Source


class _Abandoned(BaseException):
    """What ends the writing of a shard that is not wanted any more."""


class _Split:
    """The shards of train or val: one is open, and the next follows when it has `most` ids."""

    def __init__(self, folder: Path, name: str, kind: llmc_tokens.Kind, most: int) -> None:
        self.facts: list[ShardFacts] = []
        self.count = 0
        self._folder, self._name, self._kind, self._most = folder, name, kind, most
        self._open = ExitStack()
        self._shard: llmc_tokens.ShardWriter | None = None
        self._largest = 0

    def add(self, ids: llmc_tokens.Tokens) -> None:
        """Writes ids, over as many shards as they need."""
        self.count += ids.size
        while ids.size:
            shard = self._shard or self._next()
            part, ids = ids[: self._most - shard.count], ids[self._most - shard.count :]
            shard.append(part)
            self._largest = max(self._largest, int(part.max()))
            if shard.count == self._most:
                self.finish()

    def finish(self) -> None:
        """Gives the open shard its name, and keeps what it holds."""
        if self._shard is None:
            return
        self._open.close()
        path = self._shard.path
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        self.facts.append(
            ShardFacts(
                name=path.name,
                split=self._name,
                tokens=self._shard.count,
                largest=self._largest,
                sha256=digest,
            )
        )
        self._shard, self._largest = None, 0

    def abandon(self) -> None:
        """Leaves nothing of the open shard, if there is one."""
        self._open.__exit__(_Abandoned, _Abandoned(), None)

    def _next(self) -> llmc_tokens.ShardWriter:
        path = self._folder / f"{self._name}_{len(self.facts):06d}.bin"
        self._shard = self._open.enter_context(llmc_tokens.writing(path, self._kind))
        return self._shard


class ShardSet:
    """The shards of both splits, and what is known of them and of the sources."""

    def __init__(
        self, folder: Path, kind: llmc_tokens.Kind, sources: Sequence[Source], most: int
    ) -> None:
        self.kind = kind
        self._splits = {split: _Split(folder, split, kind, most) for split in SPLITS}
        self._sources = sources
        self._documents = dict.fromkeys(map(id, sources), 0)
        self._tokens = dict.fromkeys(map(id, sources), 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, _error: object, _trace: object) -> None:
        splits = self._splits.values()
        try:
            for split in splits:
                if kind is None:
                    split.finish()
        finally:
            for split in splits:
                split.abandon()

    @property
    def counts(self) -> dict[str, int]:
        """Ids of each split so far."""
        return {name: split.count for name, split in self._splits.items()}

    @property
    def count(self) -> int:
        """Ids so far."""
        return sum(self.counts.values())

    @property
    def largest(self) -> int:
        """The largest id there is."""
        return max(shard.largest for shard in self.facts())

    def add(self, part: Encoded) -> None:
        """Writes ids to the split they are for."""
        self._splits[SPLITS[part.validation]].add(part.ids)
        self._documents[id(part.source)] += part.documents
        self._tokens[id(part.source)] += part.ids.size

    def facts(self) -> tuple[ShardFacts, ...]:
        """All shards, once they are closed."""
        return tuple(facts for split in self._splits.values() for facts in split.facts)

    def sources(self) -> tuple[SourceFacts, ...]:
        """What became of each source."""
        return tuple(
            SourceFacts(
                path=source.name,
                size_bytes=source.size_bytes,
                documents=self._documents[id(source)],
                tokens=self._tokens[id(source)],
            )
            for source in self._sources
        )
