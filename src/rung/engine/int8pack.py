"""int8pack_mm: a matrix product with int8 weights, one scale a row, as PyTorch defines it.

M rows of activations, K input width, N output width.
"""

from __future__ import annotations

import os
import threading
import warnings
from functools import cache
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from rung.backends.base import Step
from rung.backends.cpu.backend import CpuBackend
from rung.errors import UsageError
from rung.graph.ir import Graph
from rung.ops import linear
from rung.storage import BF16, F32, I8, StoredTensor, quantize, stored
from rung.storage.plain import LARGEST_HALF

Matrix = TypeVar("Matrix")

_FLOATS = ("float32", "float16", "bfloat16")
_lock = threading.Lock()  # a team of threads runs one program at a time


def int8pack_mm(A: Matrix, B: Any, scales: Any) -> Matrix:
    """out[M, N] = (A[M, K] · B[N, K]ᵀ) · scales[N], summed in float32 and rounded once at the end.

    A: float32, float16 or bfloat16. B: int8, contiguous. scales: of A's type. The result is of A's
    type. All three are NumPy arrays (bfloat16 as in `ml_dtypes`) or all three are torch tensors on
    the CPU, and then so is the result. `torch._weight_int8pack_mm` has the same contract.
    Activations are not quantised; B is read as it is, without a copy.

    Raises UsageError for wrong types or shapes. A float16 result beyond 65504 is infinite, as in
    PyTorch, and a RuntimeWarning says so.

    >>> rung.int8pack_mm(np.ones((1, 2), "f4"), np.array([[3, 4]], "i1"), np.array([0.5], "f4"))
    array([[3.5]], dtype=float32)
    """
    given = {"A": A, "B": B, "scales": scales}
    is_torch = _is_torch(A)
    for name, value in given.items():
        if is_torch != _is_torch(value) or not (is_torch or isinstance(value, np.ndarray)):
            raise UsageError(
                f"int8pack_mm: {name} is a {type(value).__module__}.{type(value).__name__}; "
                "expected NumPy arrays only, or torch tensors only"
            )
    _check_types(given)
    _check_shapes(given)
    kind = _type_name(A)
    activations, weights, factors = (
        _from_torch(value) if is_torch else value for value in given.values()
    )
    x_MK = _float32(activations, kind)
    out_MN = _product(x_MK, weights, _float32(factors, kind).reshape(-1, 1))
    rounded = _rounded(out_MN, kind)
    result: Matrix = _as_given(rounded, A, is_torch)
    return result


def _is_torch(value: Any) -> bool:
    return type(value).__module__.partition(".")[0] == "torch" and hasattr(value, "is_contiguous")


def _type_name(value: Any) -> str:
    """float32, bfloat16, int8 …, for either library."""
    return str(value.dtype).removeprefix("torch.")


def _check_types(given: dict[str, Any]) -> None:
    kinds = {name: _type_name(value) for name, value in given.items()}
    if kinds["A"] not in _FLOATS:
        raise UsageError(f"int8pack_mm: A is {kinds['A']}, expected one of {', '.join(_FLOATS)}")
    if kinds["B"] != "int8":
        raise UsageError(f"int8pack_mm: B is {kinds['B']}, expected int8")
    if kinds["scales"] != kinds["A"]:
        raise UsageError(
            f"int8pack_mm: scales are {kinds['scales']}, expected A's type {kinds['A']}"
        )
    for name, value in given.items():
        device = getattr(value, "device", "cpu")
        if str(device).partition(":")[0] != "cpu":
            raise UsageError(f"int8pack_mm: {name} is on {device}; move it with .cpu() first")


def _check_shapes(given: dict[str, Any]) -> None:
    a, b, s = (tuple(value.shape) for value in given.values())
    if len(a) != 2 or len(b) != 2 or a[1] != b[1]:
        raise UsageError(f"int8pack_mm: A is {list(a)} and B {list(b)}, expected [M, K] and [N, K]")
    if s != (b[0],):
        raise UsageError(f"int8pack_mm: scales are {list(s)}, expected [{b[0]}], one a row of B")
    B = given["B"]
    if not (B.is_contiguous() if _is_torch(B) else B.flags.c_contiguous):
        raise UsageError("int8pack_mm: B is not contiguous; make it so once, not at every product")


def _from_torch(tensor: Any) -> NDArray[Any]:
    """A tensor's memory as an array; bfloat16 as its bits."""
    tensor = tensor.detach()
    if _type_name(tensor) == "bfloat16":
        import torch

        tensor = tensor.view(torch.int16)
    return np.asarray(tensor.numpy())


def _float32(values: NDArray[Any], kind: str) -> NDArray[np.float32]:
    if kind == "bfloat16":
        bits = np.ascontiguousarray(values).view(np.uint16)
        return StoredTensor(BF16, bits.shape, (bits,)).float32()
    # Kernels read whole vectors from addresses that are multiples of four.
    return np.require(values, np.float32, ["C_CONTIGUOUS", "ALIGNED"])


@cache
def _backend(process: int) -> CpuBackend:
    """The threads of this process, asleep between products; a forked child gets its own."""
    return CpuBackend()


def _product(
    x_MK: NDArray[np.float32], w_NK: NDArray[np.int8], scales: NDArray[np.float32]
) -> NDArray[np.float32]:
    (M, K), N = x_MK.shape, len(w_NK)
    graph = Graph("int8pack_mm")
    x, w = graph.tensor("A", (M, K), "input"), graph.tensor("B", (N, K), "weight", I8)
    y = graph.add(linear, x, w, None, name="out")
    graph.outputs.append(y)
    result = np.empty((M, N), np.float32)
    memory = {
        x: stored(x_MK),
        w: StoredTensor(I8, (N, K), (w_NK, np.ascontiguousarray(scales))),
        y: StoredTensor(F32, (M, N), (result,)),
    }
    with _lock:
        backend = _backend(os.getpid())
        program = backend.compile([Step(node, backend) for node in graph.nodes], memory)
        program.submit({})
        program.synchronize()
    return result


def _rounded(values: NDArray[np.float32], kind: str) -> NDArray[Any]:
    """float32 values in the type `kind`; bfloat16 as its bits."""
    if kind == "bfloat16":
        return quantize(values, BF16).planes[0]
    if kind == "float32":
        return values
    with np.errstate(over="ignore"):
        half = values.astype(np.float16)
    beyond = np.isinf(half) & np.isfinite(values)
    if beyond.any():
        warnings.warn(
            f"int8pack_mm: {float(values[beyond][0]):g} is beyond float16 (at most "
            f"{LARGEST_HALF:g}) and became infinite; float32 or bfloat16 would hold it",
            RuntimeWarning,
            stacklevel=3,
        )
    return half


def _as_given(values: NDArray[Any], like: Any, is_torch: bool) -> Any:
    if not is_torch:
        return values.view(like.dtype)
    import torch

    bits = values.view(np.int16) if values.dtype == np.uint16 else values
    return torch.from_numpy(bits).view(like.dtype)
