"""Runs and the engine's steps around them, prompts and decoding apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from rung.schedule.profile.runs import EngineStep, PhaseName, Profile, Run

PHASES: tuple[PhaseName, ...] = ("prompt", "decode")


@dataclass
class Phase:
    """All runs of a kind, and the steps that they belong to; a run may belong to none.

    between_ns: time between steps of a text, which is its reader's.
    """

    name: PhaseName
    runs: list[Run] = field(default_factory=list)
    steps: list[EngineStep] = field(default_factory=list)
    alone: list[Run] = field(default_factory=list)
    between_ns: int = 0

    @property
    def wall_ns(self) -> int:
        """Everything: steps, what lies between them, runs outside any step."""
        in_steps = sum(step.end_ns - step.start_ns for step in self.steps)
        return in_steps + self.between_ns + sum(run.end_ns - run.start_ns for run in self.alone)

    @property
    def tokens(self) -> int:
        """Tokens read."""
        return sum(run.sizes.get("T", 0) for run in self.runs)


def phases(profile: Profile) -> list[Phase]:
    """Prompts and decoding, those of them that there are.

    A run outside any step is a prompt where it has several tokens.
    """
    found = {name: Phase(name) for name in PHASES}
    for run, step in runs_with_steps(profile):
        several: PhaseName = "prompt" if run.sizes.get("T", 1) > 1 else "decode"
        phase = found[several if step is None else step.phase]
        phase.runs.append(run)
        if step is None:
            phase.alone.append(run)
    before: EngineStep | None = None
    for step in profile.steps:
        found[step.phase].steps.append(step)
        # What was before a new prompt is no part of any text.
        if before is not None and (step.phase == "decode" or not before.sampled):
            found[step.phase].between_ns += step.start_ns - before.end_ns
        before = step
    return [phase for phase in found.values() if phase.runs]


def runs_with_steps(profile: Profile) -> Iterator[tuple[Run, EngineStep | None]]:
    """Each run with the step in whose time it lies."""
    steps = iter(profile.steps)
    step = next(steps, None)
    for run in profile.runs:
        while step is not None and step.end_ns <= run.start_ns:
            step = next(steps, None)
        yield run, step if step is not None and step.start_ns <= run.start_ns else None
