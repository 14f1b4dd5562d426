"""Which part of a document is for validation; decided document by document, the same every time."""

from __future__ import annotations

import math

from rung.errors import UsageError

LONG = 1 << 16
"""A document of this many characters (of a text file: bytes) is split in itself."""


def cut_at(size: int, fraction: float) -> int:
    """How many of `size` parts lie before the last `fraction` of them, which is rounded up."""
    return size - math.ceil(size * fraction)


class Splitter:
    """Sets a fraction of all text apart for validation.

    Of a long document that is its end; shorter ones go as a whole, every 1/fraction-th of them. A
    document that is the only one is split in itself, however short.
    """

    def __init__(self, fraction: float, *, only: bool = False) -> None:
        """Raises UsageError for a fraction that is not from 0 up to, but not, 1."""
        if not 0 <= fraction < 1:
            raise UsageError(f"--val is {fraction}, expected from 0 to less than 1, such as 0.1")
        self.fraction = fraction
        self._only = only
        self._documents = 0

    def cut(self, size: int) -> int:
        """Where the next document, of `size` parts, is cut: what lies before is for training."""
        if size >= LONG or self._only:
            return cut_at(size, self.fraction)
        self._documents += 1
        before = math.floor((self._documents - 1) * self.fraction + 0.5)
        return 0 if math.floor(self._documents * self.fraction + 0.5) > before else size
