"""Profile: what every run of a graph takes, collected while a model works.

All times are those of time.perf_counter_ns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rung.backends.base import Step
from rung.backends.recording import Recording
from rung.schedule.plan import Plan
from rung.schedule.split import Stage

if TYPE_CHECKING:
    from rung.schedule.profile.summary import Summary

PhaseName = Literal["prompt", "decode"]

MOST_SPANS = 4_000_000
"""Spans that a profile holds by default: some 100 MB, or 10,000 tokens of a model of 22 layers."""


@dataclass(frozen=True, eq=False)
class CopyTime:
    """A tensor that went from one backend's memory to another's, as the host saw it."""

    tensor: str
    source: str
    target: str
    size_bytes: int
    start_ns: int
    end_ns: int


@dataclass(frozen=True, eq=False)
class StageFacts:
    """What is the same in all runs of a stage; found out when somebody looks, not in a run."""

    stage: Stage

    @property
    def engine(self) -> str:
        """The backend that runs it."""
        return self.stage.engine.name

    @cached_property
    def steps(self) -> list[Step]:
        """Its nodes in order, each with its backend."""
        return self.stage.steps

    @cached_property
    def kernels(self) -> list[str]:
        """Each step's kernel, by the name that its backend gives it."""
        return [
            step.backend.kernel_name(step.node) or f"{step.node.op.name}/{step.backend.name}"
            for step in self.steps
        ]


@dataclass(frozen=True, eq=False)
class StageTime:
    """A program from the host's call to its return, and what its tracks told."""

    facts: StageFacts
    start_ns: int
    end_ns: int
    recording: Recording

    @cached_property
    def done(self) -> list[tuple[Step, str]]:
        """What was computed in each step, and by which kernel, as far as tracks tell more.

        A step that was fused with its neighbors stands for all of them.
        """
        nodes = {at: node for track in self.recording.tracks for at, node in track.nodes.items()}
        names = {at: name for track in self.recording.tracks for at, name in track.kernels.items()}
        pairs = enumerate(zip(self.facts.steps, self.facts.kernels, strict=True))
        return [
            (replace(step, node=nodes.get(at, step.node)), names.get(at, kernel))
            for at, (step, kernel) in pairs
        ]


@dataclass(frozen=True, eq=False)
class Run:
    """One run of a graph: the plan that it followed, copies, programs, and the host's time.

    sizes: also how many keys a token sees on average, where the graph has positions.
    """

    plan: Plan
    sizes: Mapping[str, int]
    copies: Sequence[CopyTime]
    stages: Sequence[StageTime]
    start_ns: int
    end_ns: int


@dataclass(frozen=True, kw_only=True)
class EngineStep:
    """One step of the engine: a batch run, tokens sampled from it.

    phase: "decode" where every token of the batch was generated, else "prompt".
    """

    phase: PhaseName
    tokens: int
    sampled: int
    start_ns: int
    forward_end_ns: int
    end_ns: int


class Profile:
    """Collects runs and steps, up to `most_spans` spans of tracks; what comes later is counted.

    skipped_runs: runs that came when it was full; none of their times are in it.
    """

    def __init__(self, *, most_spans: int = MOST_SPANS) -> None:
        self.most_spans = most_spans
        self.runs: list[Run] = []
        self.steps: list[EngineStep] = []
        self.spans = 0
        self.skipped_runs = 0

    @property
    def is_full(self) -> bool:
        """Whether it takes no more runs."""
        return self.spans >= self.most_spans

    def add_run(self, run: Run) -> None:
        """Takes a run."""
        self.runs.append(run)
        self.spans += sum(stage.recording.spans for stage in run.stages)

    def skip_run(self) -> None:
        """Counts a run that there is no room for."""
        self.skipped_runs += 1

    def add_step(self, step: EngineStep) -> None:
        """Takes an engine's step, unless its run was skipped."""
        if self.runs and self.runs[-1].start_ns >= step.start_ns:
            self.steps.append(step)

    @property
    def lost_spans(self) -> int:
        """Spans of recorded runs that found no room on their track."""
        return sum(stage.recording.lost for run in self.runs for stage in run.stages)

    @property
    def gaps(self) -> list[str]:
        """What is missing, a line each."""
        found = []
        if self.skipped_runs:
            found.append(
                f"{self.skipped_runs} more runs are not in this profile, which was full after "
                f"{len(self.runs)} ({self.spans:,} spans); profile fewer tokens at once"
            )
        if lost := self.lost_spans:
            found.append(
                f"{lost:,} spans are missing, for a thread has only so much room in a program; "
                "kernels' times lack them"
            )
        return found

    def summary(self) -> Summary:
        """Times by kernel and by layer, prompts and decoding apart; `str()` makes tables of it."""
        from rung.schedule.profile.summary import summarize

        return summarize(self)

    def write(self, path: str | Path) -> None:
        """A trace that ui.perfetto.dev and chrome://tracing show.

        Written beside and renamed. Raises RungError where that fails.
        """
        from rung.schedule.profile.trace import write_trace

        write_trace(self, Path(path))
