"""Pieces of Markdown, and a section made of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from performance.pictures import Picture

FOLDER = "performance"  # of the pictures, beside the page


@dataclass(frozen=True)
class Section:
    """Lines of the page, and the pictures that they show."""

    lines: tuple[str, ...]
    pictures: tuple[Picture, ...] = ()


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, left: int) -> list[str]:
    """A table whose columns are right-aligned but the first `left`; a blank line ends it."""
    ruler = [":--" if column < left else "--:" for column in range(len(head))]
    return [*("| " + " | ".join(cells) + " |" for cells in (head, ruler, *rows)), ""]


def shown(picture: Picture, *, folder: str = FOLDER) -> list[str]:
    """The picture in the page."""
    return [f"![{picture.alt}]({folder}/{picture.name})", ""]


def speed(value: float) -> str:
    """tok/s: whole from a hundred on."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def duration(seconds: float) -> str:
    """Three digits of µs, ms or s."""
    if seconds < 1e-3:
        return f"{seconds * 1e6:.3g} µs"
    return f"{seconds * 1e3:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"


def percent(value: float) -> str:
    """A share; tenths where it is small."""
    return f"{100 * value:.0f}%" if value >= 0.0095 else f"{100 * value:.1f}%"


def times(value: float) -> str:
    """A ratio to three digits at most, hundredths at most."""
    return f"×{value:.2f}" if value < 10 else f"×{value:,.0f}"


def listed(words: Sequence[str]) -> str:
    """Such as "a, b and c"."""
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))
