"""A plan: where every node runs for a batch, what is copied, and how memory is shared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rung.graph.ir import Node, Tensor
from rung.schedule.memory import MemoryPlan, lifetimes_by_memory, share, share_whole
from rung.schedule.order import order
from rung.schedule.place import Placements, place
from rung.schedule.problem import Placement, Problem
from rung.schedule.split import Copy, Stage, cut


@dataclass(frozen=True)
class Plan:
    """The answer to a Problem. `outputs` are copies that bring results to the host at the end."""

    problem: Problem
    placed: Mapping[Node, Placement]
    stages: tuple[Stage, ...]
    outputs: tuple[Copy, ...]

    @property
    def copies(self) -> list[Copy]:
        """Every copy of a run, in order."""
        return [copy for stage in self.stages for copy in stage.copies] + list(self.outputs)

    @property
    def copied_bytes(self) -> int:
        """Bytes that a run of the planned sizes moves between memories."""
        return sum(self.problem.size_bytes(copy.tensor) for copy in self.copies)

    @property
    def seconds(self) -> float:
        """Predicted time of a run: nodes and copies one after another."""
        problem = self.problem
        nodes = sum(problem.seconds(self.placed[n].backend, n) for n in problem.graph.nodes)
        return nodes + self.copy_seconds

    @property
    def copy_seconds(self) -> float:
        """Predicted time of a run's copies."""
        problem = self.problem
        return sum(
            problem.costs.copy_seconds(copy.source, copy.target, problem.size_bytes(copy.tensor))
            for copy in self.copies
        )

    @property
    def layout(self) -> tuple[tuple[Node, str], ...]:
        """Nodes in order with their backends: plans that agree in this run the same programs."""
        return tuple(
            (step.node, step.backend.name) for stage in self.stages for step in stage.steps
        )

    def kept(self, stage: Stage) -> set[Tensor]:
        """Roots that others than a stage read: later stages, copies, whoever asked for outputs."""
        others = [other for other in self.stages if other is not stage]
        kept = {copy.tensor for copy in self.outputs}
        kept |= {copy.tensor for other in others for copy in other.copies}
        kept |= {t.root for other in others for step in other.steps for t in step.node.tensors}
        return kept | {tensor.root for tensor in self.problem.graph.outputs}

    def memory(self, sizes: Mapping[str, int]) -> dict[str, MemoryPlan]:
        """How each memory is shared, for run-time sizes up to these."""
        placed: Placements = dict(self.placed)
        lives = lifetimes_by_memory(self.problem, placed, self.stages, self.outputs, sizes)
        whole = {backend.memory for backend in self.problem.backends if backend.whole_places}
        return {m: share_whole(found) if m in whole else share(found) for m, found in lives.items()}


def make_plan(problem: Problem) -> Plan:
    """Places, orders and cuts. Raises BackendError where a state is out of reach."""
    placed = place(problem)
    stages, outputs = cut(problem, placed, order(problem, placed))
    return Plan(problem, placed, tuple(stages), tuple(outputs))
