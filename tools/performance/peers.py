"""Rung beside another program: tok/s by turns, and the ratio."""

from __future__ import annotations

from collections.abc import Sequence

from performance.markdown import Section, listed, percent, shown, speed, table, times
from performance.pictures import Bar, Group, Panel, Picture
from performance.rows import (
    Row,
    grouped,
    place,
    place_name,
    program,
    reads_the_same_file,
    slug,
    task,
    weights,
)

_OTHER_WEIGHTS = """\
{name} multiplies weights of a type of its own, which the column "beside" names: that ours are
smaller is a part of the ratio."""


def sections(rows: Sequence[Row]) -> list[Section]:
    """One for each program, with a picture for each machine and number of threads."""
    beside = [row for row in rows if program(row)]
    return [_section(name, found) for name, found in grouped(beside, program).items()]


def summary(name: str, rows: Sequence[Row]) -> str:
    """How often Rung is faster in one place, and where it is not, row by row."""
    faster = [row for row in rows if row["ratio"] > 1]
    text = (
        f"{place_name(place(rows[0]))}: Rung is faster than {name} in {len(faster)} of "
        f"{len(rows)} measurements."
    )
    slower = [row for row in rows if row["ratio"] < 1]
    if slower:
        cases = [f"{_subject(row)} ({times(row['ratio'])})" for row in slower]
        text += f" **{name} is faster** with {listed(cases)}."
    return text


def picture(name: str, rows: Sequence[Row]) -> Picture:
    """Bars of tok/s in one place: a row of panels for each shape, a column for each task."""
    tasks = list(grouped(rows, task))
    by_panel = grouped(rows, lambda row: (str(row["shape"]), task(row)))
    panels = []
    for shape in grouped(rows, lambda row: str(row["shape"])):
        for what in tasks:
            found = by_panel.get((shape, what), [])
            if found:
                panels.append(Panel(f"{shape}, {what}", tuple(map(_group, found))))
    where = place(rows[0])
    return Picture(
        name=f"beside-{slug(name, *where)}.svg",
        alt=f"Rung beside {name} in tok/s, {place_name(where)}",
        title=f"Rung beside {name}: {place_name(where)}",
        axis="tok/s; × is Rung / " + name,
        series=("Rung", name),
        panels=tuple(panels),
        columns=len(tasks) if len(panels) == len(tasks) * len({r["shape"] for r in rows}) else 2,
    )


def _group(row: Row) -> Group:
    ours = Bar(row["p50"], f"{speed(row['p50'])}  {times(row['ratio'])}")
    return Group(weights(row), (ours, Bar(row["peer_p50"], speed(row["peer_p50"]), 1)))


def _subject(row: Row) -> str:
    return f"{row['shape']} {weights(row)}, {task(row)}"


def _section(name: str, rows: Sequence[Row]) -> Section:
    lines = [f"## Beside {name}", ""]
    pictures = []
    for found in grouped(rows, place).values():
        drawn = picture(name, found)
        pictures.append(drawn)
        lines += [summary(name, found), "", *shown(drawn), *_table(name, found)]
    if not all(map(reads_the_same_file, rows)):
        lines[2:2] = [_OTHER_WEIGHTS.format(name=name), ""]
    return Section(tuple(lines), tuple(pictures))


def _table(name: str, rows: Sequence[Row]) -> list[str]:
    head = ["shape", "weights", "task", "beside", "commit", "Rung tok/s", f"{name} tok/s", "ratio"]
    head += ["rounds ahead", "of the limit", f"{name}, of the limit"]
    return table(head, (_cells(row) for row in rows), left=5)


def _cells(row: Row) -> tuple[str, ...]:
    ahead = sum(mine > other for mine, other in row["rounds"])
    theirs = peer_fraction(row)
    ratio = f"{row['ratio']:.2f}"
    return (
        row["shape"],
        weights(row),
        task(row),
        row["peer"],
        row["commit"],
        speed(row["p50"]),
        speed(row["peer_p50"]),
        f"**{ratio}**" if row["ratio"] > 1 else ratio,
        f"{ahead} of {len(row['rounds'])}",
        percent(row["fraction_of_limit"]),
        "" if theirs is None else percent(theirs),
    )


def peer_fraction(row: Row) -> float | None:
    """The other program's share of the limit; None where its work is not the same."""
    if not reads_the_same_file(row):
        return None
    return float(row["fraction_of_limit"] * row["peer_p50"] / row["p50"])
