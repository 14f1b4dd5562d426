"""Profiles: nothing missing, nothing twice, times that add up, results that stay the same."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rung
import trace_picture
from rung.backends.cpu import recorder
from rung.engine.batch import Batch
from rung.engine.model import Model
from rung.errors import RungError, UsageError
from rung.schedule.costs import KEYS
from rung.schedule.profile.runs import Profile, Run, StageTime
from rung.schedule.profile.summary import PhaseSummary

PROMPT = "Once upon a time there was a little rabbit"
GENERATED = 6


@pytest.fixture(scope="module", params=["cpu", "sim"])
def model(request: pytest.FixtureRequest) -> Iterator[Model]:
    options = {"device": "sim", "gpu_layers": 3} if request.param == "sim" else {}
    with rung.load(threads=3, context_length=64, **options) as opened:
        yield opened


def _generate(model: Model) -> list[int]:
    options = {"max_tokens": GENERATED, "temperature": 0, "ignore_eos": True}
    return model.generate(PROMPT, **options).complete().tokens


@pytest.fixture(scope="module")
def profile(model: Model) -> Profile:
    with model.profile() as taken:
        _generate(model)
    return taken


def _stages(profile: Profile) -> Iterator[tuple[Run, StageTime]]:
    for run in profile.runs:
        for stage in run.stages:
            yield run, stage


def test_every_part_of_every_op_is_there_once(profile: Profile) -> None:
    assert len(profile.runs) == GENERATED
    assert profile.gaps == []
    for run, stage in _stages(profile):
        tracks = stage.recording.tracks
        assert len(tracks) == 3
        parts = Counter(
            pair
            for track in tracks
            for pair in zip(track.steps.tolist(), track.parts.tolist(), strict=True)
        )
        assert set(parts.values()) == {1}
        for step in range(len(stage.facts.steps)):
            found = sorted(part for at, part in parts if at == step)
            assert found == list(range(len(found)))
            assert found, stage.facts.steps[step].node.name
        assert sum(len(s.facts.steps) for s in run.stages) == len(run.plan.problem.graph.nodes)
        assert stage.recording.spans == parts.total()


def test_parts_come_one_after_another_and_after_what_they_read(profile: Profile) -> None:
    for run, stage in _stages(profile):
        recording = stage.recording
        interval = recording.interval_ns
        assert interval is not None
        assert run.start_ns <= stage.start_ns <= interval[0]
        assert interval[1] <= stage.end_ns <= run.end_ns
        for track in recording.tracks:
            times = np.stack([track.starts_ns, track.ends_ns], axis=1).reshape(-1)
            assert (np.diff(times) >= 0).all()
            if track.entered_ns:
                assert track.entered_ns <= min(times, default=track.entered_ns)
                assert track.left_ns >= max(times, default=track.entered_ns)
        nodes = [step.node for step in stage.facts.steps]
        makers = {node.output.root: index for index, node in enumerate(nodes)}
        steps, starts, ends = (
            np.concatenate([getattr(track, name) for track in recording.tracks])
            for name in ("steps", "starts_ns", "ends_ns")
        )
        for index, node in enumerate(nodes):
            for tensor in node.tensors:
                maker = makers.get(tensor.root, index)
                if maker < index:
                    assert starts[steps == index].min() >= ends[steps == maker].max()


def test_results_are_the_same_with_a_profile(model: Model) -> None:
    alone = _generate(model)
    with model.profile():
        assert _generate(model) == alone
        logits = model.logits(range(3, 20))
    assert np.array_equal(logits, model.logits(range(3, 20)))


def _rest(phase: PhaseSummary) -> float:
    others = phase.waiting_s + phase.copies_s + phase.starting_s
    return others + phase.engine_s + phase.sampling_s + phase.between_s


def test_the_summary_adds_up(profile: Profile) -> None:
    summary = profile.summary()
    prompt, decode = summary.phases
    assert (prompt.name, prompt.runs, decode.name, decode.runs) == ("prompt", 1, "decode", 5)
    assert decode.tokens == 5
    assert prompt.tokens == profile.runs[0].sizes["T"] > 1
    nodes = len(profile.runs[0].plan.problem.graph.nodes)
    for phase in summary.phases:
        total = sum(row.total_s for row in phase.kernels)
        assert total + _rest(phase) == pytest.approx(phase.wall_s, rel=1e-9)
        assert sum(row.total_s for row in phase.layers) == pytest.approx(total, rel=1e-9)
        assert sum(row.calls for row in phase.kernels) == nodes * phase.runs
        assert sum(row.calls for row in phase.layers) == nodes * phase.runs
        assert min(phase.waiting_s, phase.starting_s, phase.engine_s, phase.sampling_s) > 0
        assert [row.name for row in phase.layers] == [
            *(f"layer {n}" for n in range(5)),
            "embedding, output",
        ]
        for row in phase.kernels:
            assert row.calls_s > 0
            assert row.predicted_s > 0
            assert row.bytes > 0
    spans = sum(track.busy_ns for _, stage in _stages(profile) for track in stage.recording.tracks)
    found = sum(row.total_s for phase in summary.phases for row in phase.kernels)
    assert found * 3 == pytest.approx(spans / 1e9, rel=1e-9)


def test_the_tables_name_kernels_and_where_else_time_goes(profile: Profile) -> None:
    text = str(profile.summary())
    for run, stage in _stages(profile):
        assert all(kernel in text for kernel in stage.facts.kernels)
        assert ("copies (" in text) == bool(run.copies)
    for what in (
        "waiting for other threads",
        "sampling",
        "starting programs",
        "prompt:",
        "decode:",
    ):
        assert what in text


def test_copies_tell_what_went_where(profile: Profile) -> None:
    for run in profile.runs:
        assert [copy.tensor for copy in run.copies] == [c.tensor.name for c in run.plan.copies]
        for copy, planned in zip(run.copies, run.plan.copies, strict=True):
            assert (copy.source, copy.target) == (planned.source.name, planned.target.name)
            assert run.start_ns <= copy.start_ns <= copy.end_ns <= run.end_ns
            if "T" in str(planned.tensor.shape):
                width = np.prod([size for size in planned.tensor.shape if isinstance(size, int)])
                assert copy.size_bytes == 4 * width * run.sizes["T"]


def _trace(profile: Profile, path: Path) -> dict[str, Any]:
    profile.write(path)
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def test_the_trace_has_every_span_and_no_two_at_once(profile: Profile, tmp_path: Path) -> None:
    events = _trace(profile, tmp_path / "trace.json")["traceEvents"]
    complete = [event for event in events if event["ph"] == "X"]
    by_thread: dict[tuple[int, int], list[tuple[float, float]]] = {}
    for event in complete:
        span = (event["ts"], event["ts"] + event["dur"])
        by_thread.setdefault((event["pid"], event["tid"]), []).append(span)
        assert event["ts"] >= 0
        assert event["dur"] >= 0
    for spans in by_thread.values():
        spans.sort()
        for (_, end), (start, _) in pairwise(spans):
            assert end <= start + 1e-6  # the file has whole nanoseconds, in floating point
    computed = [event for event in complete if "kernel" in event["args"]]
    assert len(computed) == profile.spans
    wanted = {"op", "kernel", "on", "shapes", "part", "bytes", "GB/s", "GFLOP/s"}
    assert all(set(event["args"]) == wanted for event in computed)
    assert sum(event["dur"] for event in computed) == pytest.approx(
        sum(t.busy_ns for _, stage in _stages(profile) for t in stage.recording.tracks) / 1e3
    )
    names = {e["args"]["name"] for e in events if e["name"] in ("process_name", "thread_name")}
    assert {"engine", "schedule", "cpu", "thread 0", "thread 1", "thread 2"} <= names
    tokens = [event["name"] for event in events if event["ph"] == "i"]
    assert tokens == [f"token {n}" for n in range(1, GENERATED + 1)]
    copies = [event for event in complete if "from" in event["args"]]
    assert len(copies) == sum(len(run.copies) for run in profile.runs)
    assert any(event["name"] == "wait" for event in complete)


def test_a_picture_of_a_program(profile: Profile, tmp_path: Path) -> None:
    trace = _trace(profile, tmp_path / "trace.json")
    for index, (_, stage) in enumerate(_stages(profile)):
        start, tracks = trace_picture.lanes(trace, index)
        assert sum(map(len, tracks.values())) == stage.recording.spans
        assert all(event["ts"] >= start for found in tracks.values() for event in found)
    trace_picture.draw(start, tracks, tmp_path / "picture.svg")
    assert "thread 2" in (tmp_path / "picture.svg").read_text(encoding="utf-8")
    with pytest.raises(SystemExit, match="there is no run 99"):
        trace_picture.lanes(trace, 99)


def test_a_thread_without_room_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(recorder, "MOST_RECORDS", 3)
    with rung.load(threads=2, context_length=32) as model:
        plain = _generate(model)
        with model.profile() as profile:
            assert _generate(model) == plain
    kept = sum(len(t.steps) for _, stage in _stages(profile) for t in stage.recording.tracks)
    assert 0 < kept <= 2 * 3 * GENERATED
    assert profile.lost_spans == profile.spans - kept > 0
    assert f"{profile.lost_spans:,} spans are missing" in str(profile.summary())
    assert _trace(profile, tmp_path / "t.json")["otherData"]["lost_spans"] == profile.lost_spans


def test_a_full_profile_is_told(model: Model, tmp_path: Path) -> None:
    with model.profile(most_spans=1) as profile:
        _generate(model)
    assert (len(profile.runs), profile.skipped_runs) == (1, GENERATED - 1)
    assert [step.phase for step in profile.steps] == ["prompt"]
    assert "5 more runs are not in this profile" in str(profile.summary())
    assert _trace(profile, tmp_path / "t.json")["otherData"]["skipped_runs"] == GENERATED - 1


def test_runs_without_an_engine_are_told_apart_by_their_tokens(model: Model) -> None:
    with model.profile() as profile:
        model.logits(range(3, 12))
        model._runner.forward(Batch.one([5]))
    assert [(p.name, p.tokens) for p in profile.summary().phases] == [("prompt", 9), ("decode", 1)]
    for phase in profile.summary().phases:
        total = sum(row.total_s for row in phase.kernels)
        assert total + _rest(phase) == pytest.approx(phase.wall_s, rel=1e-9)


def test_one_profile_at_a_time_and_none_afterwards(model: Model) -> None:
    with model.profile() as profile:
        with pytest.raises(UsageError, match="profiled already"), model.profile():
            pass
        _generate(model)
    with pytest.raises(ZeroDivisionError), model.profile():
        raise ZeroDivisionError
    _generate(model)
    assert len(profile.runs) == GENERATED
    assert str(Profile().summary()) == "nothing ran"


def test_a_trace_that_cannot_be_written_leaves_what_was_there(
    profile: Profile, tmp_path: Path
) -> None:
    with pytest.raises(RungError, match="cannot be written"):
        profile.write(tmp_path / "none" / "trace.json")
    with pytest.raises(UsageError, match="is a folder"):
        profile.write(tmp_path)
    path = tmp_path / "trace.json"
    path.write_text("old")
    broken = Profile()
    broken.runs.append("not a run")  # type: ignore[arg-type]
    with pytest.raises(AttributeError):
        broken.write(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_attention_counts_the_keys_that_are_seen(model: Model, profile: Profile) -> None:
    prompt, *tokens = (run.sizes for run in profile.runs)
    assert prompt[KEYS] == (prompt["T"] + 1) // 2
    assert [sizes[KEYS] for sizes in tokens] == [prompt["T"] + 1 + n for n in range(5)]
    for phase, sizes in zip(profile.summary().phases, ([prompt], tokens), strict=True):
        found = sum(row.flops for row in phase.kernels if row.name.startswith("attention"))
        heads, width = model.config.n_heads, model.config.head_dim
        assert found == 5 * sum(4 * s["T"] * heads * width * s[KEYS] for s in sizes)
