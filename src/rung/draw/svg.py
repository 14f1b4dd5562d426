"""A Picture as one self-contained SVG file, for light and for dark surroundings."""

from __future__ import annotations

from collections.abc import Sequence
from math import hypot
from xml.sax.saxutils import escape, quoteattr

from rung.draw.colors import BACKENDS, PAPER, Shade
from rung.draw.shapes import Path, Picture, Point, Rect, Text

_RADIUS = 5.0
_FONT = "system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,'DejaVu Sans',sans-serif"


def svg(picture: Picture, title: str) -> str:
    """The file's text. The same picture gives the same text."""
    width, height = _number(picture.width), _number(picture.height)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{_style()}</style>",
        f"<defs>{_head('flow')}{_head('copy')}{_head('sideflow')}</defs>",
        f'<rect class="paper" width="{width}" height="{height}"/>',
        *(_rect(area) for area in picture.areas),
        *(_path(path) for path in picture.paths),
        *(_rect(box) for box in picture.boxes),
        *(_text(text) for text in picture.texts),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _style() -> str:
    light, dark = _colors(0), _colors(1)
    return (
        f"text{{font-family:{_FONT};font-size:12px}}"
        ".title,.heading{font-weight:600}.heading{font-size:15px}"
        ".small,.label,.sidetitle{font-size:11px}"
        ".flow,.copy,.sideflow{fill:none;stroke-width:1.3}.copy{stroke-width:1.8;"
        "stroke-dasharray:5 3}.box{stroke-width:1.3}.repeat{fill:none;stroke-dasharray:2 3}"
        f"{light}@media (prefers-color-scheme:dark){{{dark}}}"
    )


def _colors(theme: int) -> str:
    def fill_and_line(names: str, shade: Shade) -> str:
        return f"{names}{{fill:{shade.fill[theme]};stroke:{shade.line[theme]}}}"

    line, copy = PAPER["flow"].line[theme], PAPER["copy"].line[theme]
    words, quiet = PAPER["words"].line[theme], PAPER["quiet"].line[theme]
    rules = [fill_and_line(f".b{index}", shade) for index, shade in enumerate(BACKENDS)]
    rules += [fill_and_line(f".{name}", PAPER[name]) for name in ("lane", "end", "side", "state")]
    return "".join(
        [
            *rules,
            f".paper{{fill:{PAPER['paper'].fill[theme]}}}.repeat{{stroke:{quiet}}}",
            f".flow{{stroke:{line}}}.sideflow{{stroke:{quiet}}}.copy{{stroke:{copy}}}",
            f".headflow{{fill:{line}}}.headsideflow{{fill:{quiet}}}.headcopy{{fill:{copy}}}",
            f"text{{fill:{words}}}.small{{fill:{quiet}}}",
        ]
    )


def _head(style: str) -> str:
    """An arrow's head; its length is taken off the line's end."""
    return (
        f'<marker id="{style}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" '
        'markerHeight="8" markerUnits="userSpaceOnUse" orient="auto">'
        f'<path class="head{style}" d="M0 0.8L8 4L0 7.2z"/></marker>'
    )


def _rect(rect: Rect) -> str:
    tip = f"<title>{escape(rect.tip)}</title>" if rect.tip else ""
    return (
        f"<g>{tip}<rect class={quoteattr(rect.style)} "
        f'x="{_number(rect.x)}" y="{_number(rect.y)}" width="{_number(rect.width)}" '
        f'height="{_number(rect.height)}" rx="4"/>'
        f"{''.join(_text(text) for text in rect.texts)}</g>"
    )


def _text(text: Text) -> str:
    anchor = ' text-anchor="middle"' if text.anchor == "middle" else ""
    return (
        f'<text class="{text.style}" x="{_number(text.x)}" y="{_number(text.y)}"{anchor}>'
        f"{escape(text.text)}</text>"
    )


def _path(path: Path) -> str:
    head = f' marker-end="url(#{path.style})"' if path.arrow else ""
    return f'<path class="{path.style}" d="{_rounded(path.points)}"{head}/>'


def _rounded(points: Sequence[Point]) -> str:
    """A line with round corners, smaller ones where two corners are near each other."""
    text = f"M{_number(points[0][0])} {_number(points[0][1])}"
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        radius = min(_RADIUS, _distance(before, corner) / 2, _distance(corner, after) / 2)
        start, end = _towards(corner, before, radius), _towards(corner, after, radius)
        text += f"L{_pair(start)}Q{_pair(corner)} {_pair(end)}"
    return f"{text}L{_pair(points[-1])}"


def _distance(a: Point, b: Point) -> float:
    return hypot(b[0] - a[0], b[1] - a[1])


def _towards(start: Point, end: Point, distance: float) -> Point:
    length = _distance(start, end) or 1.0
    share = distance / length
    return start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share


def _pair(point: Point) -> str:
    return f"{_number(point[0])} {_number(point[1])}"


def _number(value: float) -> str:
    """At most one digit behind the point."""
    return f"{round(value, 1) + 0.0:.1f}".removesuffix(".0")
