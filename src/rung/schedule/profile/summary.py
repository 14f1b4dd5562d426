"""Times of a profile by kernel and by layer, and where the rest of the time goes.

A kernel's time is that of its parts on all tracks, divided by the tracks: so the times of all
kernels and of waiting add up to the time of the programs. What one call takes is measured from the
beginning of its first part to the end of its last, and rates are of that.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rung.backends.base import Step
from rung.graph.ir import Node
from rung.registry import Cost
from rung.schedule.costs import KEYS, node_cost
from rung.schedule.profile.phases import Phase, phases
from rung.schedule.profile.runs import PhaseName, Profile, Run, StageTime

_MOST_LAYER_GROUPS = 8
_OUTSIDE = "embedding, output"
# Names of nodes end in their layer (Qcur-0, "ffn_norm-0 rounded"); those of angles in a number of
# their own.
_LAYER = re.compile(r"^(?!rope_angles).*?-(\d+)(?: |$)")


@dataclass(frozen=True, kw_only=True)
class Row:
    """Calls of one kernel, or in one group of layers.

    total_s: time of the parts on all tracks, divided by these. calls_s: from first to last part,
    summed over the calls. predicted_s: what the plan assumed for them.
    """

    name: str
    backend: str = ""
    calls: int = 0
    total_s: float = 0.0
    calls_s: float = 0.0
    predicted_s: float = 0.0
    flops: float = 0.0
    bytes: float = 0.0

    def plus(self, other: Row) -> Row:
        """Both together, under this name."""
        return replace(
            self,
            calls=self.calls + other.calls,
            total_s=self.total_s + other.total_s,
            calls_s=self.calls_s + other.calls_s,
            predicted_s=self.predicted_s + other.predicted_s,
            flops=self.flops + other.flops,
            bytes=self.bytes + other.bytes,
        )

    @property
    def gbs(self) -> float:
        """1e9 bytes a second while it was called."""
        return self.bytes / self.calls_s / 1e9 if self.calls_s else 0.0

    @property
    def gflops(self) -> float:
        """1e9 operations a second while it was called."""
        return self.flops / self.calls_s / 1e9 if self.calls_s else 0.0


@dataclass(frozen=True, kw_only=True)
class PhaseSummary:
    """Prompts or decoding: kernels and layers with the greatest first, and the rest of the time.

    wall_s is the sum of total_s of all kernels, waiting_s (threads for each other), copies_s,
    starting_s (looking up plans, inputs, waking threads), engine_s (making batches), sampling_s and
    between_s (the caller's, such as printing).
    """

    name: PhaseName
    runs: int
    tokens: int
    wall_s: float
    predicted_s: float
    kernels: tuple[Row, ...]
    layers: tuple[Row, ...]
    copied_bytes: int
    copies: int
    waiting_s: float
    copies_s: float
    starting_s: float
    engine_s: float
    sampling_s: float
    between_s: float


@dataclass(frozen=True, kw_only=True)
class Summary:
    """A profile in tables. gaps: what is missing, a line each."""

    phases: tuple[PhaseSummary, ...]
    gaps: tuple[str, ...]

    def __str__(self) -> str:
        from rung.schedule.profile.table import summary_text

        return summary_text(self)


def summarize(profile: Profile) -> Summary:
    """The summary of a profile."""
    return Summary(
        phases=tuple(_summarize_phase(phase) for phase in phases(profile)),
        gaps=tuple(profile.gaps),
    )


def _summarize_phase(phase: Phase) -> PhaseSummary:
    kernels: dict[tuple[str, str], Row] = {}
    layers: dict[str, Row] = {}
    predictions: dict[object, float] = {}
    waiting = programs = 0.0
    for run in phase.runs:
        costs = _Costs(run, predictions)
        for stage in run.stages:
            interval = stage.recording.interval_ns
            if interval is None:
                continue
            inside = (interval[1] - interval[0]) / 1e9
            busy = 0.0
            for step, kernel, row in _calls(stage, costs):
                key = (kernel, step.backend.name)
                named = kernels.get(key, Row(name=kernel, backend=step.backend.name))
                kernels[key] = named.plus(row)
                group = costs.layer_group(step)
                layers[group] = layers.get(group, Row(name=group)).plus(row)
                busy += row.total_s
            programs += inside
            waiting += max(inside - busy, 0.0)
    copies = [copy for run in phase.runs for copy in run.copies]
    copies_s = sum(copy.end_ns - copy.start_ns for copy in copies) / 1e9
    runs_s = sum(run.end_ns - run.start_ns for run in phase.runs) / 1e9
    alone_s = sum(run.end_ns - run.start_ns for run in phase.alone) / 1e9
    forward_s = sum(step.forward_end_ns - step.start_ns for step in phase.steps) / 1e9
    return PhaseSummary(
        name=phase.name,
        runs=len(phase.runs),
        tokens=phase.tokens,
        wall_s=phase.wall_ns / 1e9,
        predicted_s=sum(row.predicted_s for row in kernels.values()),
        kernels=tuple(sorted(kernels.values(), key=lambda row: -row.total_s)),
        layers=tuple(layers[name] for name in sorted(layers, key=_layer_order)),
        copied_bytes=sum(copy.size_bytes for copy in copies),
        copies=len(copies),
        waiting_s=waiting,
        copies_s=copies_s,
        starting_s=runs_s - programs - copies_s,
        engine_s=forward_s - (runs_s - alone_s),
        sampling_s=sum(step.end_ns - step.forward_end_ns for step in phase.steps) / 1e9,
        between_s=phase.between_ns / 1e9,
    )


@dataclass(frozen=True, eq=False)
class StepTimes:
    """By step of a stage, in seconds: on all tracks together, and from first part to last.

    parts [N]: spans of each.
    """

    thread_s: NDArray[np.float64]
    call_s: NDArray[np.float64]
    parts: NDArray[np.int64]


def step_times(stage: StageTime) -> StepTimes:
    """Times of a stage's steps."""
    tracks = stage.recording.tracks
    count = len(stage.facts.steps)
    steps = np.concatenate([track.steps for track in tracks])
    starts = np.concatenate([track.starts_ns for track in tracks])
    ends = np.concatenate([track.ends_ns for track in tracks])
    first = np.full(count, np.iinfo(np.int64).max)
    last = np.zeros(count, np.int64)
    np.minimum.at(first, steps, starts)
    np.maximum.at(last, steps, ends)
    parts = np.bincount(steps, minlength=count)
    return StepTimes(
        np.bincount(steps, weights=ends - starts, minlength=count) / 1e9,
        np.where(parts > 0, last - first, 0) / 1e9,
        parts,
    )


def _calls(stage: StageTime, costs: _Costs) -> Iterable[tuple[Step, str, Row]]:
    """A row for each step that had something to do."""
    times = step_times(stage)
    total_s = times.thread_s / len(stage.recording.tracks)
    numbers = zip(total_s.tolist(), times.call_s.tolist(), times.parts.tolist(), strict=True)
    for plain, (step, kernel), (total, call, parts) in zip(
        stage.facts.steps, stage.done, numbers, strict=True
    ):
        if parts:
            cost = costs.cost(step)
            yield (
                plain,
                kernel,
                Row(
                    name="",
                    calls=1,
                    total_s=total,
                    calls_s=call,
                    predicted_s=costs.predicted(step),
                    flops=cost.flops,
                    bytes=cost.bytes,
                ),
            )


class _Costs:
    """What a run's steps compute, read and were predicted to take."""

    def __init__(self, run: Run, known: dict[object, float]) -> None:
        self._run = run
        self._known = known
        layers = [_layer(node) for node in run.plan.problem.graph.nodes]
        self._layers = 1 + max((n for n in layers if n is not None), default=-1)

    def cost(self, step: Step) -> Cost:
        """Operations and bytes."""
        flops, read = (self._key(step, what) for what in ("flops", "bytes"))
        if flops not in self._known:
            cost = node_cost(step.node, self._run.sizes)
            self._known[flops], self._known[read] = cost.flops, cost.bytes
        return Cost(self._known[flops], self._known[read])

    def predicted(self, step: Step) -> float:
        """Seconds, by the costs that the plan was made with."""
        key = self._key(step, "seconds", step.backend.name)
        if key not in self._known:
            costs = self._run.plan.problem.costs
            self._known[key] = costs.seconds(step.backend, step.node, self._run.sizes)
        return self._known[key]

    def _key(self, step: Step, *what: str) -> object:
        """Equal where the answer is: the keys that a token sees matter to who reads a cache."""
        reads_cache = any(tensor.root.role == "state" for tensor in step.node.tensors)
        sizes = self._run.sizes
        seen = sizes.get(KEYS) if reads_cache else None
        return (what, step.node.signature, sizes.get("T"), sizes.get("R"), seen)

    def layer_group(self, step: Step) -> str:
        """The layers that a node stands among, such as "layers 4-7", or what lies outside them."""
        layer = _layer(step.node)
        if layer is None:
            return _OUTSIDE
        size = -(-self._layers // _MOST_LAYER_GROUPS)
        first = layer // size * size
        last = min(first + size, self._layers) - 1
        return f"layer {first}" if first == last else f"layers {first}-{last}"


def _layer(node: Node) -> int | None:
    match = _LAYER.match(node.name)
    return int(match[1]) if match else None


def _layer_order(name: str) -> tuple[int, str]:
    """Layers in order, what is outside them at the end."""
    number = name.partition(" ")[2].partition("-")[0]
    return (int(number), name) if number.isdecimal() else (1 << 30, name)
