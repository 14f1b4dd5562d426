"""Ctrl-C as a request: looked at between steps of the model, never in the middle of one."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Self


class Interrupts:
    """While open, the first Ctrl-C only sets `requested`; the second raises KeyboardInterrupt.

    So the text that is complete can be kept, and the threads of a running step are not abandoned.
    """

    def __init__(self) -> None:
        self.requested = False
        self._previous: signal._HANDLER = None

    def __enter__(self) -> Self:
        self.requested = False
        self._previous = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._previous)

    def _handle(self, _signal: int, _frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
