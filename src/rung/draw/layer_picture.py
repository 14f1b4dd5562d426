"""A layer at coordinates: ranks of ops, what each reads at its left and what it makes below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import fsum

from rung.draw.layers import LayerDrawing, OpBox, Side
from rung.draw.ranks import Cell, Edge, Layout, arrange
from rung.draw.shapes import (
    LINE,
    SMALL,
    Path,
    Picture,
    Point,
    Rect,
    Text,
    box_size,
    text_box,
    text_width,
)

_SIDE_GAP, _STACK_GAP, _BAND, _TRACK, _SPACE = 20.0, 6.0, 20.0, 9.0, 22.0
_PORT = 14.0


@dataclass
class _Hop:
    """A part of an edge between two ranks: from x to x, on a track of its own where it turns."""

    owner: str
    start: float
    end: float
    track: int = field(default=0)


def layer_picture(drawn: LayerDrawing) -> Picture:
    """The drawing of a layer, its title not included."""
    return _Layout(drawn).picture()


class _Layout:
    def __init__(self, drawn: LayerDrawing) -> None:
        self._drawn = drawn
        self._boxes = {box.key: box for box in drawn.boxes}
        self._edges = [(link.source, link.target) for link in drawn.links]
        self._layout: Layout = arrange([_cell(box) for box in drawn.boxes], self._edges)
        self._rank = {key: at for at, keys in enumerate(self._layout.ranks) for key in keys}
        self._ports = self._port_places()
        self._hops = self._assign_tracks()
        self._rows()

    def picture(self) -> Picture:
        placed = {key: self._op(key) for key in self._boxes}
        paths, texts, boxes = [], [], list(placed.values())
        for link in self._drawn.links:
            points = self._route(placed, (link.source, link.target))
            paths.append(Path(points, "copy" if link.copied else "flow"))
        for key, box in self._boxes.items():
            for rect, path in self._sides(placed[key], box.sides):
                boxes.append(rect)
                paths.append(path)
            if box.output:
                band = self._bottom[self._rank[key]] + 14
                texts.append(Text(self._layout.x[key] + 7, band, box.output, "label"))
        return Picture(self._layout.width, self._end, tuple(boxes), tuple(paths), tuple(texts))

    def _port_places(self) -> dict[Edge, float]:
        """Where edges enter boxes: one from straight above in the middle, others beside it."""
        ports: dict[Edge, float] = {}
        for key in self._boxes:
            middle = self._layout.x[key]
            inbound = sorted(
                (edge for edge in dict.fromkeys(self._edges) if edge[1] == key), key=self._last_x
            )
            straight = [edge for edge in inbound if abs(self._last_x(edge) - middle) < 2]
            alone = len(straight) == 1
            at = inbound.index(straight[0]) if alone else (len(inbound) - 1) / 2
            for index, edge in enumerate(inbound):
                ports[edge] = middle + (index - at) * _PORT
        return ports

    def _last_x(self, edge: Edge) -> float:
        """Where an edge comes from in the rank above its target."""
        route = self._layout.routes.get(edge)
        return route[-1] if route else self._layout.x[edge[0]]

    def _xs(self, edge: Edge) -> list[float]:
        """Where an edge is at each rank that it touches."""
        route = self._layout.routes.get(edge, ())
        return [self._layout.x[edge[0]], *route, self._ports[edge]]

    def _assign_tracks(self) -> dict[int, dict[tuple[str, float], _Hop]]:
        """For each gap below a rank the turns in it, those that would meet on different tracks.

        All edges of a box turn together below it. Of turns to the right the leftmost is the lowest,
        of turns to the left the rightmost: so they cross nothing that goes the same way.
        """
        gaps: dict[int, dict[tuple[str, float], _Hop]] = {}
        for edge in dict.fromkeys(self._edges):
            xs, first = self._xs(edge), self._rank[edge[0]]
            for at, (start, end) in enumerate(pairwise(xs)):
                owner = edge[0] if at == 0 else f"{edge[0]}>{edge[1]}"
                hops = gaps.setdefault(first + at, {})
                if abs(start - end) >= 1:
                    hops[owner, end] = _Hop(owner, start, end)
        for hops in gaps.values():
            taken: list[_Hop] = []
            for hop in sorted(hops.values(), key=_from_above):
                own = [other.track for other in taken if other.owner == hop.owner]
                busy = {other.track for other in taken if _meet(hop, other)}
                hop.track = own[0] if own else next(t for t in range(99) if t not in busy)
                taken.append(hop)
        return gaps

    def _rows(self) -> None:
        """Upper and lower edges of ranks, the gaps below as high as their tracks need."""
        self._top, self._bottom, y = [], [], 0.0
        for rank, keys in enumerate(self._layout.ranks):
            self._top.append(y)
            y += max(_height(self._boxes[key]) for key in keys)
            self._bottom.append(y)
            tracks = [hop.track + 1 for hop in self._hops.get(rank, {}).values()]
            y += _BAND + max(tracks, default=0) * _TRACK + _SPACE
        self._end = self._bottom[-1]

    def _op(self, key: str) -> Rect:
        box, rank = self._boxes[key], self._rank[key]
        width, height = box_size(box.lines)
        middle = (self._top[rank] + self._bottom[rank]) / 2
        style = "box end" if box.color is None else f"box b{box.color}"
        left = self._layout.x[key] - width / 2
        return text_box(left, middle - height / 2, box.lines, style, tip=box.cause)

    def _sides(self, op: Rect, sides: Sequence[Side]) -> list[tuple[Rect, Path]]:
        """Boxes at the left of an op, one below the other, each with its arrow."""
        y = op.y + op.height / 2 - _stack_height(sides) / 2
        found = []
        for index, side in enumerate(sides):
            width, height = _side_size(side)
            left = op.x - _SIDE_GAP - width
            title = "small" if side.kind == "input" else "sidetitle"
            rect = text_box(
                left, y, side.lines, f"side {side.kind}", size=(width, height), title=title
            )
            enter = op.y + op.height * (index + 1) / (len(sides) + 1)
            middle = y + height / 2
            turn = op.x - _SIDE_GAP / 2
            if abs(middle - enter) < 1 or abs(middle - op.y - op.height / 2) < op.height / 2 - 6:
                points: tuple[Point, ...] = ((rect.right, middle), (op.x, middle))
            else:
                points = ((rect.right, middle), (turn, middle), (turn, enter), (op.x, enter))
            found.append((rect, Path(points, "copy" if side.copied else "sideflow")))
            y += height + _STACK_GAP
        return found

    def _route(self, placed: dict[str, Rect], edge: Edge) -> tuple[Point, ...]:
        xs, first = self._xs(edge), self._rank[edge[0]]
        points: list[Point] = [(xs[0], placed[edge[0]].bottom)]
        for at, (start, end) in enumerate(pairwise(xs)):
            owner = edge[0] if at == 0 else f"{edge[0]}>{edge[1]}"
            hop = self._hops[first + at].get((owner, end))
            if hop is not None:
                y = self._bottom[first + at] + _BAND + 4 + hop.track * _TRACK
                points += [(start, y), (end, y)]
        points.append((xs[-1], placed[edge[1]].y))
        return tuple(points)


def _from_above(hop: _Hop) -> tuple[bool, float]:
    """Turns to the left, the leftmost first, then those to the right, the rightmost first."""
    rightward = hop.end > hop.start
    return rightward, -hop.start if rightward else hop.start


def _meet(hop: _Hop, other: _Hop) -> bool:
    """Whether two turns at one height would touch, those of one box aside."""
    if hop.owner == other.owner:
        return False
    low, high = sorted((hop.start, hop.end))
    other_low, other_high = sorted((other.start, other.end))
    return low - 4 < other_high and other_low - 4 < high


def _side_size(side: Side) -> Point:
    """Smaller than a box of an op: what is at the side stays there."""
    width = max(text_width(line, SMALL) for line in side.lines) + 14
    return width, len(side.lines) * LINE + 4


def _stack_height(sides: Sequence[Side]) -> float:
    return fsum(_side_size(side)[1] for side in sides) + _STACK_GAP * max(len(sides) - 1, 0)


def _height(box: OpBox) -> float:
    return max(box_size(box.lines)[1], _stack_height(box.sides))


def _cell(box: OpBox) -> Cell:
    half = box_size(box.lines)[0] / 2
    sides = max((_side_size(side)[0] + _SIDE_GAP for side in box.sides), default=0.0)
    return Cell(box.key, half + sides, max(half, 7 + text_width(box.output, SMALL)))
