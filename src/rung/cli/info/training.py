"""What `rung info` says of files to train with: token shards, folders of them, debug state."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rung.cli import show

_HEAD_BYTES = 16


def training_facts(path: Path) -> dict[str, Any] | None:
    """The facts of what lies at `path`, sizes in bytes; None where it is not of this kind."""
    from rung.formats.files import read_head
    from rung.formats.llmc import state as llmc_state
    from rung.formats.llmc import tokens as llmc_tokens
    from rung.train.data.manifest import MANIFEST

    if path.is_dir():
        return _folder(path) if (path / MANIFEST).is_file() else None
    if not path.is_file():
        return None
    head = read_head(path, _HEAD_BYTES, "a model, or tokens to train with")
    if llmc_tokens.recognises(head):
        return _shard(path)
    if llmc_state.recognises(head):
        B, T = llmc_state.read_sizes(path)
        facts: dict[str, Any] = {"path": str(path), "format": "llm.c debug state"}
        return facts | {"batch": B, "sequence": T, "file_bytes": path.stat().st_size}
    return None


def training_text(facts: dict[str, Any]) -> str:
    """The same for people to read."""
    shown = {name: _shown(name, value) for name, value in facts.items() if value is not None}
    return show.facts({name.removesuffix("_bytes"): value for name, value in shown.items()})


def _shown(name: str, value: Any) -> str:
    if name.endswith("_bytes"):
        return show.size(value)
    return f"{value:,}" if isinstance(value, int) else str(value)


def _shard(path: Path) -> dict[str, Any]:
    """A shard, whose ids are all looked at."""
    from rung.formats.llmc import tokens as llmc_tokens

    shard = llmc_tokens.read(path)
    return {
        "path": str(path),
        "format": shard.label,
        "tokens": int(shard.tokens.size),
        "largest": int(shard.tokens.max()),
        "file_bytes": path.stat().st_size,
    }


def _folder(path: Path) -> dict[str, Any]:
    """A folder that `rung data` wrote; its shards are read as far as their headers."""
    from rung.train.data import open_data

    data = open_data(path)
    manifest = data.manifest
    assert manifest is not None
    return {
        "path": str(path),
        "format": f"rung data ({manifest.token_type})",
        "train": manifest.tokens("train"),
        "validation": manifest.tokens("val"),
        "shards": len(manifest.shards),
        "documents": sum(source.documents for source in manifest.sources),
        "vocabulary": manifest.vocab_size,
        "largest": manifest.largest,
        "tokenizer": manifest.tokenizer or None,
        "tokenizer_kind": manifest.tokenizer_kind or None,
        "separator": manifest.separator or None,
    }
