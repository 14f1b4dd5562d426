"""Boxes, lines and texts at coordinates, y growing downwards; widths of texts are estimated.

Estimates are for DejaVu Sans, the widest of the fonts that a system shows when asked for
sans-serif, and a little more: a box that holds its text there holds it everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import fsum
from typing import Literal

Point = tuple[float, float]

SIZE, SMALL, LINE = 12.0, 11.0, 15.0
PADDING = 9.0

_NARROW = frozenset("iljftrI.,:;'|!()[]{}/\\ -·")
_WIDE = frozenset("wGOQDHNUCK#=+<>&×~–")
_WIDEST = frozenset("mMW@%…")


def text_width(text: str, size: float = SIZE, *, bold: bool = False) -> float:
    """Points that a text takes at most."""
    ems = fsum(
        0.41
        if letter in _NARROW
        else 0.84
        if letter in _WIDE
        else 1.0
        if letter in _WIDEST or ord(letter) > 0x24F
        else 0.66
        for letter in text
    )
    return ems * size * (1.14 if bold else 1.0)


@dataclass(frozen=True)
class Text:
    """A line of text, its baseline at y. style: title, plain or small."""

    x: float
    y: float
    text: str
    style: str = "plain"
    anchor: Literal["start", "middle"] = "start"

    @property
    def size(self) -> float:
        """Height of its letters."""
        return {"heading": 15.0, "plain": SIZE, "title": SIZE}.get(self.style, SMALL)

    @property
    def width(self) -> float:
        """Its width, estimated."""
        return text_width(self.text, self.size, bold=self.style in ("title", "heading"))


@dataclass(frozen=True)
class Rect:
    """A box with its texts. style: CSS classes. tip: shown when pointed at."""

    x: float
    y: float
    width: float
    height: float
    style: str
    texts: tuple[Text, ...] = ()
    tip: str = ""

    @property
    def center(self) -> float:
        """Of its width."""
        return self.x + self.width / 2

    @property
    def right(self) -> float:
        """Its right edge."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """Its lower edge."""
        return self.y + self.height


@dataclass(frozen=True)
class Path:
    """A line through points, its corners rounded, with an arrow's head at its end or without."""

    points: tuple[Point, ...]
    style: str = "flow"
    arrow: bool = True


@dataclass(frozen=True)
class Picture:
    """Shapes on a sheet. areas lie under the lines, boxes on them."""

    width: float
    height: float
    boxes: tuple[Rect, ...] = ()
    paths: tuple[Path, ...] = ()
    texts: tuple[Text, ...] = ()
    areas: tuple[Rect, ...] = field(default=())

    def moved(self, dx: float, dy: float) -> Picture:
        """The same elsewhere."""
        return replace(
            self,
            boxes=tuple(_moved(box, dx, dy) for box in self.boxes),
            areas=tuple(_moved(area, dx, dy) for area in self.areas),
            texts=tuple(replace(text, x=text.x + dx, y=text.y + dy) for text in self.texts),
            paths=tuple(
                replace(path, points=tuple((x + dx, y + dy) for x, y in path.points))
                for path in self.paths
            ),
        )


def _moved(rect: Rect, dx: float, dy: float) -> Rect:
    texts = tuple(replace(text, x=text.x + dx, y=text.y + dy) for text in rect.texts)
    return replace(rect, x=rect.x + dx, y=rect.y + dy, texts=texts)


def box_size(lines: Sequence[str]) -> Point:
    """Width and height of a box with these lines; the first is its title."""
    widths = [text_width(lines[0], bold=True), *(text_width(line, SMALL) for line in lines[1:])]
    return max(widths) + 2 * PADDING, len(lines) * LINE + PADDING


def text_box(
    x: float,
    y: float,
    lines: Sequence[str],
    style: str,
    *,
    size: Point | None = None,
    title: str = "title",
    anchor: Literal["start", "middle"] = "middle",
    tip: str = "",
) -> Rect:
    """A box whose upper left corner is at (x, y), of its own size or a larger one."""
    width, height = size or box_size(lines)
    left = x + width / 2 if anchor == "middle" else x + PADDING
    top = y + (height - len(lines) * LINE) / 2 + LINE * 0.75
    texts = tuple(
        Text(left, top + index * LINE, line, "small" if index else title, anchor)
        for index, line in enumerate(lines)
    )
    return Rect(x, y, width, height, style, texts, tip)


def stacked(pictures: Sequence[Picture], *, gap: float = 28.0) -> Picture:
    """Pictures one below the other."""
    y, parts = 0.0, []
    for picture in pictures:
        parts.append(picture.moved(0, y))
        y += picture.height + gap
    return Picture(
        max((part.width for part in parts), default=0),
        max(y - gap, 0),
        tuple(box for part in parts for box in part.boxes),
        tuple(path for part in parts for path in part.paths),
        tuple(text for part in parts for text in part.texts),
        tuple(area for part in parts for area in part.areas),
    )
