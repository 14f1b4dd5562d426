"""The overview at coordinates: a lane for each memory, a row for each split, copies between lanes.

A row holds one box, so what crosses a lane at a row's height meets no other box. Copies leave a box
at its side, go down a track beside the lane, and enter their target under their labels. Tracks for
one direction lie beside the lane they come from, labels in the middle: no line crosses a label.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from rung.draw.overview import WEIGHTS, CopyArrow, Overview, Stop
from rung.draw.shapes import LINE, SMALL, Path, Picture, Rect, Text, box_size, text_box, text_width

_TRACK, _MARGIN, _ROW_GAP, _HEADER = 14.0, 12.0, 24.0, 44.0
_EXIT = 9.0  # where copies leave a box, above its lower edge


@dataclass(frozen=True)
class _Trunk:
    """The way down of all copies from one box into one gutter."""

    source: str
    gutter: int
    rightward: bool
    first_row: int
    last_row: int


def overview_picture(drawn: Overview, notes: Mapping[str, str]) -> Picture:
    """The drawing. notes: a line under the name of a memory."""
    return _Layout(drawn, notes).picture()


class _Layout:
    def __init__(self, drawn: Overview, notes: Mapping[str, str]) -> None:
        self._drawn = drawn
        self._notes = notes
        self._row = {stop.key: index for index, stop in enumerate(drawn.stops)}
        self._lane = {stop.key: drawn.memories.index(stop.memory) for stop in drawn.stops}
        self._trunks = self._assign_tracks()
        self._columns()
        self._rows()

    def picture(self) -> Picture:
        boxes = {stop.key: self._box(stop) for stop in self._drawn.stops}
        paths, texts = self._stays(boxes), []
        for arrow in self._drawn.arrows:
            path, labels = self._copy(boxes, arrow)
            paths.append(path)
            texts += labels
        bottom = max(box.bottom for box in boxes.values()) + _MARGIN
        areas = [self._lane_area(lane, bottom) for lane in range(len(self._drawn.memories))]
        width = self._left[-1] + self._width[-1] + _MARGIN
        for repeat in self._drawn.repeats:
            top, end = boxes[repeat.first].y - 10, boxes[repeat.last].bottom + 10
            note = Text(width + 6, (top + end) / 2 + 4, repeat.text, "title")
            areas.append(Rect(0, top, note.x + note.width + 8, end - top, "repeat"))
            texts.append(note)
        right = max(area.right for area in areas)
        return Picture(
            right, bottom, tuple(boxes.values()), tuple(paths), tuple(texts), tuple(areas)
        )

    def _trunk_of(self, arrow: CopyArrow) -> tuple[str, int, bool]:
        """Source, gutter and direction: the gutter beside the source, towards the target."""
        source, target = self._lane[arrow.source], self._lane[arrow.target]
        rightward = target > source
        return arrow.source, source if rightward else source - 1, rightward

    def _assign_tracks(self) -> dict[tuple[str, int, bool], int]:
        """A track for each trunk, 0 beside the source's lane; older ones are farther out."""
        last: dict[tuple[str, int, bool], int] = {}
        for arrow in self._drawn.arrows:
            key = self._trunk_of(arrow)
            last[key] = max(last.get(key, 0), self._row[arrow.target])
        trunks = [_Trunk(*key, self._row[key[0]], row) for key, row in last.items()]
        tracks: dict[tuple[str, int, bool], int] = {}
        taken: list[tuple[int, _Trunk]] = []
        for trunk in sorted(trunks, key=lambda trunk: -trunk.first_row):
            busy = {
                track
                for track, other in taken
                if (other.gutter, other.rightward) == (trunk.gutter, trunk.rightward)
                and other.first_row <= trunk.last_row
                and trunk.first_row <= other.last_row
            }
            # Farther out than all that it would cross otherwise.
            track = max(busy, default=-1) + 1
            taken.append((track, trunk))
            tracks[trunk.source, trunk.gutter, trunk.rightward] = track
        return tracks

    def _columns(self) -> None:
        """Left edges and widths of lanes, and where labels of a gutter begin."""
        count = len(self._drawn.memories)
        self._width = [0.0] * count
        for stop in self._drawn.stops:
            lane = self._lane[stop.key]
            self._width[lane] = max(self._width[lane], box_size(stop.lines)[0])
        for lane, memory in enumerate(self._drawn.memories):
            for text in self._header(memory):
                self._width[lane] = max(self._width[lane], text_width(text, bold=True))
        labels = [0.0] * count
        tracks: dict[tuple[int, bool], int] = {}
        for arrow in self._drawn.arrows:
            gutter = self._trunk_of(arrow)[1]
            widest = max(text_width(label, SMALL) for label in arrow.labels)
            labels[gutter] = max(labels[gutter], widest)
        for (_, gutter, rightward), track in self._trunks.items():
            tracks[gutter, rightward] = max(tracks.get((gutter, rightward), 0), track + 1)
        self._left, self._labels, x = [], [], _MARGIN
        for lane in range(count):
            self._left.append(x)
            x += self._width[lane] + _MARGIN
            x += tracks.get((lane, True), 0) * _TRACK + 2 * _MARGIN
            self._labels.append(x)
            x += labels[lane] + tracks.get((lane, False), 0) * _TRACK + 2 * _MARGIN + _MARGIN

    def _rows(self) -> None:
        """Upper edges and heights of rows, and heights at which copies enter."""
        self._enter: dict[tuple[str, str], float] = {}
        self._top: dict[str, float] = {}
        self._height: dict[str, float] = {}
        y = _HEADER
        for stop in self._drawn.stops:
            self._top[stop.key] = y
            inside = y
            inbound = [arrow for arrow in self._drawn.arrows if arrow.target == stop.key]
            for arrow in sorted(inbound, key=lambda arrow: self._row[arrow.source]):
                inside += len(arrow.labels) * LINE + 6
                self._enter[arrow.source, arrow.target] = inside
                inside += 2
            below = 2 * _EXIT if inbound else 0
            self._height[stop.key] = max(box_size(stop.lines)[1], inside - y + below)
            y += self._height[stop.key] + _ROW_GAP

    def _box(self, stop: Stop) -> Rect:
        lane = self._lane[stop.key]
        style = "box end" if stop.color is None else f"box b{stop.color}"
        size = (self._width[lane], self._height[stop.key])
        return text_box(self._left[lane], self._top[stop.key], stop.lines, style, size=size)

    def _stays(self, boxes: Mapping[str, Rect]) -> list[Path]:
        """From each box of a lane to the next: what is there already."""
        paths = []
        for lane in range(len(self._drawn.memories)):
            here = [key for key in boxes if self._lane[key] == lane and key != WEIGHTS]
            for key, after in pairwise(here):
                start, end = boxes[key], boxes[after]
                paths.append(Path(((start.center, start.bottom), (end.center, end.y))))
        return paths

    def _copy(self, boxes: Mapping[str, Rect], arrow: CopyArrow) -> tuple[Path, list[Text]]:
        key = self._trunk_of(arrow)
        _, gutter, rightward = key
        source, target = boxes[arrow.source], boxes[arrow.target]
        leave, enter = source.bottom - _EXIT, self._enter[arrow.source, arrow.target]
        out = _MARGIN * 1.5 + self._trunks[key] * _TRACK
        x = source.right + out if rightward else source.x - out
        ends = (source.right, target.x) if rightward else (source.x, target.right)
        points = ((ends[0], leave), (x, leave), (x, enter), (ends[1], enter))
        left = self._labels[gutter]
        labels = [
            Text(left, enter - 6 - (len(arrow.labels) - 1 - index) * LINE, label, "label")
            for index, label in enumerate(arrow.labels)
        ]
        return Path(points, "copy"), labels

    def _header(self, memory: str) -> list[str]:
        return [f"{memory} memory", *([self._notes[memory]] if memory in self._notes else [])]

    def _lane_area(self, lane: int, bottom: float) -> Rect:
        x, width = self._left[lane] - _MARGIN, self._width[lane] + 2 * _MARGIN
        texts = tuple(
            Text(x + width / 2, 16 + index * LINE, text, "small" if index else "title", "middle")
            for index, text in enumerate(self._header(self._drawn.memories[lane]))
        )
        return Rect(x, 0, width, bottom, "lane", texts)
