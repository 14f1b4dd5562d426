"""Kernels of AMX with its instructions emulated: what they pack, in which order, and all edges.

Where a processor has the instructions, the matrix runs the same kernels with them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pytest
from emulated_tiles import emulated
from numba import njit
from numpy.typing import NDArray

from rung.bench.check import TOLERANCE, Outcome, case_inputs, reference
from rung.bench.targets import find_op, load_backend
from rung.ops.linear.cpu import mixed_amx
from rung.registry import letters_of
from rung.simd.target import host

load_backend("cpu")
pytestmark = pytest.mark.skipif(
    host().has("amx-tile"), reason="this processor has the instructions: see the matrix"
)
KERNELS = {
    "linear_bf16": mixed_amx.linear_bf16_amx,
    "linear_bf16_backward_x": mixed_amx.linear_bf16_backward_x_amx,
    "linear_bf16_backward_w": mixed_amx.linear_bf16_backward_w_amx,
}


@pytest.fixture(scope="module", autouse=True)
def _emulated() -> Iterator[None]:
    with emulated():
        yield


@pytest.fixture(scope="module")
def compiled() -> dict[str, Callable[..., None]]:
    return {name: njit(function) for name, function in KERNELS.items()}


def _run(
    kernel: Callable[..., None], name: str, case: Mapping[str, Any], parts: int
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """What a kernel of training computes in so many parts, and what it should."""
    op = find_op(name)
    inputs = case_inputs(op, case)
    values = {
        given: np.empty((0,) * len(letters_of(given)), np.float32)
        if value is None
        else value.planes[0].copy()
        for given, value in inputs.items()
    }
    out = values.get(op.out)
    arguments = list(values.values())
    if out is None:
        out = np.full([case[letter] for letter in letters_of(op.out)], np.nan, np.float32)
        arguments.append(out)
    arguments += [case[given] for given in op.attributes]
    for part in range(parts):
        kernel(part, parts, *arguments)
    return out, reference(op, inputs, case)


@pytest.mark.parametrize(
    ("name", "case"), [(name, case) for name in KERNELS for case in find_op(name).cases], ids=str
)
def test_training_kernels_compute_the_reference(
    name: str, case: Mapping[str, Any], compiled: dict[str, Callable[..., None]]
) -> None:
    results = []
    for parts in (1, 3):
        found, expected = _run(compiled[name], name, case, parts)
        allowed = TOLERANCE["f32"] * max(1.0, float(np.abs(expected).max(initial=0.0)))
        outcome = Outcome(found.astype(np.float64), expected, allowed)
        assert outcome.ok, outcome.worst
        results.append(found)
    np.testing.assert_array_equal(*results)
