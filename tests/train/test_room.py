"""The memory that is left: what the system says of it, and nothing where it says nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from rung.train.run import room
from support import tiny_config

GIB = 1 << 30


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A made-up system: 8 GiB free, a control group that leaves 3 GiB."""
    (tmp_path / "meminfo").write_text(f"MemTotal: 9 kB\nMemAvailable: {8 << 20} kB\n")
    (tmp_path / "memory.max").write_text(f"{4 * GIB}\n")
    (tmp_path / "memory.current").write_text(f"{2 * GIB}\n")
    (tmp_path / "memory.stat").write_text(f"anon 5\ninactive_file {GIB}\n")
    monkeypatch.setattr(room, "_MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(room, "_CGROUP", tmp_path)
    return tmp_path


def test_the_least_of_machine_and_group_counts(system: Path) -> None:
    assert room.available_bytes() == 3 * GIB
    (system / "memory.max").write_text("max\n")
    assert room.available_bytes() == 8 * GIB
    (system / "memory.max").unlink()
    assert room.available_bytes() == 8 * GIB


def test_a_limit_of_addresses_counts(system: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource")
    (system / "statm").write_text("100 50 0\n")
    monkeypatch.setattr(room, "_STATM", system / "statm")
    most = 2 * GIB
    monkeypatch.setattr(resource, "getrlimit", lambda which: (most, most))
    assert room.available_bytes() == most - 100 * resource.getpagesize()
    monkeypatch.setattr(resource, "getrlimit", lambda which: (resource.RLIM_INFINITY,) * 2)
    assert room.available_bytes() == 3 * GIB


def test_all_memory_where_nobody_tells_what_is_free(
    system: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (system / "memory.max").unlink()
    (system / "meminfo").unlink()
    sizes = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 1000}
    monkeypatch.setattr(room.os, "sysconf", sizes.__getitem__)
    assert room.available_bytes() == 4_096_000
    monkeypatch.delattr(room.os, "sysconf")
    assert room.available_bytes() is None


def test_large_batches_are_told_from_smaller_ones_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    config = tiny_config()
    sizes = {"seq_len": 32, "recompute": False}
    planned = room.needed_bytes(config, batch_size=64, **sizes)
    monkeypatch.setattr(room, "_PLANNED", 512)
    assert room.needed_bytes(config, batch_size=64, **sizes) == pytest.approx(planned, rel=0.02)
    most = room.needed_bytes(config, batch_size=1 << 40, **sizes)  # more chunks than memory holds
    assert most > 1 << 40


@pytest.mark.parametrize("recompute", [False, True])
def test_every_batch_that_is_tried_is_smaller(recompute: bool) -> None:
    tried = list(room._smaller(8, 64, recompute))
    assert (1, 64, True) in tried
    assert tried[-1] == (1, 16, True)
    assert len(set(tried)) == len(tried)
    assert (8, 64, recompute) not in tried
