"""The ladder of linear: each version's speed-up over version 1, for each type of weights."""

from __future__ import annotations

from collections.abc import Sequence

from performance.markdown import Section, duration, percent, shown, table, times
from performance.pictures import Bar, Group, Panel, Picture
from performance.rows import Row, grouped, place, place_name, slug

_TEXT = """\
Each version's speed beside version 1 of its ladder, the triple loop, measured by turns in one run;
the axis is logarithmic. At the end of a bar: the speed-up, and the share of the machine's limit,
which is the longer of reading the bytes once and multiplying at the best rate of the activations'
type. Numbers are versions; [the table of kernels](kernels.md#linear) tells each one's idea. A star
is what runs by default.
"""
_SERIES = ("int8 activations", "float32 activations")


def section(rows: Sequence[Row]) -> Section:
    """A picture and a table for each place and shape, decoding first."""
    lines, pictures = ["## The ladder of linear", "", *_TEXT.splitlines(), ""], []
    ladders = [row for row in rows if row["op"] == "linear"]
    groups = grouped(ladders, lambda row: (place(row), sizes(row), row["backend"], source(row)))
    for found in sorted(groups.values(), key=lambda found: found[0]["shape"]["T"]):
        drawn = _picture(found)
        pictures.append(drawn)
        lines += [f"### {_title(found[0])}", "", *shown(drawn), *_table(found)]
    return Section(tuple(lines), tuple(pictures))


def sizes(row: Row) -> str:
    """Such as T=1 K=2048 N=512."""
    return " ".join(f"{letter}={size}" for letter, size in row["shape"].items())


def source(row: Row) -> str:
    """Where the weights are read: one copy of them stays in a cache."""
    return "cache" if row["copies"] == 1 else "memory"


def _title(row: Row) -> str:
    T = row["shape"]["T"]
    what = "Decoding" if T == 1 else f"A prompt of {T}"
    where = place_name(place(row)) + ("" if row["backend"] == "cpu" else f", {row['backend']}")
    return f"{what}: {sizes(row)}, weights from the {source(row)}; {where}"


def _is_float32(row: Row) -> bool:
    return str(row["activations"]).startswith("f")


def _over_1(row: Row) -> float | None:
    """The speed-up over version 1 as measured by turns; None where version 1 was not timed."""
    value = row["speedup_over_1"]
    return None if value is None else float(value)


def _picture(rows: Sequence[Row]) -> Picture:
    panels = []
    for kind, found in grouped(rows, lambda row: str(row["dtype"])).items():
        panels.append(Panel(kind, tuple(map(_group, sorted(found, key=_rank)))))
    first = rows[0]
    name = slug("ladder", sizes(first), source(first), *place(first), *{first["backend"]} - {"cpu"})
    return Picture(
        name=f"{name}.svg",
        alt=f"Speed-up of each version over version 1. {_title(first)}",
        title=_title(first),
        axis="× version 1",
        series=_SERIES,
        panels=tuple(panels),
        columns=2,
        logarithmic=True,
    )


def _rank(row: Row) -> tuple[bool, str, int]:
    return not _is_float32(row), str(row["form"]), int(row["version"])


def _group(row: Row) -> Group:
    over = _over_1(row)
    speedup = "version 1 not timed" if over is None else times(over)
    share = percent(row["fraction_of_limit"])
    label = f"{row['form']} {row['version']}" + (" *" if row["selected"] else "")
    bar = Bar(over, f"{speedup}, {share}", 1 if _is_float32(row) else 0)
    return Group(label, (bar,))


def _table(rows: Sequence[Row]) -> list[str]:
    head = ["weights", "activations", "version", "commit", "p50", "GB/s", "GFLOP/s", "limited by"]
    head += ["of the limit", "over 1", "samples"]
    ordered = (row for found in grouped(rows, lambda r: r["dtype"]).values() for row in found)
    return table(head, map(_cells, ordered), left=4)


def _cells(row: Row) -> tuple[str, ...]:
    over = _over_1(row)
    return (
        row["dtype"],
        row["activations"],
        f"{row['form']} {row['version']}" + (" \\*" if row["selected"] else ""),
        row["commit"],
        duration(row["p50_s"]),
        f"{row['gb_per_s']:.1f}",
        f"{row['gflop_per_s']:.1f}",
        row["limited_by"],
        percent(row["fraction_of_limit"]),
        "" if over is None else times(over),
        str(row["samples"]),
    )
