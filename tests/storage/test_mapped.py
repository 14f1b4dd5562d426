"""Pages of mapped files are let go, and come again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rung.formats.files import mapped
from rung.storage import F32, StoredTensor, stored
from rung.storage.mapped import let_go

COUNT = 1 << 20


def _resident_kib(path: Path) -> int:
    """Of a mapped file, by the kernel's own count."""
    lines = Path("/proc/self/smaps").read_text().splitlines()
    at = next(i for i, line in enumerate(lines) if line.endswith(str(path)))
    return next(int(line.split()[1]) for line in lines[at:] if line.startswith("Rss:"))


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="only Linux counts pages here")
def test_pages_of_a_file_are_let_go(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    values = np.arange(COUNT, dtype=np.float32)
    path.write_bytes(b"head" + values.tobytes() + b"end")
    plane = mapped(path, "weights")[4 : 4 + values.nbytes].view(np.float32)
    tensor = StoredTensor(F32, (COUNT,), (plane,))
    assert plane.sum() > 0
    assert _resident_kib(path) >= 4096
    let_go(tensor)
    assert _resident_kib(path) <= 64
    np.testing.assert_array_equal(plane, values)


def test_other_memory_stays(tmp_path: Path) -> None:
    own = stored(np.arange(5000, dtype=np.float32))
    let_go(own)
    np.testing.assert_array_equal(own.planes[0], np.arange(5000))
    path = tmp_path / "few"
    path.write_bytes(bytes(range(100)))
    few = mapped(path, "few")
    let_go(StoredTensor(F32, (25,), (few.view(np.float32),)))
    assert bytes(few) == bytes(range(100))
