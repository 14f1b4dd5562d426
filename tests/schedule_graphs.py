"""Random graphs and host backends for tests of the scheduler."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from hypothesis import strategies as st

from rung import ops
from rung.backends.cpu.backend import TeamBackend
from rung.backends.cpu.team import Team
from rung.graph.ir import Graph, Node, T, Tensor
from rung.registry import Kernel, select
from rung.storage import F32, I32, StoredTensor, stored

WIDTHS = (8, 24)
ROWS = 5  # of the table that the graph begins with


class FasterHost(TeamBackend):
    """Some ops of the CPU's kernels under another name, said to be faster or slower."""

    name = "faster"

    def __init__(self, cpu: TeamBackend, *, seconds: float, takes: str = "linear") -> None:
        super().__init__()
        self._cpu = cpu
        self._seconds = seconds
        self._takes = takes

    @property
    def engine(self) -> TeamBackend:
        return self._cpu

    @property
    def identity(self) -> str:
        return self.name

    @property
    def team(self) -> Team:
        return self._cpu.team

    def _select(self, node: Node) -> Kernel:
        return select(node.op, "cpu", node.specs, node.attributes)

    def supports(self, node: Node) -> bool:
        return node.op.name == self._takes and super().supports(node)

    def seconds(self, node: Node, sizes: Mapping[str, int]) -> float:
        return self._seconds

    def wants_offload(self, node: Node, sizes: Mapping[str, int]) -> bool:
        return True

    def describe(self) -> dict[str, Any]:
        return {}

    def close(self) -> None:
        """Nothing."""


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Graph, dict[Tensor, StoredTensor]]:
    """Products, sums, norms and activations of earlier tensors, and a cache; with weights."""
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    graph = Graph("random")
    weights: dict[Tensor, StoredTensor] = {}

    def weight(*shape: int) -> Tensor:
        tensor = graph.tensor(f"blk.{len(weights) // 3}.w{len(weights)}", shape, "weight", F32)
        weights[tensor] = stored(rng.standard_normal(shape).astype(np.float32))
        return tensor

    ids = graph.tensor("tokens", (T,), "input", I32)
    by_width = {
        width: [graph.add(ops.embedding, ids, weight(ROWS, width), name=f"start{width}")]
        for width in WIDTHS
    }
    for index in range(draw(st.integers(1, 12))):
        width = draw(st.sampled_from(WIDTHS))
        x = draw(st.sampled_from(by_width[width]))
        y = draw(st.sampled_from(by_width[width]))
        kind = draw(st.sampled_from(["linear", "residual", "add", "rms_norm", "swiglu", "view"]))
        name = f"{kind}{index}"
        if kind == "linear":
            to = draw(st.sampled_from(WIDTHS))
            by_width[to].append(graph.add(ops.linear, x, weight(to, width), name=name))
        elif kind == "residual":
            by_width[width].append(
                graph.add(ops.linear, x, weight(width, width), None, y, name=name)
            )
        elif kind == "add":
            by_width[width].append(graph.add(ops.add, x, y, name=name))
        elif kind == "swiglu":
            by_width[width].append(graph.add(ops.swiglu, x, y, name=name))
        elif kind == "view":
            known = graph.tensors.get(f"{x.name} as T×2×{width // 2}")
            halves = known or graph.view(x, (T, 2, width // 2))
            normed = graph.add(ops.head_norm, halves, weight(width // 2), name=name, eps=1e-5)
            flat = graph.view(normed, (T, width))
            by_width[width].append(graph.add(ops.add, flat, y, name=f"{name} + {y.name}"))
        else:
            by_width[width].append(graph.add(ops.rms_norm, x, weight(width), name=name, eps=1e-5))
    made = [tensor for found in by_width.values() for tensor in found]
    graph.outputs.append(graph.nodes[-1].output)
    extra = draw(st.sampled_from(made))
    if extra.root is not graph.outputs[0].root:
        graph.outputs.append(extra)
    graph.verify()
    return graph, weights
