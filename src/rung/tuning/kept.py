"""What is measured once and kept: a JSON file in the cache folder, one entry for each machine.

A file that cannot be read as that, or is of another version, counts as empty, and is replaced when
something is measured.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from rung.errors import BackendError

Entry = TypeVar("Entry")


def read_entries(
    path: Path, version: int, entry: Callable[[Mapping[str, Any]], Entry]
) -> dict[str, Entry]:
    """Every machine's entry; `entry` makes one from JSON values, and raises where it cannot."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["version"] != version:
            return {}
        return {str(name): entry(values) for name, values in content["machines"].items()}
    except (
        OSError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        ArithmeticError,
        RecursionError,
    ):
        return {}


def write_entries(path: Path, version: int, machines: Mapping[str, Any], what: str) -> None:
    """Writes beside the file and renames. Raises BackendError where that is impossible.

    machines: JSON values by machine. what: is kept, for the message.
    """
    part = path.with_suffix(f".{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        content = {"version": version, "machines": machines}
        part.write_text(json.dumps(content, indent=1), encoding="utf-8")
        os.replace(part, path)
    except OSError as error:
        with suppress(OSError):
            part.unlink()
        raise BackendError(
            f"cannot keep {what} in {path} ({error.strerror}); "
            "set RUNG_CACHE to a folder that can be written"
        ) from None
