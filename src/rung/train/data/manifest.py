"""manifest.json beside the shards that `rung data` writes: what they hold and where it came from.

It says the same for the same text, options and tokenizer: no date, no name of a machine.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from rung.errors import FormatError
from rung.formats.json_fields import Fields, read_object
from rung.formats.llmc.tokens import MOST_TOKENS

MANIFEST = "manifest.json"
VERSION = 1
SPLITS = ("train", "val")
_MOST_VOCAB = 1 << 32
_MOST_TOTAL = 1 << 62


@dataclass(frozen=True, kw_only=True)
class ShardFacts:
    """A shard: its file's name, train or val, how many ids and the largest, SHA-256 of the file."""

    name: str
    split: str
    tokens: int
    largest: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class SourceFacts:
    """A file that was read: its path as given or found, bytes, documents and ids, split or not."""

    path: str
    size_bytes: int
    documents: int
    tokens: int


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """All that is known of a folder of shards.

    tokenizer: the file that made the ids, relative to the folder where it lies in it; "" where the
        ids came from shards. tokenizer_kind, tokenizer_sha256: what it is.
    vocab_size: tokens of the tokenizer; of ids that came from shards, one more than the largest.
    separator: what stands between documents: bos, eos, both or none.
    """

    tokenizer: str
    tokenizer_kind: str
    tokenizer_sha256: str
    vocab_size: int
    separator: str
    token_type: str
    shards: tuple[ShardFacts, ...]
    sources: tuple[SourceFacts, ...]

    def of(self, split: str) -> tuple[ShardFacts, ...]:
        """The shards of train or val."""
        return tuple(shard for shard in self.shards if shard.split == split)

    def tokens(self, split: str) -> int:
        """Ids in the shards of train or val."""
        return sum(shard.tokens for shard in self.of(split))

    @property
    def largest(self) -> int:
        """The largest id there is."""
        return max(shard.largest for shard in self.shards)

    def check_counts(self, folder: Path, found: Mapping[str, int]) -> None:
        """Raises FormatError for a shard with another number of ids than the manifest says."""
        for shard in self.shards:
            if found[shard.name] != shard.tokens:
                expected = f"{shard.tokens:,}, as {MANIFEST} says"
                raise FormatError(folder / shard.name, "count", f"{found[shard.name]:,}", expected)

    def to_json(self) -> str:
        """The file's text."""
        totals = {f"{split}_tokens": self.tokens(split) for split in SPLITS}
        facts = {"format": "rung data", "version": VERSION, **totals, **asdict(self)}
        return json.dumps(facts, indent=2, ensure_ascii=False) + "\n"


def read_manifest(path: Path) -> Manifest:
    """The manifest at `path`. Raises FormatError for one that says the impossible."""
    fields = read_object(path, "a manifest of rung data")
    if fields.text("format") != "rung data":
        raise fields.refuse("format", "rung data")
    fields.integer("version", least=1, most=VERSION)
    shards = tuple(_shard(part) for part in _objects(fields, "shards"))
    if not any(shard.split == "train" for shard in shards):
        raise FormatError(path, "shards", "without one for training", "at least one")
    if len({shard.name for shard in shards}) < len(shards):
        raise FormatError(path, "shards", "the same name twice", "each once")
    return Manifest(
        tokenizer=fields.text("tokenizer", ""),
        tokenizer_kind=fields.text("tokenizer_kind", ""),
        tokenizer_sha256=fields.text("tokenizer_sha256", ""),
        vocab_size=fields.integer("vocab_size", least=1, most=_MOST_VOCAB),
        separator=fields.text("separator", ""),
        token_type=fields.text("token_type", ""),
        shards=shards,
        sources=tuple(_source(part) for part in _objects(fields, "sources")),
    )


def _objects(fields: Fields, name: str) -> list[Fields]:
    parts = []
    for index, value in enumerate(fields.items(name)):
        label = f"{name}[{index}]"
        if not isinstance(value, dict):
            raise FormatError(fields.path, label, repr(value)[:80], "an object")
        parts.append(Fields(fields.path, value, label))
    return parts


def _shard(fields: Fields) -> ShardFacts:
    name = fields.text("name")
    if not name or name in (".", "..") or any(c in name for c in "/\\\0"):
        raise fields.refuse("name", "a file in the same folder")
    if fields.text("split") not in SPLITS:
        raise fields.refuse("split", " or ".join(SPLITS))
    return ShardFacts(
        name=name,
        split=fields.text("split"),
        tokens=fields.integer("tokens", least=1, most=MOST_TOKENS),
        largest=fields.integer("largest", most=_MOST_VOCAB),
        sha256=fields.text("sha256"),
    )


def _source(fields: Fields) -> SourceFacts:
    return SourceFacts(
        path=fields.text("path"),
        size_bytes=fields.integer("size_bytes", most=_MOST_TOTAL),
        documents=fields.integer("documents", most=_MOST_TOTAL),
        tokens=fields.integer("tokens", most=_MOST_TOTAL),
    )
