"""Config as JSON and back: every field by its name, every value checked against its annotation."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import MISSING, asdict, fields, is_dataclass
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from rung.errors import FormatError
from rung.formats.json_fields import read_object
from rung.formats.safetensors_file import parse_object
from rung.formats.sizes import MOST
from rung.models.config import Config

_MOST_ELSEWHERE = 1 << 28
_POSITIVE = ("base", "factor", "factors", "vocab_size", "context_length")


def config_to_json(config: Config) -> str:
    """All fields of a Config as one JSON object."""
    return json.dumps(asdict(config), separators=(",", ":"))


def config_from_json(path: Path, text: str) -> Config:
    """The Config in `text`. Raises FormatError, naming the file, for a field that cannot be."""
    values = parse_object(path, "config", text)
    config: Config = _built(path, "config", Config, values)
    return config


def read_config(path: Path) -> Config:
    """The Config in a JSON file. Raises FormatError as `config_from_json`, and for no such file."""
    config: Config = _built(path, "config", Config, read_object(path, "a Config as JSON").values)
    return config


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _built(path: Path, place: str, kind: Any, values: Mapping[str, Any]) -> Any:
    """An instance of a dataclass from its fields."""
    hints = _hints(kind)
    if unknown := sorted(values.keys() - hints.keys()):
        expected = "a field that this version of Rung knows"
        raise FormatError(path, f"{place}.{unknown[0][:40]}", "unknown", expected)
    for field in fields(kind):
        if field.name not in values and field.default is MISSING:
            raise FormatError(path, f"{place}.{field.name}", "missing", str(hints[field.name]))
    checked = {
        name: _checked(path, f"{place}.{name}", hints[name], value)
        for name, value in values.items()
    }
    try:
        return kind(**checked)
    except ValueError as error:
        raise FormatError(path, place, f"impossible ({error})", "sizes that fit") from None


def _checked(path: Path, place: str, hint: Any, value: Any) -> Any:
    """`value` as `hint` wants it. Raises FormatError where it is something else."""
    field = place.rpartition(".")[2].partition("[")[0]
    if get_origin(hint) is UnionType:
        if value is None and NoneType in get_args(hint):
            return None
        hint = next(part for part in get_args(hint) if part is not NoneType)
    if is_dataclass(hint) and isinstance(value, dict):
        return _built(path, place, hint, value)
    if get_origin(hint) is tuple and isinstance(value, list):
        element = get_args(hint)[0]
        return tuple(_checked(path, f"{place}[{i}]", element, v) for i, v in enumerate(value))
    if get_origin(hint) is Literal and value in get_args(hint):
        return value
    if hint is float and type(value) is int and abs(value) <= _MOST_ELSEWHERE:
        value = float(value)
    if type(value) is hint and hint in (bool, str, int, float) and _in_range(field, value):
        return value
    raise FormatError(path, place, repr(value)[:80], _expected(field, hint))


def _in_range(field: str, value: Any) -> bool:
    """Whether a number is one that a model can have; what is no number always is."""
    if type(value) is float:
        return math.isfinite(value) and (value > 0 or field not in _POSITIVE)
    if type(value) is int:
        return (field in _POSITIVE) <= value <= MOST.get(field, _MOST_ELSEWHERE)
    return True


def _expected(field: str, hint: Any) -> str:
    if hint is int:
        least = int(field in _POSITIVE)
        return f"a whole number from {least} to {MOST.get(field, _MOST_ELSEWHERE):,}"
    if hint is float:
        return "a number above 0" if field in _POSITIVE else "a number"
    if get_origin(hint) is Literal:
        return " or ".join(map(repr, get_args(hint)))
    return str(getattr(hint, "__name__", hint))
