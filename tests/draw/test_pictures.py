"""Pictures: boxes apart, texts inside them, lines around them, and a file that is sound."""

from __future__ import annotations

import re
from itertools import combinations, pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest

from draw_cases import CASES, plan_of
from rung.draw.layer_picture import layer_picture
from rung.draw.layers import LayerDrawing, Link, OpBox
from rung.draw.overview import CopyArrow, Overview, Stop, overview
from rung.draw.overview_picture import overview_picture
from rung.draw.page import layers_sheet, overview_sheet, plans_picture
from rung.draw.ranks import Cell, arrange
from rung.draw.shapes import Picture, text_width
from rung.draw.svg import svg
from rung.schedule.plan import Plan

_SVG = "{http://www.w3.org/2000/svg}"
Box = tuple[float, float, float, float]  # left, top, right, bottom


@pytest.fixture(params=CASES)
def plan(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Plan:
    return plan_of(request.param, monkeypatch)


@pytest.fixture(scope="module")
def width_in_dejavu():
    """The width of a text in the widest font that browsers take for sans-serif."""
    matplotlib = pytest.importorskip("matplotlib")
    font = pytest.importorskip("PIL.ImageFont")
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"

    def width(text: str, style: str) -> float:
        bold = style in ("title", "heading")
        name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
        size = {"heading": 15, "title": 12, "plain": 12}.get(style, 11)
        return font.truetype(str(folder / name), size * 10).getlength(text) / 10

    return width


def _box(element: ElementTree.Element) -> Box:
    x, y, width, height = (float(element.attrib[name]) for name in ("x", "y", "width", "height"))
    return x, y, x + width, y + height


def _apart(a: Box, b: Box) -> bool:
    return a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]


def _within(inner: Box, outer: Box) -> bool:
    return (
        outer[0] <= inner[0]
        and outer[1] <= inner[1]
        and inner[2] <= outer[2]
        and inner[3] <= outer[3]
    )


def _text_box(element: ElementTree.Element, width_of) -> Box:
    x, y = float(element.attrib["x"]), float(element.attrib["y"])
    width = width_of(element.text, element.attrib["class"])
    left = x - width / 2 if element.attrib.get("text-anchor") == "middle" else x
    return left, y - 10, left + width, y + 3


def test_boxes_are_apart_and_hold_their_texts(plan: Plan, width_in_dejavu) -> None:
    root = ElementTree.fromstring(svg(plans_picture([plan], {"host": "4.5 MiB"}), "A plan"))
    sheet = (0.0, 0.0, float(root.attrib["width"]), float(root.attrib["height"]))
    boxes, areas = [], []
    for group in root.iter(f"{_SVG}g"):
        (rect,) = group.findall(f"{_SVG}rect")
        kinds = rect.attrib["class"].split()
        (areas if kinds[0] in ("lane", "repeat") else boxes).append(_box(rect))
        for text in group.findall(f"{_SVG}text"):
            assert _within(_text_box(text, width_in_dejavu), _box(rect)), text.text
    assert all(_within(box, sheet) for box in boxes + areas)
    for a, b in combinations(boxes, 2):
        assert _apart(a, b), (a, b)
    labels = [_text_box(text, width_in_dejavu) for text in root.findall(f"{_SVG}text")]
    assert all(_within(label, sheet) for label in labels)
    for a, b in combinations(labels, 2):
        assert _apart(a, b), (a, b)
    for label in labels:
        assert all(_apart(label, box) for box in boxes), label


def _crossings(picture: Picture) -> list[tuple[object, object]]:
    """Lines that go through a box or a label; an end that touches a box's edge does not."""
    inset = 1.5
    found = []
    for path in picture.paths:
        for (x0, y0), (x1, y1) in pairwise(path.points):
            line = (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
            for box in picture.boxes:
                inner = (box.x + inset, box.y + inset, box.right - inset, box.bottom - inset)
                if not _apart(line, inner):
                    found.append((path.points, box))
            for text in picture.texts:
                if text.style == "label" and not _apart(
                    line, (text.x, text.y - 8, text.x + text.width * 0.8, text.y)
                ):
                    found.append((path.points, text))
    return found


def test_lines_go_around_boxes_and_labels(plan: Plan) -> None:
    assert _crossings(overview_sheet(plan)) == []
    assert _crossings(layers_sheet(plan)) == []


def _shared(picture: Picture) -> list[object]:
    """Stretches that lines from different places have in common."""
    found = []
    for a, b in combinations(picture.paths, 2):
        if a.points[0] == b.points[0]:
            continue
        for (ax, ay), (bx, by) in pairwise(a.points):
            for (cx, cy), (dx, dy) in pairwise(b.points):
                if abs(ay - by) + abs(cy - dy) + abs(ay - cy) < 2:
                    common = min(max(ax, bx), max(cx, dx)) - max(min(ax, bx), min(cx, dx))
                elif abs(ax - bx) + abs(cx - dx) + abs(ax - cx) < 2:
                    common = min(max(ay, by), max(cy, dy)) - max(min(ay, by), min(cy, dy))
                else:
                    continue
                if common > 2:
                    found.append((a.points, b.points))
    return found


def test_no_two_lines_run_together(plan: Plan) -> None:
    assert _shared(overview_sheet(plan)) == []
    assert _shared(layers_sheet(plan)) == []


def test_lines_that_turn_below_the_same_rank_have_tracks_of_their_own() -> None:
    boxes = [OpBox(key, (key, "1 µs"), f"{key} (1K)", 0) for key in "abcdef"]
    pairs = ["ad", "ae", "af", "bd", "be", "bf", "cd", "ce", "cf"]
    links = tuple(Link(source, target, copied=False) for source, target in pairs)
    picture = layer_picture(LayerDrawing("", tuple(boxes), links))
    assert _shared(picture) == []
    assert _crossings(picture) == []
    heights = {path.points[1][1] for path in picture.paths if len(path.points) > 2}
    assert len(heights) == 3


def test_copies_between_three_memories() -> None:
    memories = ("host", "first", "second")
    lanes = [0, 0, 1, 2, 0, 1, 2, 1, 0]
    stops = [
        Stop(f"split{index}", memories[lane], (f"split #{index}", "1 node, 1 µs"), lane, (index,))
        for index, lane in enumerate(lanes)
    ]
    pairs = [(0, 2), (1, 2), (0, 3), (2, 3), (3, 4), (2, 4), (4, 5), (3, 5), (1, 6), (6, 8), (7, 8)]
    arrows = [
        CopyArrow(f"split{source}", f"split{target}", ("a tensor (1K)", "another (2K)"), ())
        for source, target in pairs
    ]
    picture = overview_picture(Overview(memories, tuple(stops), tuple(arrows), ()), {})
    assert _crossings(picture) == []
    assert _shared(picture) == []
    lefts = {box.x for box in picture.boxes}
    assert len(lefts) == 3


def test_a_file_has_every_word_of_the_drawings(plan: Plan) -> None:
    root = ElementTree.fromstring(svg(plans_picture([plan]), "A & B"))
    texts = {text.text for text in root.iter(f"{_SVG}text")}
    drawn = overview(plan)
    assert {line for stop in drawn.stops for line in stop.lines} <= texts
    assert {label for arrow in drawn.arrows for label in arrow.labels} <= texts
    title = root.find(f"{_SVG}title")
    assert title is not None
    assert title.text == "A & B"
    copies = [path for path in root.findall(f"{_SVG}path") if path.attrib["class"] == "copy"]
    assert len(copies) >= len(drawn.arrows)


def test_a_file_is_self_contained_and_the_same_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    text = svg(plans_picture([plan_of("some layers", monkeypatch)]), "A plan")
    assert text == svg(plans_picture([plan_of("some layers", monkeypatch)]), "A plan")
    assert "href" not in text
    assert re.findall(r"url\((?!#)", text) == []
    assert "prefers-color-scheme:dark" in text
    defined = set(re.findall(r'<marker id="(\w+)"', text))
    assert set(re.findall(r"url\(#(\w+)\)", text)) <= defined


def test_widths_are_not_less_than_in_the_widest_font(width_in_dejavu) -> None:
    texts = ["RMS_NORM_ROUNDED", "kqv-11…20 as T×256 rounded (352)", "59 nodes, 1.06 µs each"]
    texts += ["splits #2, #4 … #20: cpu", "layers 0–10, 12", "Wide MAMMA mmm WWW @@ QQQ 000"]
    for text in texts:
        for style, size, bold in (("title", 12, True), ("plain", 12, False), ("small", 11, False)):
            assert text_width(text, size, bold=bold) >= width_in_dejavu(text, style)


def test_a_residual_goes_by_the_side() -> None:
    cells = [Cell(key, 30, 40) for key in "abcd"]
    layout = arrange(cells, [("a", "b"), ("b", "c"), ("c", "d"), ("a", "d")])
    assert layout.ranks == (("a",), ("b",), ("c",), ("d",))
    assert len({layout.x[key] for key in "abcd"}) == 1
    first, second = layout.routes["a", "d"]
    assert first == second > layout.x["b"] + 40
    assert first < layout.width


def test_an_edge_without_a_longer_way_goes_through() -> None:
    cells = [Cell(key, 30, 40) for key in "abcd"]
    layout = arrange(cells, [("a", "b"), ("b", "d"), ("c", "d")])
    (place,) = layout.routes["c", "d"]
    assert abs(place - layout.x["b"]) >= 40
    assert [layout.x[key] - 30 >= 0 for key in "abcd"] == [True] * 4
