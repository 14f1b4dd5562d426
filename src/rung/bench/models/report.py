"""How results look: cells for tables, Markdown for pages, CSV and JSON for programs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rung.backends.base import ALL_FEATURES
from rung.bench.models.rows import Row

if TYPE_CHECKING:
    from rung.bench.models.run import Report

Cell = Callable[[Row], str]


def _task(row: Row) -> str:
    after = f" after {row['depth']}" if row["depth"] else ""
    return f"{row['op']} {row['tokens']}{after}"


def _speed(mean: str, deviation: str) -> Cell:
    return lambda row: f"{row[mean]:,.1f} ± {row[deviation]:,.1f}"


def _share(row: Row, limit: str, form: str) -> str:
    return f"{row['fraction_of_limit']:.0%} of {row[limit]:{form}}"


_COLUMNS: tuple[tuple[str, str, Cell], ...] = (
    # heading, the key that a row must have, its text
    ("", "op", _task),
    ("tok/s", "mean", _speed("mean", "deviation")),
    ("GB/s", "read_gb_s", lambda row: f"{row['read_gb_s']:.1f}"),
    ("of bandwidth", "limit_gb_s", lambda row: _share(row, "limit_gb_s", ".1f")),
    ("GFLOP/s", "gflop_s", lambda row: f"{row['gflop_s']:,.0f}"),
    ("of arithmetic", "limit_gflop_s", lambda row: _share(row, "limit_gflop_s", ",.0f")),
    ("J/token", "joules_per_token", lambda row: f"{row['joules_per_token']:.2f}"),
    ("beside", "peer", lambda row: str(row["peer"])),
    ("its tok/s", "peer_mean", _speed("peer_mean", "peer_deviation")),
    ("ratio", "ratio", lambda row: f"{row['ratio']:.2f}"),
)


def cells(rows: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """Headings and texts of the columns that any row has something for."""
    used = [c for c in _COLUMNS if any(row.get(c[1]) is not None for row in rows)]
    texts = [[text(r) if r.get(key) is not None else "" for _, key, text in used] for r in rows]
    return [heading for heading, _, _ in used], texts


def render(report: Report, form: str) -> str:
    """The report as "markdown", "csv" or "json"; the last two have all that rows hold."""
    if form == "json":
        return json.dumps(report.rows, indent=2)
    if form == "csv":
        return _csv(report.rows)
    return "\n".join([_markdown(report.rows), "", *(f"- {line}" for line in facts(report))])


def facts(report: Report) -> list[str]:
    """What holds for all rows, a line each."""
    first = report.rows[0]
    lines = [
        f"{first['shape']} {first['dtype']}, {first['activations']} activations, "
        f"{first['cache_type']} cache, {first['threads']} threads, {_machine(first)}, "
        f"rung {_source(first)}"
    ]
    lines.append(_memory("rung", first, ""))
    told = set()
    for row in report.rows:
        if "peer" in row and row["peer"] not in told:
            told.add(row["peer"])
            lines.append(_memory(row["peer"], row, "peer_"))
    if first["first_token_s"] is not None:
        lines.append(
            f"first token: {first['first_token_s']:.2f} s from the start of loading, "
            f"after a prompt of {first['first_token_after']}"
        )
    if not report.energy_available:
        lines.append("energy: not available on this system")
    return lines


def _machine(row: Row) -> str:
    limited = "" if row["features"] == ALL_FEATURES else f" with {row['features']}"
    return f"{row['machine']}{limited}"


def _source(row: Row) -> str:
    return f"{row['rung']} (commit {row['commit']})" if row["commit"] else str(row["rung"])


def _memory(name: str, row: Row, prefix: str) -> str:
    load_s = row[f"{prefix}load_s"]
    loaded = "weights made by itself" if load_s is None else f"loaded in {load_s:.2f} s"
    return f"{name}: {loaded}, peak memory {row[f'{prefix}peak_memory_bytes'] / 2**20:,.0f} MiB"


def _csv(rows: Sequence[Row]) -> str:
    keys = list(dict.fromkeys(key for row in rows for key in row if key != "rounds"))
    text = io.StringIO()
    writer = csv.DictWriter(text, keys, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().rstrip("\n")


def _markdown(rows: Sequence[Row]) -> str:
    headings, texts = cells(rows)
    ruler = ["---", *("---:" for _ in headings[1:])]
    return "\n".join("| " + " | ".join(line) + " |" for line in (headings, ruler, *texts))
