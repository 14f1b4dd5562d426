"""Batch: the one form in which tokens reach a model; single, many sequences, prompt or decode.

Shapes: T tokens, R rows whose logits are wanted, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rung.models.config import Config
from rung.schedule.profile.runs import Profile


@dataclass(frozen=True)
class Batch:
    """T tokens of any mixture of sequences.

    Token t has id tokens[t], stands at positions[t] of sequence slots[t], and sees every position
    up to its own of that sequence: those of earlier batches, and those of this one. `rows` are the
    indices t whose logits are wanted, in any order.
    """

    tokens: NDArray[np.int32]
    positions: NDArray[np.int32]
    slots: NDArray[np.int32]
    rows: NDArray[np.int32]

    @property
    def inputs(self) -> dict[str, NDArray[np.int32]]:
        """By the names that a decoder's graph has for them."""
        return {
            "tokens": self.tokens,
            "positions": self.positions,
            "slots": self.slots,
            "rows": self.rows,
        }

    @staticmethod
    def one(tokens: list[int], *, start: int = 0, slot: int = 0, rows: str = "last") -> Batch:
        """Consecutive tokens of one sequence; `rows` is "last", "all" or "none"."""
        T = len(tokens)
        chosen = {"all": range(T), "last": range(max(T - 1, 0), T), "none": range(0)}[rows]
        return Batch(
            tokens=np.array(tokens, np.int32),
            positions=np.arange(start, start + T, dtype=np.int32),
            slots=np.full(T, slot, np.int32),
            rows=np.array(chosen, np.int32),
        )


@dataclass(frozen=True)
class Choice:
    """How a device is to choose the next N tokens by itself.

    settings_P: temperature, top-k, top-p and min-p. uniform_N: a number in [0, 1) for each draw.
    The likeliest tokens, where both are None.
    """

    settings_P: NDArray[np.float32] | None = None
    uniform_N: NDArray[np.float32] | None = None

    @property
    def greedy(self) -> bool:
        """Whether nothing is drawn."""
        return self.uniform_N is None


class Runner(Protocol):
    """What the engine needs of a planned model: run a batch, get logits.

    profile: collects what batches take, where there is one.
    """

    profile: Profile | None

    @property
    def config(self) -> Config:
        """The model's shape."""
        ...

    @property
    def n_slots(self) -> int:
        """Sequences that the KV cache holds at once."""
        ...

    @property
    def context_length(self) -> int:
        """Positions that the KV cache holds for each sequence."""
        ...

    @property
    def max_tokens(self) -> int:
        """Most tokens one batch may have."""
        ...

    def forward(self, batch: Batch) -> NDArray[np.float32]:
        """Logits [R, V] of the batch's rows; the KV cache then holds the batch's tokens.

        They are valid until the next call.
        """
        ...

    @property
    def runs_ahead(self) -> bool:
        """Whether `ahead` could be of use."""
        ...

    def ahead(
        self, token: int, *, position: int, slot: int, choice: Choice, steps: int
    ) -> Iterator[int] | None:
        """The ids that follow a token, at most so many; the device computes them unasked.

        They end with the next `forward` or `ahead`. An id below 0 is none: the device could not
        choose, and what follows means nothing. None where the device cannot go on by itself.
        """
        ...
