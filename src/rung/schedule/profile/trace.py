"""A profile as a trace file: the trace event format that ui.perfetto.dev and chrome://tracing read.

A process for the engine (steps, tokens), one for the schedule (programs, copies), and one for each
backend with a thread for each of its tracks. Spans of one thread never overlap. Times are in
microseconds from the first event on.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from rung.backends.base import Step
from rung.backends.recording import Track
from rung.formats.files import replacing
from rung.graph.ir import concrete
from rung.schedule.costs import node_cost
from rung.schedule.profile.phases import runs_with_steps
from rung.schedule.profile.runs import CopyTime, Profile, Run, StageTime

Event = dict[str, Any]

_ENGINE, _SCHEDULE = ("engine", "steps"), ("schedule", "programs")
_SHORTEST_WAIT_NS = 200  # what lies between two parts anyway is 60 to 100 ns on Zen 4


def write_trace(profile: Profile, path: Path) -> None:
    """Writes it beside and renames. Raises RungError where that fails."""
    with replacing(path) as file:
        file.write(b'{"displayTimeUnit": "ms", "otherData": ')
        file.write(json.dumps(_facts(profile), ensure_ascii=False).encode())
        file.write(b', "traceEvents": [\n')
        for index, event in enumerate(events(profile)):
            file.write(b",\n" if index else b"")
            file.write(json.dumps(event, ensure_ascii=False).encode())
        file.write(b"\n]}\n")


def _facts(profile: Profile) -> dict[str, Any]:
    return {
        "runs": len(profile.runs),
        "skipped_runs": profile.skipped_runs,
        "lost_spans": profile.lost_spans,
        "missing": " ".join(profile.gaps),
    }


def events(profile: Profile) -> Iterator[Event]:
    """All events: spans and instants run by run, then the names of processes and threads."""
    places = _Places(_first_ns(profile))
    tokens = 0
    for step in profile.steps:
        args = {"tokens": step.tokens, "phase": step.phase}
        yield places.span(_ENGINE, step.phase, step.start_ns, step.forward_end_ns, args)
        yield places.span(_ENGINE, "sample", step.forward_end_ns, step.end_ns, {})
        if step.sampled:
            tokens += step.sampled
            yield places.instant(_ENGINE, f"token {tokens}", step.end_ns)
    for run, engine_step in runs_with_steps(profile):
        phase = engine_step.phase if engine_step is not None else ""
        for copy in run.copies:
            yield _copy_event(places, copy)
        for stage in run.stages:
            args = _sizes(run) | {"nodes": len(stage.facts.steps), "phase": phase}
            name = f"program on {stage.facts.engine}"
            yield places.span(_SCHEDULE, name, stage.start_ns, stage.end_ns, args)
            yield from _stage_events(places, run, stage)
    yield from places.names()


def _first_ns(profile: Profile) -> int:
    starts = [run.start_ns for run in profile.runs[:1]]
    return min([*starts, *(step.start_ns for step in profile.steps[:1])], default=0)


def _sizes(run: Run) -> dict[str, Any]:
    """Sizes of a run, and the batch that its plan was made for."""
    return {**run.sizes, "plan": f"for T={run.plan.problem.sizes['T']}"}


def _copy_event(places: _Places, copy: CopyTime) -> Event:
    seconds = (copy.end_ns - copy.start_ns) / 1e9
    args = {
        "from": copy.source,
        "to": copy.target,
        "bytes": copy.size_bytes,
        "GB/s": _rate(copy.size_bytes, seconds),
    }
    where = ("schedule", "copies")
    name = f"{copy.tensor}: {copy.source} → {copy.target}"
    return places.span(where, name, copy.start_ns, copy.end_ns, args)


def _stage_events(places: _Places, run: Run, stage: StageTime) -> Iterator[Event]:
    interval = stage.recording.interval_ns
    if interval is None:
        return
    tracks = stage.recording.tracks
    count = len(stage.facts.steps)
    parts = sum(np.bincount(track.steps, minlength=count) for track in tracks)
    works = [_Work(run, stage, index, int(n)) for index, n in enumerate(np.atleast_1d(parts))]
    for track in tracks:
        where = (track.backend, track.name)
        done = interval[0]
        for step, part, start, end in zip(
            *(track.steps.tolist(), track.parts.tolist()),
            *(track.starts_ns.tolist(), track.ends_ns.tolist()),
            strict=True,
        ):
            work = works[step]
            if start - done >= _SHORTEST_WAIT_NS:
                yield _wait(places, track, done, start, {"before": work.name})
            yield places.span(where, work.name, start, end, work.args(part, end - start))
            done = end
        if interval[1] - done >= _SHORTEST_WAIT_NS:
            yield _wait(places, track, done, interval[1], {"before": "the end of the program"})


def _wait(places: _Places, track: Track, start: int, end: int, args: dict[str, str]) -> Event:
    return places.span((track.backend, track.name), "wait", start, end, args)


class _Work:
    """What the events of one step of a run say, but for their own part and rates."""

    def __init__(self, run: Run, stage: StageTime, index: int, parts: int) -> None:
        step, kernel = stage.done[index]
        self.name = stage.facts.steps[index].node.name
        self._parts = max(parts, 1)
        cost = node_cost(step.node, run.sizes)
        self._bytes, self._flops = cost.bytes / self._parts, cost.flops / self._parts
        self._said = {
            "op": step.node.op.name,
            "kernel": kernel,
            "on": step.backend.name,
            "shapes": _shapes(step, run),
        }

    def args(self, part: int, took_ns: int) -> dict[str, Any]:
        """Of one part; bytes and rates are its share of the node's."""
        return self._said | {
            "part": f"{part + 1} of {self._parts}",
            "bytes": round(self._bytes),
            "GB/s": _rate(self._bytes, took_ns / 1e9),
            "GFLOP/s": _rate(self._flops, took_ns / 1e9),
        }


def _shapes(step: Step, run: Run) -> str:
    """Shapes and types of inputs, as "x_TK 1×288 f32"."""
    return ", ".join(
        f"{name} {'×'.join(map(str, concrete(t.shape, run.sizes)))} {t.type.name}"
        for name, t in step.node.inputs.items()
        if t is not None
    )


def _rate(amount: float, seconds: float) -> float:
    return round(amount / seconds / 1e9, 3) if seconds else 0.0


class _Places:
    """Processes and threads by name, numbered as they come, and events on them."""

    def __init__(self, first_ns: int) -> None:
        self._first_ns = first_ns
        self._processes: dict[str, int] = {}
        self._threads: dict[tuple[str, str], int] = {}

    def span(
        self, where: tuple[str, str], name: str, start_ns: int, end_ns: int, args: dict[str, Any]
    ) -> Event:
        """A complete event."""
        return self._event("X", where, name, start_ns) | {
            "dur": (end_ns - start_ns) / 1e3,
            "args": args,
        }

    def instant(self, where: tuple[str, str], name: str, at_ns: int) -> Event:
        """A moment, drawn across all processes."""
        return self._event("i", where, name, at_ns) | {"s": "g"}

    def names(self) -> Iterator[Event]:
        """What the numbers stand for."""
        for process, pid in self._processes.items():
            for kind, args in (
                ("process_name", {"name": process}),
                ("process_sort_index", {"sort_index": pid}),
            ):
                yield {"ph": "M", "name": kind, "pid": pid, "args": args}
        for (process, thread), tid in self._threads.items():
            pid = self._processes[process]
            yield {
                "ph": "M",
                "name": "thread_name",
                "pid": pid,
                "tid": tid,
                "args": {"name": thread},
            }

    def _event(self, kind: str, where: tuple[str, str], name: str, at_ns: int) -> Event:
        pid = self._processes.setdefault(where[0], len(self._processes) + 1)
        tid = self._threads.setdefault(where, len(self._threads) + 1)
        return {
            "ph": kind,
            "name": name,
            "pid": pid,
            "tid": tid,
            "ts": (at_ns - self._first_ns) / 1e3,
        }
