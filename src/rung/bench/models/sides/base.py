"""A side of a comparison: a program that holds a model, reads prompts and decodes, and is timed."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rung.models.config import Config


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What every side is given.

    path: the model file; None for a side that has its weights already, or makes its own.
    context_length: positions that its cache holds. longest_batch: the most tokens that it will be
    asked to read at once. activations, cache_type: None for what the model would take by itself.
    device, gpu_layers: as --device and --gpu-layers, for Rung's own side.
    """

    config: Config
    path: Path | None
    threads: int
    context_length: int
    longest_batch: int
    activations: str | None = None
    cache_type: str | None = None
    device: str = "cpu"
    gpu_layers: str = "auto"
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A side that is ready.

    name: the program and its version. load_s: seconds from the file's path, or the weights in
    memory, to a model that can run; None where weights were made meanwhile. activations: how it
    rounds the inputs of products, and cache_type how it keeps keys and values, "" where it does not
    say. backend: the one of greatest priority that holds layers. notes: what a user should be told.
    """

    name: str
    load_s: float | None
    activations: str = ""
    cache_type: str = ""
    backend: str = "cpu"
    notes: tuple[str, ...] = ()


class Side(ABC):
    """One program with one model. `opened` says what it is."""

    opened: Opened

    @abstractmethod
    def prompt(self, length: int) -> float:
        """Seconds to read a prompt of so many tokens into an empty cache, to its last logits."""

    @abstractmethod
    def decode(self, depth: int, tokens: int) -> float:
        """Seconds to read so many tokens one by one, each to its logits, after `depth` others."""

    @abstractmethod
    def peak_memory_bytes(self) -> int:
        """The most memory that the side's process has held."""

    @abstractmethod
    def close(self) -> None:
        """Gives threads and memory back."""


class TokenSide(Side):
    """A side in this process. Tokens are random, the same for each side; nothing is sampled."""

    def __init__(self, setup: Setup) -> None:
        rng = np.random.default_rng(setup.seed)
        vocabulary = setup.config.vocab_size
        self._tokens: list[int] = rng.integers(0, vocabulary, setup.context_length).tolist()
        self._cached = 0

    def prompt(self, length: int) -> float:
        self._forget(0)
        start = time.perf_counter()
        self._read(0, length)
        elapsed = time.perf_counter() - start
        self._cached = length
        return elapsed

    def decode(self, depth: int, tokens: int) -> float:
        if self._cached < depth:
            self.prompt(depth)
        self._forget(depth)
        start = time.perf_counter()
        for position in range(depth, depth + tokens):
            self._read(position, position + 1)
        elapsed = time.perf_counter() - start
        self._cached = depth + tokens
        return elapsed

    def peak_memory_bytes(self) -> int:
        from rung.backends.cpu.peak_memory import peak_memory_bytes

        return peak_memory_bytes()

    @abstractmethod
    def _read(self, start: int, stop: int) -> None:
        """Runs the tokens of these positions, until the logits of the last are there."""

    @abstractmethod
    def _forget(self, start: int) -> None:
        """Drops positions from `start` on from the cache."""
