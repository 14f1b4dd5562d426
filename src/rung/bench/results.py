"""Files of results: a row of JSON for each measurement, with where it is from."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from rung import __version__
from rung.backends.base import Origin
from rung.backends.cpu.backend import host_origin


def origin(place: Origin | None = None) -> dict[str, Any]:
    """Where a row is from: the processor, what may be used of it, and the source that ran.

    place: None is this processor.
    """
    here = host_origin() if place is None else place
    return {
        "machine": here.machine,
        "features": here.features,
        "instructions": list(here.instructions),
        "rung": __version__,
        "commit": commit(),
    }


def as_line(row: Mapping[str, Any]) -> str:
    """A row as a line of JSON."""
    return json.dumps(row, ensure_ascii=False) + "\n"


def append_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Adds rows to a file of JSON lines, which is made where it is missing."""
    with path.open("a", encoding="utf-8", newline="\n") as file:
        file.writelines(map(as_line, rows))


@cache
def commit() -> str:
    """The commit of the source that runs, with "+" where the package differs from it; else empty.

    Other files may differ: rows that are appended to benchmarks/results change no speed.
    """
    name = _git("describe", "--always", "--abbrev=12", "--exclude=*")
    return name + "+" if name and _git("status", "--porcelain", "--", ".") else name


def _git(*words: str) -> str:
    """What git prints in the folder of the package; nothing where it cannot tell."""
    folder = Path(__file__).resolve().parents[1]
    try:
        done = subprocess.run(
            ["git", *words], cwd=folder, capture_output=True, text=True, check=False
        )
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
