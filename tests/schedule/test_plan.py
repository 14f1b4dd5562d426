"""Plans of random graphs: nodes where they can run, inputs where they are read, no copy twice."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rung import ops
from rung.backends.base import HOST, Backend
from rung.backends.cpu.backend import CpuBackend
from rung.backends.sim.backend import SimBackend
from rung.backends.sim.spec import SimSpec
from rung.graph.ir import Graph, Node, T, Tensor
from rung.schedule.costs import MachineCosts
from rung.schedule.execute import Executor
from rung.schedule.plan import Plan, make_plan
from rung.schedule.problem import Home, Problem
from rung.storage import F32, StoredTensor, stored
from schedule_graphs import ROWS, FasterHost, graphs


class KnownCosts(MachineCosts):
    """Assumed times that count as measured, so that nodes may move by them."""

    def knows(self, backend: Backend, node: Node) -> bool:
        return True


COSTS = KnownCosts()
GRAPHS = graphs()
REFUSALS = st.sets(st.sampled_from(["linear", "add", "rms_norm", "swiglu", "head_norm"]))
Weights = dict[Tensor, StoredTensor]


@pytest.fixture(scope="module")
def cpu() -> Iterator[CpuBackend]:
    backend = CpuBackend(threads=2)
    yield backend
    backend.close()


def _backends(cpu: CpuBackend, spec: SimSpec, faster: float | None) -> list[Backend]:
    between = [] if faster is None else [FasterHost(cpu, seconds=faster)]
    return [SimBackend(cpu, spec), *between, cpu]


def _homes(data: st.DataObject, weights: Weights, backends: list[Backend]) -> dict[Tensor, Home]:
    """A home for most weights, some on the device, some on the host."""
    choices = st.sampled_from([None, backends[0], backends[-1]])
    drawn = {tensor: data.draw(choices, label=tensor.name) for tensor in weights}
    return {tensor: Home(home, "drawn") for tensor, home in drawn.items() if home is not None}


def _check(plan: Plan) -> None:
    """What must hold for any plan, followed step by step."""
    problem = plan.problem
    holders: dict[Tensor, set[str]] = {}
    for tensor in problem.graph.tensors.values():
        if tensor.role == "input":
            holders[tensor] = {HOST}
        elif tensor.role == "weight":
            home = problem.homes.get(tensor)
            everywhere = {backend.memory for backend in problem.backends}
            holders[tensor] = everywhere if home is None else {HOST, home.backend.memory}
    done = []
    for stage in plan.stages:
        read = {t.root for step in stage.steps for t in step.node.tensors}
        for copy in stage.copies:
            assert copy.source.memory in holders[copy.tensor]
            assert copy.target.memory not in holders[copy.tensor], "copied although it was there"
            assert copy.tensor in read, "copied although nobody reads it"
            holders[copy.tensor].add(copy.target.memory)
        for step in stage.steps:
            assert step.backend is plan.placed[step.node].backend
            assert step.backend.engine is stage.engine
            assert step.backend.supports(step.node)
            assert plan.placed[step.node].cause
            for tensor in step.node.tensors:
                assert any(step.backend.accepts(memory) for memory in holders[tensor.root])
            holders[step.node.output.root] = {step.backend.memory}
            done.append(step.node)
    assert sorted(map(id, done)) == sorted(map(id, problem.graph.nodes))
    for copy in plan.outputs:
        assert HOST not in holders[copy.tensor]
        holders[copy.tensor].add(HOST)
    assert all(HOST in holders[tensor.root] for tensor in problem.graph.outputs)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(GRAPHS, REFUSALS, st.booleans(), st.sampled_from([None, 0.0, 1.0]), st.data())
def test_any_plan_is_sound(
    cpu: CpuBackend,
    graph_and_weights: tuple[Graph, Weights],
    refused: set[str],
    reads_host: bool,
    faster: float | None,
    data: st.DataObject,
) -> None:
    graph, weights = graph_and_weights
    spec = SimSpec(refuse=frozenset(refused), reads_host=reads_host, offload_from=4)
    backends = _backends(cpu, spec, faster)
    homes = _homes(data, weights, backends)
    for tokens in (1, 8):
        plan = make_plan(Problem(graph, backends, homes, {"T": tokens, "R": 1}, COSTS))
        _check(plan)
        used = {placement.backend.name for placement in plan.placed.values()}
        assert faster != 1.0 or "faster" not in used, "an upgrade to something slower"


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40
)
@given(GRAPHS, REFUSALS, st.booleans(), st.sampled_from([None, 0.0]), st.data())
def test_results_are_those_of_the_cpu_alone(
    cpu: CpuBackend,
    graph_and_weights: tuple[Graph, Weights],
    refused: set[str],
    reads_host: bool,
    faster: float | None,
    data: st.DataObject,
) -> None:
    graph, weights = graph_and_weights
    spec = SimSpec(refuse=frozenset(refused), reads_host=reads_host, offload_from=4)
    backends = _backends(cpu, spec, faster)
    homes = _homes(data, weights, backends)
    most = {"T": 9, "R": 9}
    alone = Executor(graph, [cpu], weights, most, homes={}, costs=COSTS)
    placed = Executor(graph, backends, weights, most, homes=homes, costs=COSTS)
    sim = backends[0]
    assert isinstance(sim, SimBackend)
    for tokens in (9, 1, 4, 9):
        inputs = {"tokens": np.arange(tokens, dtype=np.int32) % ROWS}
        sizes = {"T": tokens, "R": 1}
        expected = [values.copy() for values in alone.run(inputs, sizes)]
        sim.counters.clear()
        results = placed.run(inputs, sizes)
        for result, values in zip(results, expected, strict=True):
            assert result.shape == values.shape
            assert np.array_equal(result, values)
        plan = placed.compiled(tokens).plan
        written = [copy for copy in plan.copies if copy.target is sim]
        read = [copy for copy in plan.copies if copy.source is sim]
        assert (sim.counters.writes, sim.counters.reads) == (len(written), len(read))


def _product() -> tuple[Graph, Weights]:
    graph = Graph("product")
    x = graph.tensor("x", (T, 8), "input", F32)
    w = graph.tensor("w", (8, 8), "weight", F32)
    graph.outputs.append(graph.add(ops.linear, x, w, name="y"))
    return graph, {w: stored(np.ones((8, 8), np.float32))}


@pytest.mark.parametrize(
    ("seconds", "costs", "pin", "expected"),
    [
        (0.0, COSTS, "", "faster"),
        (1.0, COSTS, "", "cpu"),
        (0.0, MachineCosts(), "", "cpu"),  # what the CPU takes is only assumed
        (0.0, COSTS, "linear/cpu=1", "cpu"),
    ],
)
def test_a_faster_backend_takes_a_product(
    cpu: CpuBackend,
    seconds: float,
    costs: MachineCosts,
    pin: str,
    expected: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RUNG_PIN", pin)
    graph, weights = _product()
    backends = [FasterHost(cpu, seconds=seconds), cpu]
    homes = {tensor: Home(cpu, "the only memory") for tensor in weights}
    plan = make_plan(Problem(graph, backends, homes, {"T": 8, "R": 1}, costs))
    assert [placed.backend.name for placed in plan.placed.values()] == [expected]
