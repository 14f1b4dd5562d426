"""Checkpoint: what every file format yields, a Config and named weights that stay in the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rung.models.config import Config
from rung.storage import StoredTensor


@dataclass(frozen=True)
class Checkpoint:
    """A model as read from a file: its weights by the names of `models.config.weight_shapes`."""

    path: Path
    format: str  # as `rung info` prints it, such as "llama2.c v2 (int8, groups of 64)"
    config: Config
    weights: Mapping[str, StoredTensor]
    # What else the file says by key, such as the tokenizer of a GGUF file; decoded at each access.
    metadata: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()  # what a user should be told, a line each

    @property
    def size_bytes(self) -> int:
        """Bytes of all weights."""
        return sum(weight.size_bytes for weight in self.weights.values())

    @property
    def file_bytes(self) -> int:
        """Bytes of the file, or of all files in the folder."""
        files = (
            [p for p in self.path.iterdir() if p.is_file()] if self.path.is_dir() else [self.path]
        )
        return sum(file.stat().st_size for file in files)
