"""Session: a slot that remembers what it read, so that a longer prompt costs only its new end."""

from __future__ import annotations

from typing import Unpack

from rung.closing import Closing
from rung.engine.generate import Engine, Generation, Lease
from rung.engine.options import GenerateOptions, Prompt, Prompts
from rung.engine.sequence import Sequence


class Session(Closing):
    """Generates again and again in one slot, reading only what the prompt does not share.

    Every prompt is the whole text so far. Where it begins as the ids in the cache do (the last
    prompt and the tokens generated after it), those are not read again.

    A session has room for one generation: a new one closes the last.
    """

    def __init__(self, engine: Engine, prompts: Prompts) -> None:
        """Takes a slot until `close`, or until neither this nor a text of it is referred to.

        Raises UsageError where none is free.
        """
        self._engine = engine
        self._prompts = prompts
        self._lease: Lease | None = Lease(engine, engine.acquire())
        self._last: tuple[Sequence, Generation] | None = None

    @property
    def cached_ids(self) -> list[int]:
        """The ids in the cache, from the first position on."""
        if self._last is None:
            return []
        sequence, _ = self._last
        return sequence.ids[: sequence.n_cached]

    def generate(self, prompt: Prompt, **options: Unpack[GenerateOptions]) -> Generation:
        """As `Model.generate`, with `usage.cached_tokens` tokens of the prompt not read again."""
        if self._lease is None:
            self._lease = Lease(self._engine, self._engine.acquire())
        if self._last is not None:
            self._last[1].close()
        request = self._prompts.request(prompt, **options)
        # The last token is read again in any case: its logits give the next one.
        n_cached = min(_common_prefix(self.cached_ids, request.prompt), len(request.prompt) - 1)
        sequence = self._prompts.sequence(request, n_cached=n_cached)
        generation = Generation(self._engine, sequence, self._lease.slot, lease=self._lease)
        self._last = (sequence, generation)
        return generation

    def close(self) -> None:
        """Ends what is running, forgets the cache and gives the slot back."""
        if self._last is not None:
            self._last[1].close()
            self._last = None
        if self._lease is not None:
            self._lease.release()
            self._lease = None


def _common_prefix(a: list[int], b: tuple[int, ...]) -> int:
    """How many ids two lists share at their beginnings."""
    return next(
        (i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b))
    )
