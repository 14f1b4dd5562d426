"""Rung with some of the processor's features switched off, beside itself with all of them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence

from performance.ladder import sizes, source
from performance.markdown import Section, duration, percent, speed, table
from performance.rows import (
    ALL_FEATURES,
    Row,
    features,
    grouped,
    place,
    place_name,
    task,
    weights,
)

_TEXT = """\
`RUNG_CPU_FEATURES` tells kernels to do without some of the processor's instructions: so fast is
Rung where a processor lacks them, as far as the rest of it is alike.
"""


def section(models: Sequence[Row], kernels: Sequence[Row]) -> Section:
    """Tables for each machine and number of threads; nothing where nothing was switched off."""
    found = [*_model_tables(models), *_kernel_tables(kernels)]
    if not found:
        return Section(())
    head = ["## With features switched off", "", *_TEXT.splitlines(), ""]
    return Section((*head, *found))


def _model_tables(rows: Sequence[Row]) -> Iterator[str]:
    head = ["shape", "weights", "task", "features", "commit", "tok/s", "with all", "of it"]
    for where, found in _limited(rows, _model).items():
        yield from (f"{place_name(where)}, models:", "")
        yield from table(head, [_model_cells(*pair) for pair in found], left=5)


def _kernel_tables(rows: Sequence[Row]) -> Iterator[str]:
    head = ["sizes", "weights", "activations", "features", "commit", "version", "p50"]
    head += ["with all", "p50"]
    taken = [row for row in rows if row["selected"]]
    for where, found in _limited(taken, _kernel).items():
        yield from (f"{place_name(where)}, the versions of products that run by default:", "")
        yield from table(head, [_kernel_cells(*pair) for pair in found], left=5)


def _limited(
    rows: Sequence[Row], subject: Callable[[Row], Hashable]
) -> dict[tuple[str, int], list[tuple[Row, Row | None]]]:
    """The newest rows without some features, by place, each with the newest that had all."""
    everything = {(place(row), subject(row)): row for row in rows if features(row) == ALL_FEATURES}
    last = {
        (place(row), subject(row), features(row)): row
        for row in rows
        if features(row) != ALL_FEATURES
    }
    return {
        where: [(row, everything.get((where, subject(row)))) for row in found]
        for where, found in grouped(list(last.values()), place).items()
    }


def _model(row: Row) -> Hashable:
    return str(row["shape"]), weights(row), task(row)


def _kernel(row: Row) -> Hashable:
    return row["op"], sizes(row), source(row), row["dtype"], row["activations"], row["backend"]


def _model_cells(row: Row, full: Row | None) -> list[str]:
    cells = [str(row["shape"]), weights(row), task(row), features(row), row["commit"]]
    cells.append(speed(row["p50"]))
    return cells + (["", ""] if full is None else [speed(full["p50"]), _share(row, full)])


def _share(row: Row, full: Row) -> str:
    return percent(row["p50"] / full["p50"])


def _kernel_cells(row: Row, full: Row | None) -> list[str]:
    cells = [f"{sizes(row)}, {source(row)}", row["dtype"], row["activations"], features(row)]
    cells += [row["commit"], *_version(row)]
    return cells + (["", ""] if full is None else [*_version(full)])


def _version(row: Row) -> tuple[str, str]:
    return f"{row['form']} {row['version']}", duration(row["p50_s"])
