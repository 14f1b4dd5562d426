"""Kernels of AMX with its instructions emulated: what they pack, in which order, and all edges.

Where a processor has the instructions, the matrix runs the same kernels with them.
"""

# T tokens, K input width, N output width

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pytest
from numba import njit
from numba.extending import register_jitable
from numpy.typing import NDArray

from emulated_tiles import emulated
from rung.bench.kernels.check import TOLERANCE, Outcome, case_inputs, reference
from rung.bench.kernels.targets import find_op, load_backend
from rung.ops.linear.cpu import mixed_amx
from rung.ops.linear.cpu.amx import amx_product
from rung.ops.linear.cpu.bfloat import bfloat_product
from rung.registry import letters_of
from rung.simd.blocks import FORMATS
from rung.simd.memory import aligned_floats
from rung.simd.target import host
from rung.storage import StoredTensor, quantize

load_backend("cpu")
pytestmark = [
    pytest.mark.skipif(
        host().has("amx-tile"),
        reason="this processor has AMX itself: the matrix runs these kernels",
    ),
    pytest.mark.skipif(bool(host().chosen), reason="one run of these is enough"),
]
KERNELS = {
    "linear_bf16": mixed_amx.linear_bf16_amx,
    "linear_bf16_backward_x": mixed_amx.linear_bf16_backward_x_amx,
    "linear_bf16_backward_w": mixed_amx.linear_bf16_backward_w_amx,
}


@register_jitable
def _poisoned(count):  # type: ignore[no-untyped-def]
    """Memory full of NaN, so that a product with what was never written shows."""
    memory = aligned_floats(count)
    memory[:] = np.nan
    return memory


@pytest.fixture(scope="module", autouse=True)
def _emulated() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch, emulated():
        patch.setattr(mixed_amx, "aligned_floats", _poisoned)
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


def test_a_gradient_of_weights_is_summed_run_by_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of tokens, and columns and rows that are copied together, smaller than the matrices."""
    for name, value in {"LONG": 96, "ROOM": 96 * 64, "ROWS": 32}.items():
        monkeypatch.setattr(mixed_amx, name, value)
    name = "linear_bf16_backward_w"
    case = {"T": 261, "N": 133, "K": 200, "add": True}
    found, expected = _run(njit(KERNELS[name]), name, case, 2)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


T, N, K = 21, 37, 512


def _prompt(form: str) -> tuple[StoredTensor, StoredTensor, NDArray[np.float64]]:
    """Activations and weights in blocks, and their product."""
    rng = np.random.default_rng(1)
    x = quantize(rng.standard_normal((T, K), np.float32), "q8_s")
    w = quantize(rng.standard_normal((N, K), np.float32), form)
    return x, w, x.float64() @ w.float64().T


def test_prompts_in_tiles_of_int8() -> None:
    if not host().has("avx512vnni"):
        pytest.skip("this processor has no products of int8 (VNNI), whose panels AMX shares")
    FORMAT = FORMATS["q6_k"]  # two products of 16 values a block: narrower tiles
    x, w, expected = _prompt("q6_k")
    y_TN = np.full((T, N), np.nan, np.float32)

    @njit
    def run(q_TK, scales, sums, w_NK, y_TN):  # type: ignore[no-untyped-def]
        amx_product(q_TK, scales, sums, w_NK, y_TN, 0, y_TN.shape[1], FORMAT)

    run(*x.planes, *w.planes, y_TN)
    allowed = TOLERANCE["f32"] * np.abs(expected).max()
    assert Outcome(y_TN.astype(np.float64), expected, allowed).ok


def test_prompts_in_tiles_of_bfloat16() -> None:
    FORMAT = FORMATS["q8_0"]
    x, w, expected = _prompt("q8_0")
    tiles = quantize(x.float64().astype(np.float32), "bf16_tiles")
    b_N, r_TN = np.linspace(-1, 1, N, dtype=np.float32), np.empty((0, 0), np.float32)
    y_TN = np.full((T, N), np.nan, np.float32)

    @njit
    def run(tiles_TK, w_NK, b_N, r_TN, y_TN):  # type: ignore[no-untyped-def]
        none = np.empty((0, 1), np.float32)
        bfloat_product(tiles_TK, w_NK, none, b_N, r_TN, y_TN, 0, y_TN.shape[1], FORMAT)

    run(*tiles.planes, *w.planes, b_N, r_TN, y_TN)
    expected += b_N
    allowed = TOLERANCE["bf16"] * np.abs(expected).max()
    assert Outcome(y_TN.astype(np.float64), expected, allowed).ok


_COMPILE = """
from numba import boolean, float32, int64, njit
from rung.bench.kernels.targets import load_backend
load_backend("cpu")
from rung.ops.linear.cpu.mixed_amx import linear_bf16_backward_w_amx
matrix = float32[:, ::1]
kernel = njit((int64, int64, matrix, matrix, matrix, boolean))(linear_bf16_backward_w_amx)
print(*kernel.inspect_asm().values())
"""


def test_instructions_for_amx() -> None:
    """Compiled for a processor that has them, in a process which runs nothing of it."""
    if not host().is_x86:
        pytest.skip("Numba compiles for the architecture it runs on")
    target = {"NUMBA_CPU_NAME": "sapphirerapids", "NUMBA_CPU_FEATURES": ""}
    code = subprocess.run(
        [sys.executable, "-c", _COMPILE],
        env=os.environ | target | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=120,
    ).stdout
    # The sums of a step are read where they are and never leave their registers.
    loads = Counter(re.findall(r"\ttileloadd\t.*%(tmm\d)", code))
    sums = {"tmm0", "tmm1", "tmm2", "tmm3"}
    assert {loads[register] for register in sums} == {1}
    assert set(re.findall(r"\ttilestored\t%(tmm\d)", code)) == sums
    products = Counter(re.findall(r"\ttdpbf16ps\t%(tmm\d), %(tmm\d), %(tmm\d)", code))
    every = {
        (f"tmm{6 + column}", f"tmm{4 + row}", f"tmm{2 * row + column}")
        for row in range(2)
        for column in range(2)
    }
    assert set(products) == every
    assert len(re.findall(r"\t(?:ldtilecfg|tilerelease)\b", code)) == 2
