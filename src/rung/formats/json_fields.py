"""JSON files by field: what is missing, of the wrong type or out of range is named."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rung.errors import FormatError
from rung.formats.files import opened, read_most
from rung.formats.safetensors_file import parse_object

# Far above any configuration or index: parsed JSON takes about ten times its text in memory.
_MOST_BYTES = 16 << 20


def read_object(path: Path, expected: str) -> Fields:
    """The JSON object in the file at `path`; `expected` says what it should be.

    Raises FormatError for a file that is missing, too large, or no JSON object.
    """
    with opened(path, expected) as file:
        text = read_most(file, _MOST_BYTES + 1)
    if len(text) > _MOST_BYTES:
        raise FormatError(path, "size", f"over {_MOST_BYTES >> 20} MiB", expected)
    return Fields(path, parse_object(path, "content", text))


def shortened(value: object) -> str:
    """A value as an error message shows it, in at most 80 characters."""
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


class Fields:
    """The fields of a JSON object, fetched by type; null is the same as missing.

    A fetch without a default raises FormatError for a missing field, every fetch for a field of
    another type or out of range.
    """

    def __init__(self, path: Path, values: Mapping[str, Any], parent: str = "") -> None:
        self.path = path
        self.values = values
        self._parent = parent

    def __contains__(self, name: str) -> bool:
        return self.values.get(name) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self.values)

    def label(self, name: str) -> str:
        """The field's name in the whole file, such as rope_scaling.factor."""
        return f"{self._parent}.{name}" if self._parent else name

    def refuse(self, name: str, expected: str) -> FormatError:
        """The error that this field is not what is expected."""
        found = shortened(self.values[name]) if name in self.values else "missing"
        return FormatError(self.path, self.label(name), found, expected)

    def integer(self, name: str, *, least: int = 0, most: int, default: int | None = None) -> int:
        """A whole number from `least` to `most`."""
        expected = f"a whole number from {least} to {most:,}"
        value = self._value(name, default, expected)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise self.refuse(name, expected)
        return value

    def number(self, name: str, *, default: float | None = None) -> float:
        """A finite number."""
        expected = "a number"
        return self._finite(name, self._value(name, default, expected), expected)

    def optional_number(self, name: str) -> float | None:
        """A finite number, None where the field is missing."""
        return self.number(name) if name in self else None

    def flag(self, name: str, default: bool) -> bool:
        """true or false."""
        value = self._value(name, default, "true or false")
        if not isinstance(value, bool):
            raise self.refuse(name, "true or false")
        return value

    def text(self, name: str, default: str | None = None) -> str:
        """A string."""
        value = self._value(name, default, "a string")
        if not isinstance(value, str):
            raise self.refuse(name, "a string")
        return value

    def items(self, name: str, default: list[Any] | None = None) -> list[Any]:
        """A list."""
        value = self._value(name, default, "a list")
        if not isinstance(value, list):
            raise self.refuse(name, "a list")
        return value

    def numbers(self, name: str) -> tuple[float, ...]:
        """A list of finite numbers."""
        expected = "a list of numbers"
        return tuple(self._finite(name, value, expected) for value in self.items(name))

    def object(self, name: str) -> Fields:
        """An object; an empty one where the field is missing."""
        value = self._value(name, {}, "an object")
        if not isinstance(value, dict):
            raise self.refuse(name, "an object")
        return Fields(self.path, value, self.label(name))

    def _value(self, name: str, default: Any, expected: str) -> Any:
        value = self.values.get(name)
        if value is None:
            value = default
        if value is None:
            raise self.refuse(name, expected)
        return value

    def _finite(self, name: str, value: Any, expected: str) -> float:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        try:
            if is_number and math.isfinite(value):
                return float(value)
        except OverflowError:  # a whole number beyond every float
            pass
        raise self.refuse(name, expected)
