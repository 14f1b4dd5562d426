"""Lists of numbers on the command line, as "1,2,4"."""

from __future__ import annotations

from rung.errors import UsageError


def numbers(text: str | None, option: str, *, most: int = 1 << 20) -> tuple[int, ...]:
    """The numbers of a list, each once; none for None. Raises UsageError for anything else."""
    if text is None:
        return ()
    found: dict[int, None] = {}
    for word in text.replace(" ", "").split(","):
        if not (word.isascii() and word.isdecimal() and 0 < int(word[:12]) <= most):
            raise UsageError(f"{option} is {text!r}, expected numbers from 1 to {most}, as 1,2,4")
        found[int(word)] = None
    return tuple(found)
