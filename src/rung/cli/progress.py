"""Saying on stderr what a long command is doing: a moving line on a terminal, nothing elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def doing() -> Iterator[Callable[[str], None]]:
    """A function to call with what is done next, for the length of a `with` block."""
    if not sys.stderr.isatty():
        yield lambda what: None
        return
    from rich.console import Console

    with Console(stderr=True).status("") as status:
        yield lambda what: status.update(what)
