"""A side in a process of its own.

So its memory is its own, no thread pool of one program disturbs the other's, and a library that
aborts takes nobody with it. Between its turns the process waits for a message.
"""

from __future__ import annotations

import multiprocessing
import signal
import traceback
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

from rung.bench.models.sides.base import Opened, Setup, Side
from rung.errors import BackendError, RungError

_CLOSING_S = 10.0


class WorkerSide(Side):
    """A side of class `kind`, opened in a new process. Raises what opening it raises."""

    def __init__(self, kind: type[Side], setup: Setup, *, label: str) -> None:
        self._label = label
        context = multiprocessing.get_context("spawn")  # the same on every system, nothing shared
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, kind, setup), daemon=True)
        self._process.start()
        theirs.close()
        try:
            self.opened: Opened = self._answer()
        except BaseException:
            self.close()
            raise

    def prompt(self, length: int) -> float:
        return float(self._ask("prompt", length))

    def decode(self, depth: int, tokens: int) -> float:
        return float(self._ask("decode", depth, tokens))

    def peak_memory_bytes(self) -> int:
        return int(self._ask("peak_memory_bytes"))

    def close(self) -> None:
        with suppress(OSError):
            self._pipe.send(None)
        self._pipe.close()
        self._process.join(_CLOSING_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def _ask(self, method: str, *arguments: int) -> Any:
        try:
            self._pipe.send((method, arguments))
        except OSError:
            raise self._gone() from None
        return self._answer()

    def _answer(self) -> Any:
        try:
            answer = self._pipe.recv()
        except (EOFError, OSError):
            raise self._gone() from None
        if isinstance(answer, _Failure):
            raise answer.error
        return answer

    def _gone(self) -> BackendError:
        self._process.join(_CLOSING_S)
        code = self._process.exitcode
        reason = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
        return BackendError(f"{self._label} ended in the middle of its work ({reason})")


class _Failure:
    """An error on its way through the pipe."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


def _serve(pipe: Connection, kind: Any, setup: Setup) -> None:
    """Opens a side and answers (method, arguments) until None or the end of the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the program at the terminal
    side: Side | None = None
    try:
        side = kind(setup)
        pipe.send(side.opened)
        while (request := pipe.recv()) is not None:
            method, arguments = request
            pipe.send(getattr(side, method)(*arguments))
    except (EOFError, BrokenPipeError):
        return  # whoever asked is gone
    except RungError as error:
        pipe.send(_Failure(_plain(error)))
    except Exception:
        pipe.send(_Failure(RuntimeError(f"in the side's process:\n{traceback.format_exc()}")))
    finally:
        if side is not None:
            side.close()


def _plain(error: RungError) -> RungError:
    """The same message and exit code in a class that any process can make again."""
    plain = RungError(str(error))
    plain.exit_code = error.exit_code
    return plain
