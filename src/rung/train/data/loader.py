"""Loader: batches of tokens and their targets, the same for a seed and a Position on any machine.

B sequences, T tokens, W windows of an epoch.

An epoch cuts every shard into windows of T tokens, side by side, and takes them in an order that is
a fixed permutation for the seed and the epoch. A window's targets are its tokens moved on by one,
so it needs T + 1. Where windows are shuffled, those of a shard also begin at another of its first
tokens in each epoch: so what lies at a cut in one lies within a window in the next.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rung.errors import DataError, UsageError
from rung.train.data.shuffle import key_of, permuted
from rung.train.data.tokens import Tokens, check_ids

Ids = NDArray[np.int32]


@dataclass(frozen=True)
class Position:
    """Where a run stands in its data: `batch` batches of epoch `epoch` are behind it."""

    epoch: int = 0
    batch: int = 0


@dataclass(frozen=True)
class Batch:
    """B windows of T tokens, and for each token the one that follows it; arrays of their own."""

    x_BT: Ids
    y_BT: Ids


class Loader:
    """Batches of B windows of T tokens. It has no state: a Position says which batch is meant.

    shuffle False takes the windows in order, the same in each epoch, as for validation. What does
    not fill a batch at the end of an epoch is left out.
    """

    def __init__(
        self,
        tokens: Tokens,
        *,
        B: int,
        T: int,
        vocab_size: int,
        seed: int = 0,
        shuffle: bool = True,
    ) -> None:
        """Raises DataError where the data does not make one batch."""
        for name, size in (("batch size", B), ("sequence length", T)):
            if size < 1:
                raise UsageError(f"{name} is {size}, expected at least 1")
        self.B, self.T = B, T
        self._tokens = tokens
        self._vocab_size = vocab_size
        self._seed = seed
        self._shuffle = shuffle
        sizes = np.array([shard.size for shard in tokens.shards], np.int64)
        self._windows = np.maximum(sizes - 1, 0) // T  # of each shard
        if shuffle:  # one less where that leaves room to begin at any of T tokens
            self._windows = np.where(sizes > T, np.maximum((sizes - T) // T, 1), 0)
        self._ends = np.cumsum(self._windows)
        self._room = sizes - self._windows * T  # places where the first window may begin
        W = int(self._windows.sum())
        self.batches_per_epoch = W // B
        if not self.batches_per_epoch:
            raise DataError(
                f"data too small for a batch: {tokens.count:,} tokens make {W} windows of {T} "
                f"tokens and their targets, a batch needs {B}; give more text, a smaller batch "
                "or shorter sequences"
            )

    def batch(self, position: Position) -> Batch:
        """The batch at a position.

        Raises UsageError for a position outside the epoch, DataError for an id that the vocabulary
        lacks.
        """
        if position.epoch < 0 or not 0 <= position.batch < self.batches_per_epoch:
            raise UsageError(
                f"{position} is not in the data, whose epochs have {self.batches_per_epoch} "
                "batches; was it for other data, or another batch size or sequence length?"
            )
        first = position.batch * self.B
        places = np.arange(first, first + self.B, dtype=np.int64)
        if self._shuffle:
            key = key_of(self._seed, position.epoch)
            places = permuted(places, int(self._ends[-1]), key)
        x_BT, y_BT = (np.empty((self.B, self.T), np.int32) for _ in range(2))
        for row, place in enumerate(places):
            shard, start = self._window(int(place), position.epoch)
            ids = self._tokens.shards[shard][start : start + self.T + 1]
            check_ids(ids, self._vocab_size, self._tokens.names[shard])
            x_BT[row], y_BT[row] = ids[:-1], ids[1:]
        return Batch(x_BT, y_BT)

    def after(self, position: Position) -> Position:
        """The position that follows; the first of the next epoch after the last of one."""
        if position.batch + 1 < self.batches_per_epoch:
            return Position(position.epoch, position.batch + 1)
        return Position(position.epoch + 1, 0)

    def at_step(self, step: int) -> Position:
        """The position after so many batches from the very beginning."""
        return Position(*divmod(step, self.batches_per_epoch))

    def batches(self, position: Position = Position()) -> Iterator[tuple[Batch, Position]]:
        """Batches from a position on, without end, each with the position after it."""
        while True:
            batch, position = self.batch(position), self.after(position)
            yield batch, position

    def _window(self, place: int, epoch: int) -> tuple[int, int]:
        """The shard of window `place` of all, and the index of its first token there."""
        shard = int(np.searchsorted(self._ends, place, side="right"))
        start = (place - int(self._ends[shard] - self._windows[shard])) * self.T
        if self._shuffle:
            room = min(int(self._room[shard]), self.T)
            start += key_of(self._seed, epoch, shard, 1) % room
        return shard, start
