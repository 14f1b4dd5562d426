"""Generating text: the step that runs many sequences at once, and the loops around it.

A step is one batch: first the sequences that decode, one token each, then as much of the prompts
as `runner.max_tokens` leaves room for. Only the last token of a prompt asks for logits.
A sequence sees nothing of the others in its batch and has its own sampler, so its text is the one
it gets alone, as far as the runner computes a row alike whatever else is in the batch.

When the context is full the text ends, with finish_reason "context": positions are never shifted.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from rung.closing import Closing
from rung.engine.ahead import Lead
from rung.engine.batch import Batch, Runner
from rung.engine.sequence import Completion, FinishReason, Sequence, Usage
from rung.errors import UsageError
from rung.schedule.profile.runs import EngineStep, Profile


class Engine:
    """A runner, which of its slots are free, and the step that runs sequences in them."""

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self._free = sorted(range(runner.n_slots), reverse=True)
        self._closed = False
        # A runner works on one batch at a time; threads may each drive their own generation. The
        # thread that runs one may close the model, from a signal's handler or a finalizer.
        self._lock = threading.RLock()
        self._lead = Lead(runner)

    def acquire(self) -> int:
        """A slot of one's own until `release`. Raises UsageError where none is free."""
        self._refuse_closed()
        try:
            return self._free.pop()
        except IndexError:
            raise UsageError(
                f"all {self.runner.n_slots} slots of this model are in use; finish or close a "
                "generation or session first, or load the model with slots=N for N at once"
            ) from None

    def release(self, slot: int) -> None:
        """Gives a slot back."""
        self._free.append(slot)

    @contextmanager
    def borrowed_slot(self) -> Iterator[int]:
        """A slot for the length of a `with` block."""
        slot = self.acquire()
        try:
            yield slot
        finally:
            self.release(slot)

    @property
    def n_free(self) -> int:
        """Slots that are free."""
        return len(self._free)

    def forward(self, batch: Batch) -> NDArray[np.float32]:
        """Logits [R, V] of a batch."""
        with self._lock:
            self._refuse_closed()
            return self.runner.forward(batch).copy()

    def step(self, active: Mapping[int, Sequence]) -> dict[int, str]:
        """Runs one batch of the sequences, by slot; the text that each completed."""
        # Sampling belongs under the lock: the logits are valid until anyone's next batch.
        with self._lock:
            self._refuse_closed()
            if (texts := self._lead.step(active)) is not None:
                return texts
            parts = _share(active, self.runner.max_tokens)
            texts = dict.fromkeys(active, "")
            profile = self.runner.profile
            decoding = profile is not None and all(part.sequence.tokens for part in parts)
            start = time.perf_counter()
            logits_RV = self.runner.forward(_batch(parts))
            seconds = time.perf_counter() - start
            row = 0
            for part in parts:
                part.sequence.advance(len(part.tokens), seconds)
                if part.wants_logits:
                    texts[part.slot] = part.sequence.accept(logits_RV[row])
                    row += 1
            if profile is not None:
                profile.add_step(_step_record(parts, decoding, start, seconds))
        return texts

    @contextmanager
    def profiling(self, profile: Profile) -> Iterator[Profile]:
        """Collects what batches take, for the length of a `with` block.

        Raises UsageError where that is being done already.
        """
        with self._lock:
            if self.runner.profile is not None:
                raise UsageError("this model is being profiled already; one profile at a time")
            self.runner.profile = profile
        try:
            yield profile
        finally:
            with self._lock:
                self.runner.profile = None

    def close(self) -> None:
        """Refuses all further work, after the step that another thread may be at."""
        with self._lock:
            self._closed = True

    def _refuse_closed(self) -> None:
        if self._closed:
            raise UsageError("the model is closed; load it again to use it")


class _Part(NamedTuple):
    """What one sequence contributes to a batch."""

    slot: int
    sequence: Sequence
    tokens: list[int]
    wants_logits: bool


def _share(active: Mapping[int, Sequence], max_tokens: int) -> list[_Part]:
    """The sequences' pending tokens that fit one batch; those with the fewest go first."""
    parts = []
    room = max_tokens
    for slot, sequence in sorted(active.items(), key=lambda item: len(item[1].pending)):
        pending = sequence.pending
        tokens = pending[:room]
        if tokens:
            whole = len(tokens) == len(pending)
            parts.append(_Part(slot, sequence, tokens, whole and sequence.wants_logits))
            room -= len(tokens)
    return parts


def _step_record(
    parts: Iterable[_Part], decoding: bool, start_s: float, forward_s: float
) -> EngineStep:
    """A step that ends now, for a profile."""
    return EngineStep(
        phase="decode" if decoding else "prompt",
        tokens=sum(len(part.tokens) for part in parts),
        sampled=sum(part.wants_logits for part in parts),
        start_ns=round(start_s * 1e9),
        forward_end_ns=round((start_s + forward_s) * 1e9),
        end_ns=time.perf_counter_ns(),
    )


def _batch(parts: Iterable[_Part]) -> Batch:
    tokens: list[int] = []
    positions: list[int] = []
    slots: list[int] = []
    rows: list[int] = []
    for part in parts:
        start = part.sequence.n_cached
        tokens += part.tokens
        positions += range(start, start + len(part.tokens))
        slots += [part.slot] * len(part.tokens)
        if part.wants_logits:
            rows.append(len(tokens) - 1)
    arrays = (np.array(values, np.int32) for values in (tokens, positions, slots, rows))
    return Batch(*arrays)


class Lease:
    """Holds an acquired slot until `release`, or until the last reference to this is gone."""

    def __init__(self, engine: Engine, slot: int) -> None:
        self.slot = slot
        self._release = weakref.finalize(self, engine.release, slot)
        self._release.atexit = False

    def release(self) -> None:
        """Gives the slot back; a second call does nothing."""
        self._release()


class Generation(Closing):
    """A text in the making: iterate over it for its pieces, or `complete()` it.

    It holds one of the model's slots until the text ends, `close()`, or the last reference is gone.
    `text`, `tokens`, `usage` and `finish_reason` may be read at any time.

    >>> generation = model.generate("Once upon a time")
    >>> for piece in generation:
    ...     print(piece, end="", flush=True)
    >>> generation.usage.decode_tokens_per_s
    """

    def __init__(
        self, engine: Engine, sequence: Sequence, slot: int, *, lease: Lease | None = None
    ) -> None:
        """lease: who holds the slot for this text and others; None where it is this one's own."""
        self._engine = engine
        self._sequence = sequence
        self._slot = slot
        self._lease = lease or Lease(self._engine, slot)
        self._is_own = lease is None

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        """The next piece of text, never empty."""
        while not self.finished:
            if piece := self.step():
                return piece
        raise StopIteration

    def step(self) -> str:
        """Runs the model once, on a part of the prompt or on a token; the text that it completes.

        That is empty after a part of the prompt, after part of a character, where a stop string may
        begin, and once the text has ended.
        """
        if self.finished:
            return ""
        piece = self._engine.step({self._slot: self._sequence})[self._slot]
        if self.finished:
            self._give_back()
        return piece

    def complete(self) -> Completion:
        """Runs to the end of the text, and returns all of it."""
        while not self.finished:
            self.step()
        return self._sequence.completion()

    def close(self) -> None:
        """Ends the text here, as "interrupted" unless it has ended; what was held back joins it."""
        self._sequence.interrupt()
        self._give_back()

    @property
    def finished(self) -> bool:
        """Whether the text has ended."""
        return self._sequence.finish_reason is not None

    @property
    def finish_reason(self) -> FinishReason | None:
        """Why the text ended; None while it goes on."""
        return self._sequence.finish_reason

    @property
    def text(self) -> str:
        """The text so far."""
        return self._sequence.text

    @property
    def tokens(self) -> list[int]:
        """The ids generated so far, without the token that ended the text."""
        return self._sequence.tokens

    @property
    def usage(self) -> Usage:
        """Tokens and seconds so far."""
        return self._sequence.usage

    @property
    def seed(self) -> int:
        """The seed that gives this text again."""
        return self._sequence.seed

    def _give_back(self) -> None:
        if self._is_own:
            self._lease.release()


def generate_all(engine: Engine, sequences: Iterable[Sequence]) -> list[Completion]:
    """Runs all sequences to their ends over the free slots; results in the order given.

    A sequence waits until a slot is free, and begins while the others go on.
    Raises UsageError where no slot is free to begin with.
    """
    everything = list(sequences)
    waiting = deque(everything)
    active: dict[int, Sequence] = {}
    try:
        while waiting or active:
            while waiting and (engine.n_free or not active):
                active[engine.acquire()] = waiting.popleft()
            engine.step(active)
            for slot in [slot for slot in active if active[slot].finish_reason]:
                del active[slot]
                engine.release(slot)
    finally:
        for slot in active:
            engine.release(slot)
    return [sequence.completion() for sequence in everything]
