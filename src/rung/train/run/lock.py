"""One process at a time trains in a folder: another would remove what this one is writing."""

from __future__ import annotations

import os
from pathlib import Path

from rung.errors import UsageError


class Lock:
    """A folder's lock, which goes with the process, however that ends.

    Where the system has no such locks (Windows, some network file systems) it holds nothing.
    """

    def __init__(self) -> None:
        self._number: int | None = None

    def hold(self, folder: Path) -> None:
        """Takes the lock of a folder that is there. Raises UsageError where another has it."""
        try:
            import fcntl
        except ImportError:
            return
        number = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(number)
            raise UsageError(
                f"another process trains in {folder}; wait for its end, or give another --out"
            ) from None
        except OSError:
            os.close(number)
            return
        self._number = number

    def release(self) -> None:
        """Gives it back, if it is held."""
        if self._number is not None:
            os.close(self._number)
            self._number = None
