"""What a user meets when something goes wrong: one line on stderr and an exit code."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any, NoReturn

import typer

from rung.errors import RungError, Terminated

# A wrong option or argument, as typer finds it. Which package this class is from depends on typer's
# version, so it is taken from a class that typer exports.
_TyperError: type[Exception] = next(
    kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException"
)
INTERRUPTED = 130  # as a shell reports SIGINT: 128 + 2
TERMINATED = 143  # as a shell reports SIGTERM: 128 + 15
BROKEN_PIPE = 141  # as a shell reports SIGPIPE: 128 + 13


@contextlib.contextmanager
def exit_codes() -> Iterator[None]:
    """Turns a user's mistake, Ctrl-C and a machine's limits into a line and an exit code.

    Anything else is a defect in Rung, and keeps its traceback.
    """
    try:
        yield
        sys.stdout.flush()  # here, where an error can still be told
    except RungError as error:
        _fail(str(error), error.exit_code)
    except _TyperError as error:
        _explain(error)
    except Terminated:
        _exit(TERMINATED)
    except KeyboardInterrupt:
        _exit(INTERRUPTED)
    except BrokenPipeError:
        _exit(BROKEN_PIPE)  # the reader has what it wanted, as in `rung generate | head -1`
    except MemoryError as error:
        _fail(
            f"out of memory{f' ({error})' if str(error) else ''}; "
            "a smaller model, a shorter --context or fewer slots need less",
            1,
        )
    except OSError as error:
        _fail(_describe(error), 1)


def _explain(error: Any) -> NoReturn:
    """One line about a wrong option or argument, and where to read on."""
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
        _exit(error.exit_code)
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "rung"
    _fail(f"{error.format_message().rstrip('.')}; see {path} --help", error.exit_code)


def _describe(error: OSError) -> str:
    reason = error.strerror or str(error)
    return f"{error.filename}: {reason}" if error.filename is not None else reason


def _fail(message: str, exit_code: int) -> NoReturn:
    with contextlib.suppress(OSError):  # stderr may be gone as well
        sys.stdout.flush()
    with contextlib.suppress(OSError):
        one_line = " ".join(message.split())
        print(f"rung: error: {one_line}", file=sys.stderr, flush=True)
    _exit(exit_code)


def _exit(exit_code: int) -> NoReturn:
    """Exits without a second complaint about output that cannot be written."""
    try:
        sys.stdout.flush()
    except OSError:
        _discard_stdout()
    raise SystemExit(exit_code)


def _discard_stdout() -> None:
    """Sends what is still buffered nowhere, for Python flushes it once more when it exits."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
