"""Stopping: cut a stream of text at the first stop string, wherever the pieces begin and end."""

from __future__ import annotations

from collections.abc import Sequence

from rung.errors import UsageError


class StopText:
    """Passes text on until a stop string is complete; text that may begin one waits.

    The first match is the one that is complete first; of those complete at the same character, the
    longest. So the text passed on is the same however it was cut into pieces.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        """Raises UsageError for an empty stop string, which would match everywhere."""
        if "" in stops:
            raise UsageError("a stop string is empty; leave it out to stop nowhere")
        self._stops = tuple(stops)
        self._held = ""
        self.stopped = False

    def push(self, text: str) -> str:
        """The text that is now certain to precede any stop string; nothing once stopped."""
        if self.stopped:
            return ""
        text = self._held + text
        if (start := self._first_match(text)) is not None:
            self.stopped = True
            self._held = ""
            return text[:start]
        split = len(text) - self._beginning_length(text)
        self._held = text[split:]
        return text[:split]

    def flush(self) -> str:
        """The text still held back, at the end of the stream."""
        held, self._held = self._held, ""
        return held

    def _first_match(self, text: str) -> int | None:
        """Where the match that ends first starts."""
        matches = [
            (start + len(stop), start) for stop in self._stops if (start := text.find(stop)) >= 0
        ]
        return min(matches)[1] if matches else None

    def _beginning_length(self, text: str) -> int:
        """Length of the longest end of `text` with which a stop string begins."""
        longest = max((len(stop) - 1 for stop in self._stops), default=0)
        for length in range(min(longest, len(text)), 0, -1):
            if any(stop.startswith(text[-length:]) for stop in self._stops):
                return length
        return 0
