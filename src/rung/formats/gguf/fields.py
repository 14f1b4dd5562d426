"""Typed access to GGUF metadata: each value has the type and range it should, or is one error."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rung.errors import FormatError

_MAX_INTEGER = (1 << 31) - 1
_SHOWN = 80  # characters of a wrong value in an error


class Fields:
    """The metadata of one architecture: "block_count" is llama.block_count for "llama".

    Every method raises FormatError for a value of another type or out of range, and where no
    default is given, for a missing one.
    """

    def __init__(self, path: Path, metadata: Mapping[str, Any], architecture: str) -> None:
        self.path = path
        self.metadata = metadata
        self.architecture = architecture

    def has(self, name: str) -> bool:
        """Whether there is such a key."""
        return self._key(name) in self.metadata

    def integer(self, name: str, default: int | None = None, *, least: int = 1) -> int:
        """A whole number from `least` to 2³¹ − 1; a list of one for each layer must be even."""
        value = self._value(name, default)
        if isinstance(value, np.ndarray) and value.dtype.kind in "ui" and value.size:
            if (value != value[0]).any():
                expected = "the same for all layers, others are not supported"
                raise FormatError(self.path, self._key(name), "different by layer", expected)
            value = int(value[0])
        if type(value) is not int or not least <= value <= _MAX_INTEGER:
            raise self._wrong(name, value, f"a whole number from {least} to {_MAX_INTEGER:,}")
        return value

    def number(self, name: str, default: float | None = None) -> float:
        """A finite number above 0."""
        value = self._value(name, default)
        if type(value) not in (int, float) or not (math.isfinite(value) and value > 0):
            raise self._wrong(name, value, "a finite number above 0")
        return float(value)

    def optional_number(self, name: str, default: float | None = None) -> float | None:
        """A finite number above 0; None where it is 0, for "off", and `default` where missing."""
        value = self.metadata.get(self._key(name))
        if value is None:
            return default
        # An array compares element by element, and is refused by `number`.
        return None if type(value) in (int, float) and value == 0 else self.number(name)

    def text(self, name: str, default: str) -> str:
        """A text."""
        value = self._value(name, default)
        if not isinstance(value, str):
            raise self._wrong(name, value, "text")
        return value

    def token(self, name: str) -> int | None:
        """The id of a special token, or None where the file names none."""
        key = f"tokenizer.ggml.{name}_token_id"
        value = self.metadata.get(key)
        if value is None:
            return None
        if type(value) is not int:
            raise FormatError(self.path, key, repr(value)[:_SHOWN], "the id of a token")
        # Some converters write −1, as uint32 too, for a token that the model does not have.
        return value if 0 <= value <= _MAX_INTEGER else None

    def _key(self, name: str) -> str:
        return f"{self.architecture}.{name}"

    def _value(self, name: str, default: object) -> Any:
        value = self.metadata.get(self._key(name), default)
        if value is None:
            raise FormatError(self.path, self._key(name), "missing", "in the metadata")
        return value

    def _wrong(self, name: str, value: object, expected: str) -> FormatError:
        return FormatError(self.path, self._key(name), repr(value)[:_SHOWN], expected)
