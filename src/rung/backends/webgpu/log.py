"""What wgpu only logs: kept from the user's screen, and the errors among it for `Gpu.check`."""

from __future__ import annotations

import logging
import re
from functools import cache

# wgpu-py's own message; the driver's follows on the next line.
_LOST = re.compile(r"device was lost \((?P<reason>\w+)\):\s*(?P<message>.*)", re.DOTALL)


class Log(logging.Handler):
    """losses: why devices were lost, in order; one that was given back is none.

    errors: what a call did wrong that told nobody.
    """

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.losses: list[str] = []
        self.errors: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps the errors of wgpu-py; those of drivers and loaders are not about our calls."""
        message = record.getMessage()
        if found := _LOST.search(message):
            if found["reason"].lower() != "destroyed":
                first_line = found["message"].strip().partition("\n")[0]
                self.losses.append(first_line or found["reason"])
        elif record.funcName == "log_error":
            self.errors.append(message.strip().partition("\n")[0])


@cache
def log() -> Log:
    """Takes wgpu's log over, once."""
    found = Log()
    logger = logging.getLogger("wgpu")
    logger.addHandler(found)
    logger.propagate = False
    return found
