"""What rounded activations cost in perplexity, for each type of weights."""

from __future__ import annotations

from collections.abc import Sequence

from performance.markdown import Section, table
from performance.rows import PLAIN, Row

_TEXT = """\
Products with quantised weights take their activations in int8 by default, rounded in groups with a
scale each; `--activations float32` does without. Weights in F32, F16 and BF16 always meet float32.
Where a processor has AMX, prompts are multiplied in tiles of bfloat16 instead. The figures are
perplexities of the built-in model on stories that it was not trained on, every type made from the
same weights.
"""


def section(rows: Sequence[Row]) -> Section:
    """The table, and the largest change in words."""
    quantised = [row for row in rows if row["dtype"] not in PLAIN]
    lines = ["## Activations in int8 and bfloat16", "", *_TEXT.splitlines(), ""]
    if quantised:
        worst = max(quantised, key=lambda row: abs(row["change"]))
        lines += [f"The largest change is {_change(worst)}, with {worst['dtype']} weights.", ""]
    head = ("weights", "commit", "tokens", "float32 activations", "int8", "change")
    head = (*head, "bfloat16 tiles", "change")
    lines += table(head, map(_cells, rows), left=2)
    return Section(tuple(lines))


def _change(row: Row) -> str:
    return f"{row['change']:+.4%}"


def _cells(row: Row) -> tuple[str, ...]:
    plain = row["dtype"] in PLAIN
    return (
        row["dtype"],
        row["commit"],
        f"{row['tokens']:,}",
        f"{row['float32']:.4f}",
        "as float32" if plain else f"{row['int8']:.4f}",
        "" if plain else _change(row),
        f"{row['bfloat16']:.4f}" if "bfloat16" in row else "",
        f"{row['bfloat16_change']:+.4%}" if "bfloat16" in row else "",
    )
