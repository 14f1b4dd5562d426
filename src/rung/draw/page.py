"""All drawings of a plan on one sheet: headings, colors of backends, overview, layers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from rung.draw.layer_picture import layer_picture
from rung.draw.layers import layer_drawings
from rung.draw.overview import color_of, overview
from rung.draw.overview_picture import overview_picture
from rung.draw.shapes import Path, Picture, Rect, Text, stacked
from rung.schedule.plan import Plan
from rung.schedule.show import summary

_NO_NOTES: Mapping[str, str] = {}


def plans_picture(plans: Iterable[Plan], notes: Mapping[str, str] = _NO_NOTES) -> Picture:
    """Overviews and layers of some plans, one below the other. notes: a line for a memory."""
    parts = []
    for plan in plans:
        parts.append(stacked([overview_sheet(plan, notes), layers_sheet(plan)]))
    return _with_margin(stacked(parts, gap=56.0))


def overview_sheet(plan: Plan, notes: Mapping[str, str] = _NO_NOTES) -> Picture:
    """The splits of a plan under its summary."""
    title, _, rest = summary(plan).partition(": ")
    return stacked(
        [_heading(title, rest), _legend(plan), overview_picture(overview(plan), notes)], gap=16.0
    )


def layers_sheet(plan: Plan) -> Picture:
    """Every kind of layer of a plan under its name."""
    return stacked(
        [
            stacked([_heading(drawn.title), layer_picture(drawn)], gap=14.0)
            for drawn in layer_drawings(plan)
        ]
    )


def sheet(*parts: Picture) -> Picture:
    """Parts one below the other, with an edge around."""
    return _with_margin(stacked(parts))


def _heading(*lines: str) -> Picture:
    texts = tuple(
        Text(0, 14 + 17 * index, line, "small" if index else "heading")
        for index, line in enumerate(lines)
    )
    return Picture(max(text.width for text in texts), 3 + 17.0 * len(lines), texts=texts)


def _legend(plan: Plan) -> Picture:
    """A square in the color of each backend that computes something, and the two kinds of line."""
    used = {placement.backend.name for placement in plan.placed.values()}
    x, boxes, texts = 0.0, [], []
    for backend in reversed(plan.problem.backends):
        if backend.name in used:
            boxes.append(Rect(x, 0, 14, 14, f"key b{color_of(plan, backend)}"))
            texts.append(Text(x + 20, 11, backend.name, "small"))
            x = texts[-1].x + texts[-1].width + 18
    paths = []
    for style, name in (("flow", "read where it is"), ("copy", "copied between memories")):
        if style == "flow" or plan.copies:
            paths.append(Path(((x, 7), (x + 28, 7)), style))
            texts.append(Text(x + 35, 11, name, "small"))
            x = texts[-1].x + texts[-1].width + 18
    return Picture(x, 16, tuple(boxes), tuple(paths), tuple(texts))


def _with_margin(picture: Picture, margin: float = 20.0) -> Picture:
    moved = picture.moved(margin, margin)
    return replace(moved, width=picture.width + 2 * margin, height=picture.height + 2 * margin)
