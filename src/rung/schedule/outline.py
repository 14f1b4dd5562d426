"""What really starts on devices whose programs fuse neighboring nodes: kernels and dispatches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rung.backends.base import Backend, Launch
from rung.registry import Cost
from rung.schedule.plan import Plan


@dataclass(frozen=True)
class Outline:
    """A plan with the launches of each stage; none where the backend runs node by node."""

    plan: Plan
    stages: tuple[tuple[Launch, ...], ...]

    @staticmethod
    def of(plan: Plan, most: Mapping[str, int]) -> Outline:
        """What a run of the plan's sizes starts, where programs are made for sizes up to `most`.

        Asks the backends, which must be open. Nothing is allocated nor compiled for it.
        """
        shared = plan.memory(most)
        found = []
        for stage in plan.stages:
            places = shared.get(stage.engine.memory)
            found.append(
                stage.engine.launches(
                    stage.steps,
                    places.offsets if places is not None else {},
                    most=most,
                    sizes=plan.problem.sizes,
                    kept=plan.kept(stage),
                )
            )
        return Outline(plan, tuple(map(tuple, found)))

    @property
    def dispatches(self) -> int:
        """Of all stages that have launches."""
        return sum(launch.dispatches for launches in self.stages for launch in launches)

    @property
    def seconds(self) -> float:
        """Predicted time of a run: what starts, and copies, one after another."""
        plan = self.plan
        total = plan.copy_seconds
        for stage, launches in zip(plan.stages, self.stages, strict=True):
            if launches:
                total += sum(self.launch_seconds(stage.engine, launch) for launch in launches)
            else:
                total += sum(plan.problem.seconds(s.backend, s.node) for s in stage.steps)
        return total

    def launch_seconds(self, backend: Backend, launch: Launch) -> float:
        """Predicted time of a launch; each of its dispatches but the first costs a start more."""
        start_s = backend.cost_seconds(Cost(0.0, 0.0)) or 0.0
        more = max(launch.dispatches - 1, 0)
        return self.plan.problem.seconds(backend, launch.node) + more * start_s
