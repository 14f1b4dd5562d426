"""What a BLAS library has to show before it is trusted: its integers, its products, its threads."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rung.backends.blas.kinds import Kind, Symbols

ROW_MAJOR, AS_IT_IS, TRANSPOSED = 101, 111, 112
"""CBLAS's words for how matrices lie."""

# Large enough for libraries to share among threads if they would: OpenBLAS does from 64³ on.
_SIZE = 96
_TOLERANCE = 1e-4


def integer_bits(symbols: Symbols) -> int:
    """Bits of the integers in a library's calls: 32 or 64.

    A product of so many values as 2 − 2³² in 64 bits: the lower 32 bits of that are 2. Where all 64
    count it is negative, and there is nothing to add up.
    """
    dot = symbols.function(
        "cblas_sdot",
        ctypes.c_float,
        *(ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64),
    )
    assert dot is not None
    values = np.ones(2, np.float32)
    return 32 if dot(2 - 2**32, values.ctypes.data, 1, values.ctypes.data, 1) == 2 else 64


def fault(symbols: Symbols, kind: Kind, bits: int) -> str:
    """What is wrong with a library that is held to one thread; nothing where all is well."""
    gemm = symbols.function("cblas_sgemm", None, *gemm_types(bits))
    assert gemm is not None
    if not _multiplies(gemm, np.float32):
        return "its cblas_sgemm computes something else than x · wᵀ"
    # Another thread may count threads of its own.
    seen: list[object] = []

    def elsewhere() -> None:
        seen.append(_multiplies(gemm, np.float32))
        seen.append(kind.threads(symbols))

    other = threading.Thread(target=elsewhere)
    other.start()
    other.join()
    if seen[0] is not True:
        return "its cblas_sgemm computes something else in another thread"
    if isinstance(seen[1], int) and seen[1] > 1:
        return f"it takes {seen[1]} threads for a product though it was told to take one"
    return ""


def multiplies_bfloat16(symbols: Symbols, kind: Kind, bits: int) -> bool:
    """Whether a library has a product of bfloat16 matrices that computes it."""
    gemm = symbols.function(kind.bfloat16, None, *gemm_types(bits)) if kind.bfloat16 else None
    return gemm is not None and _multiplies(gemm, np.uint16)


def gemm_types(bits: int) -> list[Any]:
    """The C types of cblas_sgemm's arguments; pointers as addresses."""
    whole = ctypes.c_int32 if bits == 32 else ctypes.c_int64
    pointer, number, word = ctypes.c_void_p, ctypes.c_float, ctypes.c_int
    return [
        *(word, word, word, whole, whole, whole, number),
        *(pointer, whole, pointer, whole, number, pointer, whole),
    ]


def _multiplies(gemm: Callable[..., Any], element: type[np.generic]) -> bool:
    """Whether y = x · wᵀ + βy comes out, in parts of larger matrices; β = 0 overwrites NaN."""
    rng = np.random.default_rng(5)
    T, N, K, row = _SIZE, _SIZE + 3, _SIZE + 1, _SIZE + 20
    x, w = (_stored(rng.standard_normal((size, row)), element) for size in (T, N))
    exact = _values(x)[:, :K] @ _values(w)[:, :K].T
    y = np.full((T, N + 5), np.nan, np.float32)
    for beta, times in ((0.0, 1), (1.0, 2)):
        gemm(
            *(ROW_MAJOR, AS_IT_IS, TRANSPOSED, T, N, K, 1.0),
            *(x.ctypes.data, row, w.ctypes.data, row, beta, y.ctypes.data, N + 5),
        )
        close = np.abs(y[:, :N] - times * exact) <= _TOLERANCE * np.abs(exact).max()
        if not (close.all() and np.isnan(y[:, N:]).all()):
            return False
    return True


def _stored(values: NDArray[np.float64], element: type[np.generic]) -> NDArray[Any]:
    """Values as float32, or cut to bfloat16 as uint16."""
    floats = values.astype(np.float32)
    return floats if element is np.float32 else (floats.view(np.uint32) >> 16).astype(np.uint16)


def _values(stored: NDArray[Any]) -> NDArray[np.float64]:
    if stored.dtype == np.uint16:
        stored = (stored.astype(np.uint32) << 16).view(np.float32)
    return stored.astype(np.float64)
