"""Lead: one sequence whose next tokens a device computes before they are asked for."""

from __future__ import annotations

import time
import weakref
from collections.abc import Iterator, Mapping

from rung.engine.batch import Runner
from rung.engine.sequence import Sequence

# Steps of which the uniform numbers are drawn at once. A new start costs what one step waits.
_STEPS = 1024
# A token that the device declines costs the two that ran on in vain, and a start: where more than
# one in so many is declined, beyond the first few, the host takes all steps.
_TOLERATED = 4
_FREE = 4


class Lead:
    """Takes steps of a sequence that decodes alone, on a runner that can run ahead.

    What the device computed in vain, since the text has ended or another sequence comes, is thrown
    away: it lies at positions of the sequence's own slot that are written again before they are
    read.
    """

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._last: weakref.ref[Sequence] | None = None
        self._ids: Iterator[int] | None = None
        self._since = 0.0
        self._taken = 0
        self._declined = 0

    def step(self, active: Mapping[int, Sequence]) -> dict[int, str] | None:
        """The text that a step completes, by slot; None where it has to be a step of its own."""
        if not self._runner.runs_ahead:
            return None
        if len(active) != 1:
            self._last = None
            return None
        ((slot, sequence),) = active.items()
        # Sequences that take turns would throw away more than they gain.
        is_alone = self._last is not None and self._last() is sequence
        if not is_alone:
            self._last = weakref.ref(sequence)
            self._ids = None
            self._taken = self._declined = 0
        if not is_alone or len(sequence.pending) != 1 or not sequence.wants_logits:
            return None
        try:
            return self._step(slot, sequence)
        except BaseException:
            # Ctrl-C, too: ids that were on their way are lost, and the sequence does not know.
            self._ids = None
            raise

    def _step(self, slot: int, sequence: Sequence) -> dict[int, str] | None:
        token = self._next(slot, sequence)
        if token is None or token < 0:
            # Too many candidates, or logits that are not finite: the step on the host sees to it.
            self._ids = None
            self._declined += token is not None
            return None
        self._taken += 1
        now = time.perf_counter()
        sequence.advance(1, now - self._since)
        self._since = now
        text = sequence.accept_id(token)
        if sequence.finish_reason is not None:
            self._last = self._ids = None
        return {slot: text}

    def _next(self, slot: int, sequence: Sequence) -> int | None:
        token = None if self._ids is None else next(self._ids, None)
        if token is None:
            if _TOLERATED * (self._declined - _FREE) > self._taken:
                return None
            self._since = time.perf_counter()
            steps = min(sequence.most_left, _STEPS)
            choice = sequence.choice(steps)
            if choice is None:
                return None
            self._ids = self._runner.ahead(
                sequence.pending[0],
                position=sequence.n_cached,
                slot=slot,
                choice=choice,
                steps=steps,
            )
            token = None if self._ids is None else next(self._ids, None)
        return token
