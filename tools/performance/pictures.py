"""Pictures of bars as data: what they show can be compared without drawing them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Bar:
    """A length, whose it is (an index into Picture.series), and what is written at its end.

    A value of None has no bar, only the words.
    """

    value: float | None
    note: str
    series: int = 0


@dataclass(frozen=True)
class Group:
    """Bars that are compared with each other, the first on top."""

    label: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True)
class Panel:
    """Groups on one axis of its own."""

    title: str
    groups: tuple[Group, ...]

    @property
    def bars(self) -> int:
        """Bars in all."""
        return sum(len(group.bars) for group in self.groups)


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A file of panels, row by row; `alt` says what one would see.

    logarithmic: lengths start at 1. limit: where a dashed line stands.
    """

    name: str
    alt: str
    title: str
    axis: str
    series: tuple[str, ...]
    panels: tuple[Panel, ...]
    columns: int
    logarithmic: bool = False
    limit: float | None = None

    @property
    def digest(self) -> str:
        """A hash of all that is shown and of how it is drawn; the file carries it."""
        drawing = (Path(__file__).parent / "drawing.py").read_text(encoding="utf-8")
        return hashlib.sha256(f"{self!r}\n{drawing}".encode()).hexdigest()[:32]
