"""What is drawn of a plan: every split, every copy, every op of each kind of layer."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from draw_cases import CASES, plan_of
from rung.backends.cpu.backend import CpuBackend
from rung.backends.sim.backend import SimBackend
from rung.backends.sim.spec import SimSpec
from rung.draw.fold import fold, numbered_splits
from rung.draw.layers import LayerDrawing, layer_drawings
from rung.draw.mermaid import layer_chart, markdown, overview_chart
from rung.draw.names import bare, layer_of, progression, ranges
from rung.draw.overview import INPUTS, RESULTS, WEIGHTS, Overview, overview
from rung.draw.overview_picture import overview_picture
from rung.graph.ir import Node
from rung.schedule.costs import MachineCosts, batch_sizes
from rung.schedule.plan import Plan, make_plan
from rung.schedule.problem import Home, Problem
from schedule_graphs import FasterHost, graphs


@pytest.fixture(params=CASES)
def plan(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Plan:
    return plan_of(request.param, monkeypatch)


def _check_overview(plan: Plan, drawn: Overview) -> None:
    """Splits stand in their boxes, and copies lead from where a tensor is made to who needs it."""
    stops = {stop.key: stop for stop in drawn.stops}
    splits = numbered_splits(plan)
    box_of = {number: stop for stop in drawn.stops for number in stop.splits}
    assert sorted(box_of) == [split.number for split in splits]
    assert sum(len(stop.splits) for stop in drawn.stops) == len(splits)
    for split in splits:
        box = box_of[split.number]
        assert box.memory == split.split.backend.memory
        assert box.lines[0].endswith(f": {split.split.backend.name}")
    drawn_copies = [copy for arrow in drawn.arrows for copy in arrow.copies]
    assert sorted(map(id, drawn_copies)) == sorted(map(id, plan.copies))
    made = {node.output.root: box_of[s.number].key for s in splits for node in s.split.nodes}
    needed = {id(copy): box_of[split.number].key for split in splits for copy in split.copies}
    needed |= {id(copy): RESULTS for copy in plan.outputs}
    keys = list(stops)
    units = {}
    for repeat in drawn.repeats:
        unit = keys[keys.index(repeat.first) : keys.index(repeat.last) + 1]
        units.update(dict.fromkeys(unit, unit))
    for arrow in drawn.arrows:
        assert (
            arrow.source == INPUTS
            or arrow.copies[0].tensor.role == "weight"
            or (made[arrow.copies[0].tensor] == arrow.source)
        )
        assert stops[arrow.source].memory != stops[arrow.target].memory
        for copy in arrow.copies:
            assert needed[id(copy)] == arrow.target
            origin = {"input": INPUTS, "weight": WEIGHTS}.get(copy.tensor.role)
            # Arrows are a unit's first turn; later turns may read what the unit itself made.
            unit = units.get(arrow.target, ())
            assert arrow.source == (origin or made[copy.tensor]) or made[copy.tensor] in unit
            assert any(bare(copy.tensor.name).split(" ")[0] in label for label in arrow.labels)
            assert stops[arrow.source].memory == copy.source.memory
            assert stops[arrow.target].memory == copy.target.memory


def test_an_overview_has_every_split_and_every_copy(plan: Plan) -> None:
    _check_overview(plan, overview(plan))


@pytest.fixture(scope="module")
def cpu() -> Iterator[CpuBackend]:
    backend = CpuBackend(threads=1)
    yield backend
    backend.close()


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60
)
@given(graphs(), st.sets(st.sampled_from(["linear", "add", "rms_norm"])), st.data())
def test_any_plan_can_be_drawn(
    cpu: CpuBackend, graph_and_weights, refused: set[str], data: st.DataObject
) -> None:
    graph, weights = graph_and_weights
    sim = SimBackend(cpu, SimSpec(refuse=frozenset(refused), offload_from=4))
    backends = [sim, FasterHost(cpu, seconds=0.0), cpu]
    homes = {w: Home(data.draw(st.sampled_from([sim, cpu])), "drawn") for w in weights}
    plan = make_plan(Problem(graph, backends, homes, batch_sizes(8), MachineCosts()))
    drawn = overview(plan)
    _check_overview(plan, drawn)
    assert len(overview_picture(drawn, {}).boxes) == len(drawn.stops)


def test_layers_that_repeat_are_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    units = fold(numbered_splits(plan_of("override", monkeypatch)))
    turns = [(len(unit.turns), len(unit.turns[0])) for unit in units]
    # The device begins; host and device take turns in 21 layers; the last layer has the output.
    assert turns == [(1, 1), (21, 2), (1, 1), (1, 1)]
    drawn = overview(plan_of("override", monkeypatch))
    (repeat,) = drawn.repeats
    assert (repeat.first, repeat.last, repeat.text) == ("split1", "split2", "× 21")
    host = next(stop for stop in drawn.stops if stop.key == "split1")
    assert host.lines[0] == "splits #1, #3 … #41: cpu"
    assert "layer 0…20, 4 of 16 nodes:" in host.lines
    labels = next(arrow.labels for arrow in drawn.arrows if arrow.target == "split1")
    assert [label.partition(" (")[0] for label in labels] == [
        "ffn_norm-0…20 rounded",
        "ffn_inp-0…20",
    ]


def test_whole_layers_are_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = overview(plan_of("some layers", monkeypatch))
    words = {stop.key: stop.lines[1:-1] for stop in drawn.stops}
    assert words["split0"] == ("input: inp_embd, rope_angles", "layers 0–2")
    assert words["split1"] == ("layers 3–4", "output: result_rows … result_output")


def _layer_nodes(plan: Plan) -> dict[int, list[Node]]:
    found: dict[int, list[Node]] = {}
    for node in plan.problem.graph.nodes:
        if (layer := layer_of(node)) is not None:
            found.setdefault(layer, []).append(node)
    return found


def _layers_in(drawn: LayerDrawing) -> list[int]:
    text = re.match(r"layers? ([\d–, ]+?) on ", drawn.title)
    assert text is not None
    numbers: list[int] = []
    for part in text[1].split(", "):
        first, _, last = part.partition("–")
        numbers += range(int(first), int(last or first) + 1)
    return numbers


def test_layers_of_a_kind_have_their_ops_on_the_same_backends(plan: Plan) -> None:
    nodes = _layer_nodes(plan)
    drawings = layer_drawings(plan)
    assert sorted(layer for drawn in drawings for layer in _layers_in(drawn)) == sorted(nodes)
    for drawn in drawings:
        boxes = [box for box in drawn.boxes if box.color is not None]
        for layer in _layers_in(drawn):
            assert [box.lines[0] for box in boxes] == [n.op.name.upper() for n in nodes[layer]]
            backends = [plan.placed[node].backend.name for node in nodes[layer]]
            assert [box.cause.partition(": ")[2].split(",")[0] for box in boxes] == backends


def test_every_tensor_of_a_layer_is_drawn(plan: Plan) -> None:
    copied = {(copy.tensor, copy.target.memory) for copy in plan.copies}
    for drawn in layer_drawings(plan):
        nodes = _layer_nodes(plan)[_layers_in(drawn)[-1]]
        boxes = dict(zip(nodes, (box for box in drawn.boxes if box.color is not None), strict=True))
        made = {node.output.root: boxes[node].key for node in nodes}
        for node, box in boxes.items():
            inbound = [link for link in drawn.links if link.target == box.key]
            shown = " ".join(line for side in box.sides for line in side.lines)
            for root in {tensor.root for tensor in node.tensors}:
                crosses = (root, plan.placed[node].backend.memory) in copied
                if root.role == "activation" and root in made:
                    link = next(link for link in inbound if link.source == made[root])
                    assert link.copied == crosses
                elif bare(root.name) in shown or root.name in shown:
                    assert any(s.copied for s in box.sides) or not crosses
                else:  # what the layer is entered by, or a cache that the layer writes
                    entered = [link for link in inbound if link.source.startswith("enter")]
                    assert root.role == "state" or [link.copied for link in entered] == [crosses]
        leaving = [box for box in drawn.boxes if box.key.startswith("leave")]
        assert [box.lines[0].split(" ")[0] for box in leaving] == ["to"]


def test_the_ends_of_layers_name_their_neighbors(monkeypatch: pytest.MonkeyPatch) -> None:
    on_host, on_device = layer_drawings(plan_of("some layers", monkeypatch))
    assert on_host.title == "layers 0–2 on cpu; drawn is layer 2"
    assert on_device.title == "layers 3–4 on sim; drawn is layer 4"
    ends = [
        [box.lines[0] for box in drawn.boxes if box.color is None] for drawn in (on_host, on_device)
    ]
    assert ends == [["from layer 1", "to layer 3"], ["from layer 3", "to result_rows"]]
    assert [link.copied for link in on_host.links][-1:] == [True]
    assert not any(link.copied for link in on_device.links)


_NODE = re.compile(
    r'(\w+)(?:\["[^"]+"\]|\(\["[^"]+"\]\)|\[\("[^"]+"\)\]):::(\w+)'
    r"|(\w+) (?:-->|-\.->)(?:\|\"[^\"]+\"\|)? (\w+)"
    r"|classDef (\w+) [\w:#,-]+"
    r'|subgraph \w+\["[^"]+"\]|end|linkStyle [\d,]+ stroke:#\w+|flowchart TD'
)


def _check_chart(lines: list[str]) -> None:
    """Every line is of a known form; what is linked or styled is there."""
    assert lines[0] == "flowchart TD"
    known, classes, used, linked = set(), set(), set(), set()
    depth = links = 0
    for line in lines:
        match = _NODE.fullmatch(line.strip())
        assert match is not None, line
        assert "#" not in re.sub(r"#(35|quot|lt|gt|amp);|(fill|stroke|color):#\w+", "", line), line
        node, style, source, target, defined = match.groups()
        depth += line.strip().startswith("subgraph") - (line.strip() == "end")
        assert node not in known or node is None
        known |= {node}
        used |= {style}
        classes |= {defined}
        linked |= {source, target}
        links += source is not None
        if line.strip().startswith("linkStyle"):
            assert max(map(int, line.split()[1].split(","))) < links
    assert depth == 0
    assert linked <= known | {None}
    assert used - {None} == classes - {None}


def test_charts_are_sound(plan: Plan) -> None:
    drawn = overview(plan)
    chart = list(overview_chart(drawn))
    _check_chart(chart)
    assert sum("-.->" in line for line in chart) == len(drawn.arrows)
    for stop in drawn.stops:
        assert sum(line.strip().startswith(f"{stop.key}[") for line in chart) == 1
    for arrow in drawn.arrows:
        text = "<br/>".join(arrow.labels)
        assert f'    {arrow.source} -.->|"{text}"| {arrow.target}' in chart
    for layer in layer_drawings(plan):
        _check_chart(list(layer_chart(layer)))
    text = markdown([plan])
    assert text.count("```mermaid\nflowchart TD\n") == text.count("```") / 2
    assert text.count("```") / 2 == 1 + len(layer_drawings(plan))


def test_what_a_chart_would_misread_is_escaped() -> None:
    from rung.draw.overview import Stop

    stop = Stop("split0", "host", ('a "b" #1 <i> & c',), 0, (0,))
    chart = list(overview_chart(Overview(("host",), (stop,), (), ())))
    assert 'split0["a #quot;b#quot; #35;1 #lt;i#gt; #amp; c"]:::b0' in chart[3]


def test_numbers_in_few_letters() -> None:
    assert ranges([0, 1, 2, 5, 7, 8]) == "0–2, 5, 7–8"
    assert progression([3]) == "3"
    assert progression([3, 5, 7]) == "3…7"
    assert [
        bare(n) for n in ("blk.3.attn_q.weight", "Qcur-12", "kqv-3 as T×8 rounded", "rows")
    ] == [*("attn_q.weight", "Qcur", "kqv as T×8 rounded", "rows")]
