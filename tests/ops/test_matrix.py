"""The matrix: every kernel × every case of its op, against the float64 reference.

Kernels of GPUs have theirs in test_webgpu_matrix.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest

from rung.backends import NAMES
from rung.backends.base import KernelBackend
from rung.bench.kernels.check import Outcome, every_case, run_case
from rung.bench.kernels.targets import lacks, opened
from rung.ops import load_kernels
from rung.registry import OPS, Kernel

for _name_of in NAMES:
    load_kernels(_name_of)
HOST_BACKENDS = ("cpu", "blas")
CASES = [case for name in HOST_BACKENDS for case in every_case(name)]


def _name(value: object) -> str | None:
    if isinstance(value, Kernel):
        return value.name
    if isinstance(value, Mapping):
        return " ".join(f"{k}={v}" for k, v in value.items()).replace("'", "")
    return None


@pytest.fixture(scope="module")
def backends() -> Iterator[dict[str, KernelBackend]]:
    with ExitStack() as stack:
        names = {kernel.backend for kernel, _ in CASES}
        yield {name: stack.enter_context(opened(name, 2)) for name in names}


@pytest.mark.parametrize(("kernel", "case"), CASES, ids=_name)
def test_kernel_computes_the_reference(
    kernel: Kernel, case: Mapping[str, Any], backends: dict[str, KernelBackend]
) -> None:
    outcome = run_case(kernel, case, backends[kernel.backend])
    assert outcome.ok, f"{kernel.name}: off by {outcome.worst}"


def test_every_kernel_has_a_case() -> None:
    kernels = [k for op in OPS.values() for k in op.kernels if k.backend in HOST_BACKENDS]
    usable = {kernel.name for kernel in kernels if not (kernel.missing or lacks(kernel))}
    assert usable == {kernel.name for kernel, _ in CASES}


def test_every_op_has_a_kernel_from_version_one_on() -> None:
    for op in OPS.values():
        ladders: dict[str, list[int]] = {}
        for kernel in op.kernels:
            ladders.setdefault(f"{kernel.form}/{kernel.backend}", []).append(kernel.version)
        assert ladders, op.name
        for versions in ladders.values():
            assert min(versions) == 1


@pytest.mark.parametrize("wrong", [np.nan, 1e-3])
def test_outcome_refuses_missing_and_wrong_values(wrong: float) -> None:
    good = np.ones(4)
    bad = good.copy()
    bad[2] += wrong
    assert Outcome(good, good, 1e-5).ok
    assert not Outcome(bad, good, 1e-5).ok
