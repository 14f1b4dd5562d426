"""The exceptions a user can meet: each message is one line saying what, where and what to do."""

from __future__ import annotations


class RungError(Exception):
    """Base of every error that is the user's to mend; the CLI prints it without a traceback."""

    exit_code = 1


class UsageError(RungError):
    """A wrong flag, value or combination of them."""

    exit_code = 2


class FormatError(RungError):
    """A model or tokenizer file that cannot be what it claims to be."""

    def __init__(self, path: object, field: str, found: object, expected: object) -> None:
        """Names the file, the field, what was found there and what was expected."""
        super().__init__(f"{path}: {field} is {found}, expected {expected}")


class TokenizerError(RungError):
    """A tokenizer that is missing or does not fit its model."""


class DataError(RungError):
    """Training data that is too small, or does not fit the model or the tokenizer."""


class ContextError(RungError):
    """A prompt that does not fit the model's context."""


class BackendError(RungError):
    """A backend that is not available or ran out of something (memory, threads, cache folder)."""


class MemoryLimitError(BackendError):
    """A backend's memory that does not suffice for what a model needs."""


class KernelError(RungError):
    """No kernel accepts these shapes and types, or a pin names one that does not exist."""


class GraphError(Exception):
    """A graph that `verify` refuses: a defect in Rung, so it keeps its traceback."""


class Terminated(KeyboardInterrupt):
    """The process was asked to end by SIGTERM."""
