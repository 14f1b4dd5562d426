"""Ctrl-C and SIGTERM as requests to a long run: it stops after a step, with what it has saved."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Self

from rung.errors import Terminated

# What a job scheduler and `docker stop` send; Windows sends SIGBREAK to a console that is closed.
_TERMINATION = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGBREAK") if hasattr(signal, name)
)
_SIGNALS = (signal.SIGINT, *_TERMINATION)


class StopRequests:
    """While open, signals only set `signal`, and Ctrl-C after another one ends the process.

    SIGTERM may come twice and is one request: who sends it ends by force what takes too long. A
    thread listens, for Python's own handlers wait until native code returns: a compiler's after
    seconds, that of a step after as long as it takes.

    on_first: called with the signal, in that thread. on_end: called before the process ends with
    128 + SIGINT, with nothing closed; neither may raise. To be opened in the main thread.
    """

    def __init__(self, *, on_first: Callable[[int], None], on_end: Callable[[], None]) -> None:
        self.signal: int | None = None
        self._on_first = on_first
        self._on_end = on_end

    def __enter__(self) -> Self:
        self._heard, self._sender = socket.socketpair()
        self._sender.setblocking(False)  # as signals' handlers need it
        self._previous_descriptor = signal.set_wakeup_fd(self._sender.fileno())
        self._previous = {number: signal.signal(number, _nothing) for number in _SIGNALS}
        self._thread = threading.Thread(target=self._listen, name="signals", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._previous_descriptor)
        self._sender.close()
        self._thread.join()
        self._heard.close()

    def _listen(self) -> None:
        while numbers := self._heard.recv(64):
            for number in numbers:
                if number not in _SIGNALS:  # somebody else's, with a handler of its own
                    continue
                if self.signal is None:
                    self.signal = number
                    self._on_first(number)
                elif number == signal.SIGINT:
                    self._on_end()
                    os._exit(128 + signal.SIGINT)


def _nothing(_number: int, _frame: FrameType | None) -> None:
    """The thread has heard it."""


@contextmanager
def terminable() -> Iterator[None]:
    """Raises Terminated at SIGTERM for the length of a `with` block, so that files are closed.

    The first process of a container would not even hear of it: the system's own way of ending a
    process at a signal does not hold for that one.
    """

    def handle(_number: int, _frame: FrameType | None) -> None:
        raise Terminated

    previous = {number: signal.signal(number, handle) for number in _TERMINATION}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
