"""Rows of benchmarks/results: read, the newest of each kind, and what they are called."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

Row = dict[str, Any]
K = TypeVar("K", bound=Hashable)

# Their bytes are known: these programs read the file that Rung reads.
_SAME_FILE = ("llama.cpp", "llama2.c")
_NAMES = {"torch": "PyTorch"}
ALL_FEATURES = "default"
PLAIN = ("f32", "f16", "bf16")


class RowError(Exception):
    """A file of results that cannot be read."""


def read(path: Path) -> list[Row]:
    """The rows of a file of JSON lines, oldest first; none where there is no file.

    Raises RowError, which names the line.
    """
    if not path.exists():
        return []
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            row = json.loads(line)
        except ValueError as error:
            raise RowError(f"{path}, line {number}: {error}") from None
        if not isinstance(row, dict) or "op" not in row:
            raise RowError(f"{path}, line {number}: not a row of a benchmark")
        rows.append(row)
    return rows


def newest(rows: Iterable[Row]) -> list[Row]:
    """The last row of each kind, in the order in which the kinds first came."""
    last: dict[Hashable, Row] = {}
    for row in rows:
        last[_kind(row)] = row
    return list(last.values())


def _kind(row: Row) -> Hashable:
    """What two rows share when the later one replaces the earlier one."""
    names = ("machine", "threads", "op", "form", "dtype", "activations", "version", "backend")
    return (
        *(row.get(name) for name in names),
        _shape_key(row.get("shape")),
        features(row),
        cache_type(row),
        program(row),
        task(row),
        row.get("copies") == 1,
    )


def _shape_key(shape: Any) -> Hashable:
    return tuple(sorted(shape.items())) if isinstance(shape, dict) else shape


def program(row: Row) -> str:
    """The program beside which a row was measured, without its version; empty where there is none.

    "llama.cpp 0.3.36" is llama.cpp, "llama2.c runq" and "llama2.c run" are llama2.c.
    """
    first = str(row.get("peer") or "").partition(" ")[0]
    return _NAMES.get(first, first)


def reads_the_same_file(row: Row) -> bool:
    """Whether the other program reads the bytes that Rung reads."""
    return program(row) in _SAME_FILE


def features(row: Row) -> str:
    """What RUNG_CPU_FEATURES said, or ALL_FEATURES, which older rows leave out."""
    return str(row.get("features", ALL_FEATURES))


def cache_type(row: Row) -> str:
    """How keys and values were kept; older rows leave out what is the default."""
    return str(row.get("cache_type") or _default_cache_type(row))


def _default_cache_type(row: Row) -> str:
    return "f32" if row.get("dtype") == "f32" else "f16"


def task(row: Row) -> str:
    """Such as "prompt of 256", "decoding" or "decoding after 256"."""
    if row["op"] in ("prompt", "placing"):
        return f"prompt of {row['tokens']}"
    if row["op"] == "decode":
        return f"decoding after {row['depth']}" if row.get("depth") else "decoding"
    return ""


def weights(row: Row) -> str:
    """The weights' type; what is out of the ordinary beside it."""
    words = [str(row["dtype"])]
    usual = "float32" if set(row["dtype"].split("+")) <= set(PLAIN) else "int8"
    if row.get("activations", usual) != usual:
        words.append(f"{row['activations']} activations")
    if cache_type(row) != _default_cache_type(row):
        words.append(f"{cache_type(row)} cache")
    if row.get("version", "newest") != "newest":
        words.append(f"with {row['version']}")
    if row.get("backend", "cpu") != "cpu":
        words.append(f"on {row['backend']}")
    return ", ".join(words)


def place(row: Row) -> tuple[str, int]:
    """The machine and the number of threads: only rows of one place stand side by side."""
    return str(row.get("machine", "")), int(row.get("threads", 0))


def place_name(where: tuple[str, int]) -> str:
    """Such as "AMD EPYC, 2 threads"; a GPU's name alone."""
    machine, threads = where
    if threads == 0:
        return machine
    return f"{machine}, {threads} thread{'s' if threads != 1 else ''}"


def slug(*words: object) -> str:
    """A name for a file: small letters, digits, dots and hyphens."""
    text = " ".join(map(str, words)).lower()
    kept = (c if c.isascii() and (c.isalnum() or c == ".") else " " for c in text)
    return "-".join("".join(kept).split())


def grouped(rows: Sequence[Row], key: Callable[[Row], K]) -> dict[K, list[Row]]:
    """Rows by a key, keys and rows in the order in which they came."""
    groups: dict[K, list[Row]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return groups
