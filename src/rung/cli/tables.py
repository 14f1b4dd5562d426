"""Tables on stdout, as wide as a terminal, or as wide as they need to be where there is none."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

_UNLIMITED = 400


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], *, title: str = "", left: int = 1
) -> None:
    """Prints rows of cells under their columns; the first `left` columns are text."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, title=title or None, title_justify="left", title_style="bold")
    for index, name in enumerate(columns):
        justify = "left" if index < left else "right"
        table.add_column(name, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    width = None if sys.stdout.isatty() else _UNLIMITED
    Console(file=sys.stdout, width=width, highlight=False).print(table)
