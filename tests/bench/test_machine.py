"""The machine's limits: what is measured, and how it is kept."""

from __future__ import annotations

import json

import pytest

from rung.backends.cpu.caches import ASSUMED_BYTES, last_cache_bytes
from rung.bench.machine import file as machine_file
from rung.bench.machine import limits as machine
from rung.bench.machine.limits import Limits, Peak
from rung.bench.machine.probes.rates import rates_here
from rung.errors import BackendError
from rung.simd.target import host


def made_up(threads: int, read_gbs: float = 10.0) -> Limits:
    sweep = ((1 << 14, 100.0), (1 << 20, 40.0), (1 << 24, 50.0))
    return Limits(
        threads, read_gbs, 12.5, sweep, {"f32": Peak(80.0, "fma"), "int8": Peak(320.0, "x")}
    )


def test_a_small_measurement_has_everything():
    told = []
    limits = machine.measure(
        2, memory_bytes=1 << 18, sweep=(1 << 14, 1 << 16), repeats=1, progress=told.append
    )
    assert limits.threads == 2
    assert limits.read_gbs > 0
    assert limits.copy_gbs > 0
    assert [size for size, _ in limits.sweep] == [1 << 14, 1 << 16]
    assert set(limits.peaks) == {rate.type for rate in rates_here()} >= {"f32", "int8"}
    assert ("bf16" in limits.peaks) == host().has("avx512bf16")
    assert all(peak.gops > 0 for peak in limits.peaks.values())
    assert len(told) == 2 + 2 + len(limits.peaks)


@pytest.mark.parametrize("threads", [1, 3])
def test_bandwidths_for_any_size_and_number_of_threads(threads):
    assert machine.read_bandwidth(threads, size_bytes=100_000, repeats=1) > 0
    assert machine.read_bandwidth(threads, size_bytes=1, repeats=1) > 0


def test_reading_goes_over_every_value():
    """The sums of a part that reads ones are how many values it has read."""
    import numpy as np

    from rung.bench.machine.probes.memory import fill_part, read_part, share_bytes
    from rung.bench.machine.probing import ProbeTeam

    size, passes = 3 * share_bytes() * 2, 4
    memory, sums = np.zeros(size // 4, np.float32), np.zeros(256, np.float32)
    with ProbeTeam(2) as team:
        team.run(fill_part, (memory.ctypes.data, size))
        assert (memory == 1).all()
        team.run(read_part, (memory.ctypes.data, size, passes, sums.ctypes.data))
    assert sums.sum() == memory.size * passes


def test_copying_goes_over_every_value():
    import numpy as np

    from rung.bench.machine.probes.memory import copy_part, share_bytes
    from rung.bench.machine.probing import ProbeTeam

    source = np.arange(share_bytes() * 2 // 4, dtype=np.float32)
    target = np.zeros_like(source)
    with ProbeTeam(2) as team:
        words = (source.ctypes.data, source.nbytes, 1, target.ctypes.data)
        team.run(copy_part, words)
    assert np.array_equal(source, target)


def test_bandwidth_of_a_working_set():
    limits = made_up(1)
    assert limits.read_gbs_at(1000) == 100.0
    assert limits.read_gbs_at(1 << 19) == 50.0  # the larger set was faster by accident
    assert limits.read_gbs_at(1 << 30) == 10.0


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache folder, and a machine that counts how often it is measured."""
    monkeypatch.setenv("RUNG_CACHE", str(tmp_path / "cache"))
    measured = []

    def measure(threads, *, progress):
        measured.append(threads)
        return made_up(threads, read_gbs=10.0 + len(measured))

    monkeypatch.setattr(machine_file, "measure", measure)
    return measured


def test_limits_are_measured_once_for_each_number_of_threads(cache):
    first = machine_file.limits(1)
    assert machine_file.limits(1) == first
    assert machine_file.limits(2) != first
    assert machine_file.limits(1) == first
    assert cache == [1, 2]
    assert machine_file.limits(1, fresh=True).read_gbs == 13.0
    assert machine_file.limits(1).read_gbs == 13.0
    assert [path.name for path in machine_file.path().parent.iterdir()] == ["machine.json"]


def test_another_processor_is_another_machine(cache, monkeypatch):
    machine_file.limits(1)
    monkeypatch.setattr(machine_file, "processor_name", lambda: "another")
    machine_file.limits(1)
    assert cache == [1, 1]
    assert len(json.loads(machine_file.path().read_text())["machines"]) == 2


def _damage(change):
    """The text of a good file after a change to the fields of its machine."""
    content = json.loads(machine_file.path().read_text())
    [fields] = content["machines"].values()
    change(fields, content)
    return json.dumps(content)


@pytest.mark.parametrize(
    "change",
    [
        lambda fields, content: fields.pop("read_gbs"),
        lambda fields, content: fields.update(read_gbs=-1),
        lambda fields, content: fields.update(copy_gbs="many"),
        lambda fields, content: fields.update(read_gbs=float("nan")),
        lambda fields, content: fields.update(peaks={}),
        lambda fields, content: fields.update(sweep=[[1]]),
        lambda fields, content: fields.update(peaks=[1]),
        lambda fields, content: content.update(version=0),
        lambda fields, content: content.update(machines=[]),
    ],
)
def test_a_damaged_file_is_measured_anew(cache, change):
    machine_file.limits(1)
    machine_file.path().write_text(_damage(change))
    assert machine_file.limits(1).read_gbs == 12.0
    assert machine_file.limits(1).read_gbs == 12.0
    assert cache == [1, 1]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"null", b'"text"'])
def test_a_file_of_something_else_is_measured_anew(cache, content):
    machine_file.path().parent.mkdir()
    machine_file.path().write_bytes(content)
    machine_file.limits(1)
    machine_file.limits(1)
    assert cache == [1]


def test_a_folder_that_cannot_be_written_is_said(cache, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RUNG_CACHE", str(tmp_path / "file"))
    with pytest.raises(BackendError, match="RUNG_CACHE"):
        machine_file.limits(1)


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ({"index0": "32K\n", "index3": "24M\n"}, 24 << 20),
        ({"index0": "1024"}, 1024),
        ({"index0": "broken"}, ASSUMED_BYTES),
        ({}, ASSUMED_BYTES),
    ],
)
def test_the_last_cache(tmp_path, monkeypatch, sizes, expected):
    monkeypatch.setattr("sys.platform", "linux")
    for name, text in sizes.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "size").write_text(text)
    assert last_cache_bytes(tmp_path) == expected
