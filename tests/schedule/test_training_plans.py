"""A training graph on a device and the host by turns: the same bits as on the host alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import numpy as np
import pytest

from rung import ops
from rung.backends.base import Backend
from rung.backends.cpu.backend import CpuBackend
from rung.backends.cpu.program import waits
from rung.backends.sim.backend import SimBackend
from rung.backends.sim.spec import SimSpec
from rung.graph.grad import LOSS_GRADIENT, differentiate
from rung.graph.ir import Graph, concrete
from rung.models.trainable import TrainableDecoder
from rung.schedule.costs import MachineCosts
from rung.schedule.execute import Executor
from rung.schedule.order import order
from rung.schedule.problem import Home, Placement, Problem
from rung.schedule.split import cut
from rung.storage import F32, StoredTensor, stored
from support import GPT2, tiny_config

ROWS = 8


@pytest.fixture(scope="module")
def cpu() -> Iterator[CpuBackend]:
    backend = CpuBackend(threads=2)
    yield backend
    backend.close()


def _graph() -> Graph:
    """A step of a tiny GPT-2, and an update of the table."""
    config = tiny_config(**GPT2)
    forward = TrainableDecoder(config, sequences=2, tokens=4, chunk_rows=4).build()
    weights = [t.name for t in forward.of_role("state") if not t.name.startswith("kq_lse")]
    graph = differentiate(forward, forward.tensors["loss"], weights).graph
    name, shape = "token_embd.weight", (config.vocab_size * config.dim,)
    w = graph.view(graph.tensors[name], shape)
    g = graph.view(graph.tensors[f"{name} gradient"], shape)
    m, v = (graph.tensor(f"{name} {moment}", shape, "state") for moment in "mv")
    factor, numbers = graph.tensor("factor", (2,), "input"), graph.tensor("numbers", (9,), "input")
    graph.add(ops.adamw, w, m, v, g, factor, numbers, name="updated", decays=True)
    graph.verify()
    return graph


def _states_after(
    graph: Graph, backends: list[Backend], home: Backend
) -> tuple[float, dict[str, np.ndarray]]:
    """The loss of two steps together, and every state after them."""
    rng = np.random.default_rng(0)
    states = {}
    for tensor in graph.of_role("state"):
        states[tensor.name] = home.allocate(F32, concrete(tensor.shape, {}))
        values = rng.standard_normal(states[tensor.name].shape).astype(np.float32) * np.float32(0.3)
        home.write(states[tensor.name], stored(np.abs(values)), values.shape)
    homes = {tensor: Home(home, "asked for") for tensor in graph.of_role("state")}
    executor = Executor(
        graph, backends, {}, {"T": ROWS}, homes=homes, costs=MachineCosts(), states=states
    )
    inputs = {name: rng.integers(0, 300, ROWS).astype(np.int32) for name in ("tokens", "targets")}
    floats = {
        LOSS_GRADIENT: [1.0],
        "factor": [1.0, 0.5],
        "numbers": [1, 0, 0.01, 0.9, 0.99, 1e-8, 0.1, 0.1, 0.01],
    }
    inputs |= {name: np.array(values, np.float32).view(np.int32) for name, values in floats.items()}
    inputs["positions"] = np.tile(np.arange(4, dtype=np.int32), 2)
    loss = sum(float(executor.run(inputs, {"T": ROWS})[0][0]) for _ in range(2))
    after = {}
    for name, buffer in states.items():
        target = stored(np.empty(buffer.shape, np.float32))
        home.read(buffer, target, buffer.shape)
        after[name] = cast(StoredTensor, target).float32()
    return loss, after


@pytest.mark.parametrize(
    "refused",
    [
        "",
        "refuse=gelu_backward|chunk_backward|norm_statistics",
        "refuse=mean_loss|cross_entropy|gelu",
    ],
    ids=["nothing refused", "backward on the host", "the loss on the host"],
)
def test_states_on_a_device_end_as_on_the_host(cpu: CpuBackend, refused: str) -> None:
    graph = _graph()
    device = SimBackend(cpu, SimSpec.parse(refused))
    expected_loss, expected = _states_after(graph, [cpu], cpu)
    loss, found = _states_after(graph, [device, cpu], device)
    assert loss == expected_loss
    for name, values in expected.items():
        assert np.isfinite(values).all(), name
        np.testing.assert_array_equal(found[name], values, name)


def _updates() -> Graph:
    """Three weights' updates with one second moment: each must wait for the one before."""
    graph = Graph("updates")
    v, g = graph.tensor("v", (8,), "state"), graph.tensor("g", (8,), "state")
    factor, numbers = graph.tensor("factor", (2,), "input"), graph.tensor("numbers", (9,), "input")
    for name in "abc":
        w, m = (graph.tensor(f"{name} {what}", (8,), "state") for what in "wm")
        tensors = (w, m, v, g, factor, numbers)
        graph.add(ops.adamw, *tensors, name=f"{name} updated", decays=False)
    graph.verify()
    return graph


def test_what_is_written_besides_the_output_is_waited_for(cpu: CpuBackend) -> None:
    graph = _updates()
    roots = [tensor for tensor in graph.tensors.values() if tensor.base is None]
    memory = {tensor: cpu.allocate(F32, concrete(tensor.shape, {})) for tensor in roots}
    assert waits(graph.nodes, memory) == [-1, 0, 1]
    device = SimBackend(cpu, SimSpec.parse(""))
    # The device would go on with its second update, were that not to wait for the host's.
    placed = {
        node: Placement(backend, "asked for")
        for node, backend in zip(graph.nodes, (device, cpu, device), strict=True)
    }
    problem = Problem(graph, [device, cpu], {}, {}, MachineCosts())
    assert order(problem, placed) == graph.nodes
    stages, _ = cut(problem, placed, graph.nodes)
    copied = [[copy.tensor.name for copy in stage.copies] for stage in stages]
    assert ["v" in names for names in copied] == [True, True, True]
