"""The memory plan: no two tensors that live at the same time overlap."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rung import ops
from rung.backends.host_memory import HostArena
from rung.graph.ir import Graph, T
from rung.schedule.memory import ALIGNMENT, lifetimes, plan_memory, share_whole
from rung.storage import F32


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Sums of any two earlier tensors of the same width, in any order."""
    graph = Graph("random")
    widths = {}
    for index in range(draw(st.integers(1, 3))):
        width = draw(st.sampled_from([1, 7, 64]))
        tensor = graph.tensor(f"input{index}", (T, width), "input", F32)
        widths[tensor] = width
        graph.outputs.append(tensor)
    for index in range(draw(st.integers(1, 12))):
        first = draw(st.sampled_from(list(widths)))
        alike = [t for t, width in widths.items() if width == widths[first]]
        second = draw(st.sampled_from(alike))
        widths[graph.add(ops.add, first, second, name=f"sum{index}")] = widths[first]
    graph.outputs.append(graph.nodes[-1].output)
    return graph


@given(graphs(), st.integers(1, 9))
def test_what_lives_together_does_not_overlap(graph: Graph, tokens: int) -> None:
    sizes = {"T": tokens}
    plan = plan_memory(graph, sizes)
    lives = {life.tensor: life for life in lifetimes(graph, sizes)}
    assert set(plan.offsets) == set(lives)
    for a, life_a in lives.items():
        assert plan.offsets[a] % ALIGNMENT == 0
        assert plan.offsets[a] + life_a.size_bytes <= plan.size_bytes
        for b, life_b in lives.items():
            if a is not b and life_a.first <= life_b.last and life_b.first <= life_a.last:
                before = plan.offsets[a] + life_a.size_bytes <= plan.offsets[b]
                after = plan.offsets[b] + life_b.size_bytes <= plan.offsets[a]
                assert before or after
    assert plan.size_bytes <= plan.unshared_bytes


@given(graphs(), st.integers(0, 9))
def test_whole_places_are_shared_or_apart(graph: Graph, tokens: int) -> None:
    lives = lifetimes(graph, {"T": tokens})
    plan = share_whole(lives)
    for a in lives:
        start, end = plan.offsets[a.tensor], plan.offsets[a.tensor] + a.size_bytes
        assert end <= plan.size_bytes
        for b in lives:
            if a is b:
                continue
            meet = a.first <= b.last and b.first <= a.last
            if plan.offsets[b.tensor] == start:
                assert not meet
            else:
                assert not start <= plan.offsets[b.tensor] < end


def test_a_chain_needs_two_buffers() -> None:
    graph = Graph("chain")
    x = graph.tensor("x", (T, 16), "input", F32)
    for index in range(10):
        x = graph.add(ops.add, x, x, name=f"sum{index}")
    graph.outputs.append(x)
    plan = plan_memory(graph, {"T": 4})
    assert plan.size_bytes == 2 * 4 * 16 * 4
    assert plan.unshared_bytes == 5 * plan.size_bytes
    arena = HostArena.of(plan.size_bytes)
    bound = plan.bind(arena, {"T": 4})
    assert all(stored.shape == (4, 16) for stored in bound.values())
