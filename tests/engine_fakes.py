"""A runner and a tokenizer for tests of the engine: they check how they are used.

The runner's logits are a function of the whole history in a slot's cache, so that a token put at a
wrong position, into a wrong slot, or left out changes every token after it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rung.engine.batch import Batch
from rung.engine.model import Model
from rung.formats.base import Checkpoint
from rung.models.config import Config, Rope
from rung.tokenizers.base import Tokenizer
from rung.tokenizers.special import SpecialTokens

BOS, EOS, FIRST_BYTE = 1, 2, 3
VOCAB_SIZE = FIRST_BYTE + 256

NextToken = Callable[[Sequence[int]], int]


class ByteTokenizer(Tokenizer):
    """One token a byte: id = byte + 3."""

    kind = "bytes"
    vocab_size = VOCAB_SIZE
    bos_id: int | None = BOS
    eos_id: int | None = EOS
    eos_ids = frozenset({EOS})
    special_ids = frozenset({0, BOS, EOS})
    default_template = "llama2"

    def _encode(self, text: str, *, special: bool, joined: bool) -> list[int]:
        """The bytes, and with `special` <s> and </s>."""
        parts = SpecialTokens({"<s>": BOS, "</s>": EOS}).split(text) if special else [text]
        ids: list[int] = []
        for part in parts:
            ids += [part] if isinstance(part, int) else [b + FIRST_BYTE for b in part.encode()]
        return ids

    def token_bytes(self, token: int, *, previous: int | None = None) -> bytes:
        """The byte; nothing for BOS and EOS."""
        return bytes([token - FIRST_BYTE]) if token >= FIRST_BYTE else b""

    def piece(self, token: int) -> str:
        """The byte, escaped where it is not ASCII; or <s>, </s>."""
        if token in (BOS, EOS):
            return "<s>" if token == BOS else "</s>"
        return self.token_bytes(token).decode(errors="backslashreplace")


class FakeRunner:
    """Random logits by history, or those that make greedy sampling follow `next_token`."""

    notes: tuple[str, ...] = ()
    profile = None
    runs_ahead = False

    def __init__(
        self,
        *,
        context_length: int = 64,
        n_slots: int = 1,
        max_tokens: int = 8,
        next_token: NextToken | None = None,
        vocab_size: int = VOCAB_SIZE,
    ) -> None:
        self.config = Config(
            dim=8,
            hidden_dim=8,
            n_layers=1,
            n_heads=1,
            n_kv_heads=1,
            head_dim=8,
            vocab_size=vocab_size,
            context_length=context_length,
            rope=Rope(dims=8),
        )
        self.context_length = context_length
        self.n_slots = n_slots
        self.max_tokens = max_tokens
        self.batches: list[Batch] = []
        self.closed = False
        self._next_token = next_token
        self._cache = np.full((n_slots, context_length), -1)

    def forward(self, batch: Batch) -> NDArray[np.float32]:
        """Logits of the rows, after checks of the batch."""
        assert not self.closed
        assert 1 <= len(batch.tokens) <= self.max_tokens
        assert len(set(zip(batch.slots.tolist(), batch.positions.tolist(), strict=True))) == len(
            batch.tokens
        ), "one position twice"
        self.batches.append(batch)
        self._cache[batch.slots, batch.positions] = batch.tokens
        rows = [self._logits(batch.slots[row], batch.positions[row]) for row in batch.rows]
        return np.array(rows, np.float32).reshape(len(rows), self.config.vocab_size)

    def close(self) -> None:
        """Refuses further batches."""
        self.closed = True

    def _logits(self, slot: int, position: int) -> NDArray[np.float32]:
        history = self._cache[slot, : position + 1]
        assert history.min() >= 0, "a position before this one was never filled"
        V = self.config.vocab_size
        if self._next_token is None:
            return np.random.default_rng(history.tolist()).standard_normal(V, np.float32) * 3
        logits_V = np.zeros(V, np.float32)
        logits_V[self._next_token(history.tolist())] = 20
        return logits_V


def says(text: str, *, after: int) -> NextToken:
    """A runner's next_token that says `text`, then EOS, after a prompt of `after` ids."""
    script = [byte + FIRST_BYTE for byte in text.encode()]

    def next_token(history: Sequence[int]) -> int:
        said = len(history) - after
        return script[said] if said < len(script) else EOS

    return next_token


def fake_model(runner: FakeRunner | None = None) -> Model:
    """A Model around a fake runner and the byte tokenizer."""
    runner = runner or FakeRunner()
    checkpoint = Checkpoint(Path("fake"), "fake", runner.config, {})
    return Model(checkpoint, runner, ByteTokenizer())
