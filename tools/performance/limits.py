"""Decoding as a share of the memory's bandwidth."""

from __future__ import annotations

from collections.abc import Sequence

from performance.markdown import Section, percent, shown, speed, table
from performance.peers import peer_fraction
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

_TEXT = """\
A token of decoding reads all weights once, so the bytes of the weights times tok/s cannot pass what
the threads can read from memory, measured in the same run; only where the caches hold a part of the
weights can the share pass 100%. Another program has a bar where it reads the same file.
"""


def section(rows: Sequence[Row]) -> Section:
    """A picture and a table for each machine and number of threads."""
    lines, pictures = ["## Distance to the limit", "", *_TEXT.splitlines(), ""], []
    for found in grouped(_one_a_subject(rows), place).values():
        drawn = _picture(found)
        pictures.append(drawn)
        lines += [f"{place_name(place(found[0]))}:", "", *shown(drawn), *_table(found)]
    return Section(tuple(lines), tuple(pictures))


def _subject(row: Row) -> tuple[str, str, str]:
    return str(row["shape"]), weights(row), task(row)


def _one_a_subject(rows: Sequence[Row]) -> list[Row]:
    """Of decoding: the newest row of each subject, one with a comparable program if there is."""
    decoding = [row for row in rows if row["op"] == "decode"]
    chosen = []
    for found in grouped(decoding, lambda row: (place(row), _subject(row))).values():
        comparable = [row for row in found if reads_the_same_file(row)]
        chosen.append((comparable or found)[-1])
    return chosen


def _picture(rows: Sequence[Row]) -> Picture:
    series = ("Rung", *grouped([row for row in rows if reads_the_same_file(row)], program))
    panels = []
    for (shape, what), found in grouped(rows, lambda r: (str(r["shape"]), task(r))).items():
        panels.append(Panel(f"{shape}, {what}", tuple(_group(row, series) for row in found)))
    where = place(rows[0])
    return Picture(
        name=f"limit-{slug(*where)}.svg",
        alt=f"Decoding as a share of the memory's bandwidth, {place_name(where)}",
        title=f"Decoding, share of the memory's bandwidth: {place_name(where)}",
        axis="% of the bandwidth",
        series=series,
        panels=tuple(panels),
        columns=2,
        limit=100.0,
    )


def _group(row: Row, series: Sequence[str]) -> Group:
    shares = [(0, row["fraction_of_limit"])]
    theirs = peer_fraction(row)
    if theirs is not None:
        shares.append((series.index(program(row)), theirs))
    bars = (Bar(round(100 * share, 1), percent(share), number) for number, share in shares)
    return Group(weights(row), tuple(bars))


def _table(rows: Sequence[Row]) -> list[str]:
    head = ["shape", "weights", "task", "commit", "Rung tok/s", "GB/s read", "GB/s possible"]
    head += ["of the limit", "other program", "of the limit"]
    return table(head, (_cells(row) for row in rows), left=4)


def _cells(row: Row) -> tuple[str, ...]:
    theirs = peer_fraction(row)
    return (
        *_subject(row),
        row["commit"],
        speed(row["p50"]),
        f"{row['read_gb_s']:.1f}",
        f"{row['limit_gb_s']:.1f}",
        percent(row["fraction_of_limit"]),
        "" if theirs is None else row["peer"],
        "" if theirs is None else percent(theirs),
    )
