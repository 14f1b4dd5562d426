"""int8pack_mm: PyTorch's contract, in NumPy arrays and in torch tensors."""

# M rows of activations, K input width, N output width

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rung
from rung.errors import UsageError

SHAPES = [(1, 8, 16), (3, 5, 37), (70, 33, 129), (2, 1, 1), (4, 260, 64), (0, 3, 8), (5, 4, 0)]


def _operands(M: int, N: int, K: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(M * 10007 + N * 101 + K)
    A = rng.standard_normal((M, K)).astype(np.float32)
    B = rng.integers(-128, 128, (N, K)).astype(np.int8)
    scales = (rng.random(N).astype(np.float32) + np.float32(0.5)) / np.float32(100)
    return A, B, scales


@pytest.mark.parametrize("name", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("shape", SHAPES)
def test_torch_gives_the_same(name: str, shape: tuple[int, int, int]) -> None:
    torch = pytest.importorskip("torch")
    kind = getattr(torch, name)
    A, B, scales = (torch.from_numpy(value) for value in _operands(*shape))
    A, scales = A.to(kind), scales.to(kind)
    result = rung.int8pack_mm(A, B, scales)
    assert result.dtype == kind
    assert result.shape == (shape[0], shape[1])
    exact = (A.double() @ B.double().T) * scales.double()
    size = max(1.0, float(exact.abs().max())) if exact.numel() else 1.0
    # float32 sums, then one rounding to the type: half a unit in the last place of the greatest.
    allowed = {"float32": 1e-6, "float16": 2**-11 + 1e-6, "bfloat16": 2**-8 + 1e-6}[name]
    assert bool(((result.double() - exact).abs() <= allowed * size).all())
    # Torch's bfloat16 kernel (2.13) reads past the ends of other shapes, and may crash.
    if 0 not in shape and (name != "bfloat16" or (shape[1] % 4 == 0 and shape[2] % 16 == 0)):
        theirs = torch._weight_int8pack_mm(A, B, scales)
        assert bool(((result.double() - theirs.double()).abs() <= 2 * allowed * size).all())


@pytest.mark.parametrize("kind", [np.float32, np.float16])
def test_numpy_arrays(kind: Any) -> None:
    A, B, scales = _operands(9, 13, 50)
    A, scales = A.astype(kind), scales.astype(kind)
    result = rung.int8pack_mm(A, B, scales)
    assert result.dtype == kind
    exact = (A.astype(np.float64) @ B.astype(np.float64).T) * scales.astype(np.float64)
    assert np.array_equal(result, exact.astype(kind)) or np.allclose(
        result.astype(np.float64), exact, rtol=2 * np.finfo(kind).eps, atol=1e-5
    )


def test_bfloat16_arrays() -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    A, B, scales = _operands(3, 6, 40)
    A, scales = A.astype(ml_dtypes.bfloat16), scales.astype(ml_dtypes.bfloat16)
    result = rung.int8pack_mm(A, B, scales)
    assert result.dtype == A.dtype
    exact = (A.astype(np.float64) @ B.astype(np.float64).T) * scales.astype(np.float64)
    assert np.allclose(result.astype(np.float64), exact, rtol=2**-7, atol=1e-3)


def test_rows_that_are_not_contiguous_or_aligned() -> None:
    A, B, scales = _operands(4, 7, 20)
    expected = rung.int8pack_mm(A, B, scales)
    assert np.array_equal(rung.int8pack_mm(np.asfortranarray(A), B, scales), expected)
    bytes_ = np.zeros(A.nbytes + 1, np.uint8)
    odd = bytes_[1:].view(np.float32).reshape(A.shape)
    odd[:] = A
    assert not odd.flags.aligned
    assert np.array_equal(rung.int8pack_mm(odd, B, np.repeat(scales, 2)[::2]), expected)


def test_a_result_beyond_float16_is_infinite_and_said() -> None:
    A = np.full((1, 64), 100, np.float16)
    B = np.full((2, 64), 127, np.int8)
    scales = np.array([1, 0.01], np.float16)
    with pytest.warns(RuntimeWarning, match="812800 is beyond float16"):
        result = rung.int8pack_mm(A, B, scales)
    assert np.isinf(result[0, 0])
    assert np.isfinite(result[0, 1])


A, B, SCALES = _operands(2, 3, 4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((A.astype(np.float64), B, SCALES), "A is float64, expected one of float32"),
        ((A, B.astype(np.int32), SCALES), "B is int32, expected int8"),
        ((A, B, SCALES.astype(np.float16)), "scales are float16, expected A's type float32"),
        ((A[:, :3], B, SCALES), r"A is \[2, 3\] and B \[3, 4\]"),
        ((A[0], B, SCALES), r"A is \[4\]"),
        ((A, B, SCALES[:2]), r"scales are \[2\], expected \[3\]"),
        ((A, np.asfortranarray(B), SCALES), "B is not contiguous"),
        ((A, B.tolist(), SCALES), "B is a builtins.list"),
    ],
)
def test_wrong_arguments(arguments: tuple[Any, Any, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        rung.int8pack_mm(*arguments)


def test_arrays_and_tensors_do_not_mix() -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(UsageError, match="NumPy arrays only, or torch tensors only"):
        rung.int8pack_mm(torch.from_numpy(A), B, SCALES)
