"""Never slower: BLAS by choice beside the CPU's kernels alone and BLAS for every product."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean

from performance.markdown import Section, duration, percent, table
from performance.rows import Row, grouped, place, place_name

_TEXT = """\
A prompt from an empty cache, by the CPU's kernels alone, with BLAS where measured rates say that it
is faster (`auto`, the default), and with every product on BLAS. The last columns are `auto` over
the faster of the other two, which alternate with it; how many of the plan's nodes are on BLAS; and
what `rung plan` predicts, over what it took. `python benchmarks/placing.py --append`, after
`rung tune`, measures it.
"""


def section(rows: Sequence[Row]) -> Section:
    """A table for each machine, and its extremes in words."""
    lines = ["## Placing: never slower", "", *_TEXT.splitlines(), ""]
    head = ("model", "tokens", "commit", "cpu", "auto", "blas", "auto / faster", "on BLAS")
    for where, found in grouped(list(rows), place).items():
        worst = max(row["auto_over_faster"] for row in found)
        off = mean(abs(row["predicted_s"] / row["auto_s"] - 1) for row in found)
        lines += [
            f"{place_name(where)}: `auto` takes at most {worst:.2f} times the faster of the others;"
            f" predictions are off by {percent(off)} on average.",
            "",
        ]
        lines += table((*head, "predicted / took"), map(_cells, found), left=1)
    return Section(tuple(lines))


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row["shape"],
        f"{row['tokens']}",
        row["commit"],
        *(duration(row[f"{way}_s"]) for way in ("cpu", "auto", "blas")),
        f"{row['auto_over_faster']:.2f}",
        f"{row['on_blas']}",
        f"{row['predicted_s'] / row['auto_s']:.2f}",
    )
