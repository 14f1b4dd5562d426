"""Small models and tokenizers for tests: random, made in a moment, the same for the same seed."""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rung.formats.base import Checkpoint
from rung.models.config import Config, Rope, weight_shapes
from rung.storage import F32, StoredTensor, quantize, storage_type, stored

if TYPE_CHECKING:
    import pytest

TINY = {
    "dim": 16,
    "hidden_dim": 24,
    "n_layers": 2,
    "n_heads": 4,
    "n_kv_heads": 2,
    "head_dim": 4,
    "vocab_size": 300,
    "context_length": 32,
}

# What makes a GPT-2 of the tiny model.
GPT2: dict[str, Any] = {
    "family": "gpt2",
    "hidden_dim": 64,
    "n_kv_heads": 4,
    "norm": "layer",
    "mlp": "gelu",
    "rope": None,
    "qkv_bias": True,
    "output_bias": True,
    "mlp_bias": True,
    "bos_id": None,
    "eos_ids": (),
}


def tiny_config(**changes: Any) -> Config:
    """A Config of a few thousand parameters, with these fields changed.

    head_dim follows dim and n_heads unless it is given.
    """
    fields = TINY | changes
    if "head_dim" not in changes:
        fields["head_dim"] = fields["dim"] // fields["n_heads"]
    fields.setdefault("rope", Rope(dims=fields["head_dim"]))
    return Config(**fields)


def tiny_checkpoint(*, seed: int = 0, matrices: str = "f32", **changes: Any) -> Checkpoint:
    """A checkpoint of `tiny_config(**changes)` with random weights, in memory.

    Matrices are normal with deviation 1/sqrt(inputs), in the storage type of this name; vectors
    are float32 and near 1. The path names no file.
    """
    config = tiny_config(**changes)
    generator = np.random.default_rng(seed)

    def weight(shape: tuple[int, ...]) -> StoredTensor:
        values = generator.standard_normal(shape, np.float32)
        if len(shape) == 1:
            return stored(np.float32(1) + np.float32(0.1) * values)
        kind = storage_type(matrices)
        values /= np.float32(np.sqrt(shape[-1]))
        return stored(values) if kind is F32 else quantize(values, kind)

    weights = {name: weight(shape) for name, shape in weight_shapes(config).items()}
    return Checkpoint(Path("tiny"), f"tiny ({matrices})", config, weights)


def tiny_vocabulary() -> tuple[list[bytes], list[float]]:
    """Pieces and scores of 300 tokens: control tokens, 256 bytes, letters and a few merges."""
    words = [" t", "he", " a", " the", "in", "  ", "é", "an", " an", "nd", " and", "日本"]
    letters = [
        *" etaoinshrdlu.,\n",
        "é",
        "日",
        "本",
        "<",
        "0",
        "x",
        ">",
        "A",
        "4",
        "1",
        "b",
        "c",
        "d",
    ]
    pieces = [b"<unk>", b"\n<s>\n", b"\n</s>\n", *(b"<0x%02X>" % byte for byte in range(256))]
    scores = [0.0] * len(pieces)
    pieces += [word.encode() for word in [*words[:6], *words[7:], *letters]]
    scores += [-float(i) for i in range(len(pieces) - len(scores))]
    missing = TINY["vocab_size"] - len(pieces)
    pieces += [b" and" + b"!" * (i + 1) for i in range(missing)]
    scores += [-1e5 - i for i in range(missing)]
    return pieces, scores


def tokenizer_bytes(
    pieces: Sequence[bytes], scores: Sequence[float], *, max_token_length: int | None = None
) -> bytes:
    """The bytes of a tokenizer.bin."""
    longest = max(map(len, pieces)) if max_token_length is None else max_token_length
    records = (
        struct.pack("<fI", score, len(piece)) + piece
        for piece, score in zip(pieces, scores, strict=True)
    )
    return struct.pack("<I", longest) + b"".join(records)


def write_tokenizer(path: Path, pieces: Sequence[bytes], scores: Sequence[float]) -> Path:
    """A tokenizer.bin at `path`, which is returned."""
    path.write_bytes(tokenizer_bytes(pieces, scores))
    return path


@contextmanager
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing that is written reaches the disk: flushing a file fails, as on one that is full."""

    def fsync(_file: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fsync)
        yield
