"""Panels hold integers as a processor multiplies them best; the results are the same bits."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from rung.backends.cpu.backend import CpuBackend
from rung.bench.kernels.check import run_case
from rung.registry import OPS
from rung.simd.blocks import FORMATS
from rung.simd.panels import form_of
from rung.simd.target import Target, host
from rung.storage import Q8_S, storage_type

# One that panels hold by pairs without VNNI, and one of few bits.
NAMES = ("q8_0", "q4_0")


def digests() -> Iterator[str]:
    """A digest of the product that many tokens take by panels, for each name."""
    backend = CpuBackend(threads=1)
    for name in NAMES:
        types = {"x_TK": Q8_S, "w_NK": storage_type(name)}
        case = {"T": 9, "N": 35, "K": 512, "types": types}
        ladder = [k for k in OPS["linear"].kernels if k.form == f"{name}_q8s"]
        kernel = next(k for k in ladder if k.why.startswith("panels"))
        outcome = run_case(kernel, case, backend)
        assert outcome.ok
        yield hashlib.sha256(outcome.result.tobytes()).hexdigest()
    backend.close()


def test_features_change_no_bit() -> None:
    if not host().has("fma"):
        pytest.skip("only x86-64 processors with FMA have forms that round alike")
    here = list(digests())
    other = subprocess.run(
        [sys.executable, __file__],
        env={**os.environ, "RUNG_CPU_FEATURES": "avx2"},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert other.stdout.split() == here


@pytest.mark.parametrize(
    ("features", "x86", "forms"),
    [
        ("avx512vnni avx512bw avx2 ssse3", True, ("DOTS", "DOTS")),
        ("avxvnni avx2 ssse3", True, ("DOTS", "DOTS")),
        ("avx2 ssse3", True, ("PAIRS", "FEW_BITS")),
        ("", True, ("PAIRS", "PAIRS")),
        ("neon dotprod i8mm", False, ("MATRICES", "MATRICES")),
        ("neon dotprod", False, ("DOTS", "DOTS")),
        ("neon", False, ("FLOATS", "FLOATS")),
    ],
)
def test_forms(features: str, x86: bool, forms: tuple[str, str]) -> None:
    target = Target("generic", frozenset(features.split()), is_x86=x86)
    assert tuple(form_of(FORMATS[name], target).name for name in NAMES) == forms


if __name__ == "__main__":
    sys.stdout.write(" ".join(digests()))
