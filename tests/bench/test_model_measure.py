"""Measuring by turns, and what becomes of the figures, with sides whose times are known."""

from __future__ import annotations

from pathlib import Path

import pytest

from rung.bench.models.energy import EnergyMeter
from rung.bench.models.measure import Measured, Task, measure, prompt_flops
from rung.bench.models.rows import Limits, Subject, rows_of
from rung.bench.models.shapes import shape_named
from rung.bench.models.sides.base import Opened, Side
from rung.bench.results import append_rows
from rung.models.config import rows_cols, weight_shapes


class FakeSide(Side):
    """Takes the seconds that it is told, and notes what it was asked."""

    def __init__(self, name: str, log: list[str], per_token_s: list[float], memory: int) -> None:
        self.opened = Opened(name=name, load_s=0.5, activations="int8", cache_type="f16")
        self._log, self._seconds, self._memory = log, list(per_token_s), memory

    def prompt(self, length: int) -> float:
        self._log.append(f"{self.opened.name} prompt {length}")
        return self._seconds.pop(0) * length

    def decode(self, depth: int, tokens: int) -> float:
        self._log.append(f"{self.opened.name} decode {depth}+{tokens}")
        return self._seconds.pop(0) * tokens

    def peak_memory_bytes(self) -> int:
        return self._memory

    def close(self) -> None:
        self._log.append(f"{self.opened.name} closed")


TASKS = (Task("prompt", 16), Task("decode", 8, 4))
SUBJECT = Subject(
    shape="tinyllama-1.1b",
    config=shape_named("tinyllama-1.1b"),
    dtype="q4_0",
    weights_bytes=600_000_000,
    threads=2,
)


def measured() -> tuple[Measured, list[Side], list[str]]:
    log: list[str] = []
    # Two warm-ups; then prompt, decode, three times.
    mine = FakeSide("mine", log, [9, 9, 0.01, 0.1, 0.02, 0.2, 0.04, 0.4], 10)
    other = FakeSide("other", log, [9, 9, 0.02, 0.1, 0.02, 0.1, 0.02, 0.1], 20)
    sides: list[Side] = [mine, other]
    return measure(sides, TASKS, rounds=3), sides, log


def test_turns() -> None:
    _, _, log = measured()
    assert log[:4] == ["mine prompt 16", "other prompt 16", "mine decode 4+4", "other decode 4+4"]
    assert log[4:] == 3 * [
        "mine prompt 16",
        "other prompt 16",
        "mine decode 4+8",
        "other decode 4+8",
    ]


def test_ratios_are_medians_of_rounds() -> None:
    prompt, decode = measured()[0].series
    assert prompt.speeds() == pytest.approx([100, 50, 25])
    assert prompt.ratio(1) == pytest.approx(1.0)  # of 2, 1 and 0.5
    assert decode.ratio(1) == pytest.approx(0.5)


def test_rows() -> None:
    found, sides, _ = measured()
    prompt, decode = rows_of(found, sides, SUBJECT, limits=Limits(30.0, 900.0))
    where = {"machine": "", "features": "", "instructions": [], "rung": "", "commit": ""}
    assert decode | where == {
        "op": "decode",
        "version": "newest",
        "backend": "cpu",
        "dtype": "q4_0",
        "activations": "int8",
        "cache_type": "f16",
        "shape": "tinyllama-1.1b",
        "tokens": 8,
        "depth": 4,
        "threads": 2,
        "unit": "tok/s",
        "p20": pytest.approx(3.5),
        "p50": 5.0,
        "p80": pytest.approx(8.0),
        "mean": pytest.approx(5.83),
        "deviation": pytest.approx(3.82),
        "joules_per_token": None,
        "read_gb_s": 3.0,
        "limit_gb_s": 30.0,
        "fraction_of_limit": 0.1,
        "load_s": 0.5,
        "first_token_s": 0.5 + 9 * 16,
        "first_token_after": 16,
        "peak_memory_bytes": 10,
        **where,
        "peer": "other",
        "peer_p50": 10.0,
        "peer_mean": 10.0,
        "peer_deviation": 0.0,
        "peer_load_s": 0.5,
        "peer_peak_memory_bytes": 20,
        "ratio": 0.5,
        "rounds": [[10.0, 10.0], [5.0, 10.0], [2.5, 10.0]],
    }
    assert decode["machine"]
    assert decode["rung"]
    flops_a_token = prompt_flops(SUBJECT.config, 16) / 16
    assert prompt["gflop_s"] == pytest.approx(50 * flops_a_token / 1e9, abs=0.1)
    assert prompt["fraction_of_limit"] == pytest.approx(prompt["gflop_s"] / 900, abs=0.001)


def test_alone_there_is_a_row_a_task() -> None:
    side = FakeSide("mine", [], [1.0] * 6, 10)
    rows = rows_of(measure([side], TASKS, rounds=2), [side], SUBJECT, limits=Limits(30.0, 900.0))
    assert [(row["op"], row["rounds"]) for row in rows] == [
        ("prompt", [1.0, 1.0]),
        ("decode", [1.0, 1.0]),
    ]
    assert all("peer" not in row for row in rows)


def test_operations_of_a_prompt() -> None:
    config = shape_named("tinyllama-1.1b")
    shapes = weight_shapes(config)
    body = sum(rows_cols(s) for n, s in shapes.items() if len(s) == 2 and n.startswith("blk"))
    head = rows_cols(shapes["output.weight"])
    attention = 22 * 32 * 64 * 4 * (1 + 2 + 3)
    assert prompt_flops(config, 3) == 2 * (3 * body + head) + attention


def test_rows_are_appended(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    append_rows(file, [{"a": 1}])
    append_rows(file, [{"a": 2}, {"a": None}])
    assert file.read_text() == '{"a": 1}\n{"a": 2}\n{"a": null}\n'


def counter(root: Path, name: str, label: str, energy_uj: int) -> Path:
    zone = root / name
    zone.mkdir(exist_ok=True)
    (zone / "name").write_text(f"{label}\n")
    (zone / "max_energy_range_uj").write_text("1000000000\n")
    (zone / "energy_uj").write_text(f"{energy_uj}\n")
    return zone


def test_energy_is_the_sum_of_packages(tmp_path: Path) -> None:
    counter(tmp_path, "intel-rapl:0", "package-0", 5_000_000)
    counter(tmp_path, "intel-rapl:1", "package-1", 999_000_000)
    counter(tmp_path, "intel-rapl:2", "psys", 0)
    counter(tmp_path, "intel-rapl:0:0", "core", 0)
    meter = EnergyMeter(tmp_path)
    assert meter.available
    meter.start()
    counter(tmp_path, "intel-rapl:0", "package-0", 7_500_000)
    counter(tmp_path, "intel-rapl:1", "package-1", 1_000_000)  # went through its end
    counter(tmp_path, "intel-rapl:2", "psys", 50_000_000)
    assert meter.joules() == pytest.approx(2.5 + 2.0)


def test_no_energy_where_nothing_tells(tmp_path: Path) -> None:
    (counter(tmp_path, "intel-rapl:0", "package-0", 1) / "energy_uj").unlink()
    meter = EnergyMeter(tmp_path)
    assert not meter.available
    meter.start()
    assert meter.joules() is None
