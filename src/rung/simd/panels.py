"""Panels: sixteen rows of weights side by side, so that a vector holds sixteen outputs.

A panel holds the small integers of sixteen rows. Beside it stand, for every 32 values, one or two
vectors of sixteen float32 factors. With outputs in the lanes nothing is summed across lanes, and a
factor is applied to sixteen outputs at once.

How the integers lie is the panel's *form*, by what the processor multiplies best:

    DOTS      bytes [K/4][16][4]   vpdpbusd, sdot: sums of four products in int32
    MATRICES  bytes [K/8][16][8]   smmla: eight products for each of two tokens and two outputs
    FEW_BITS  bytes [K/4][16][4]   vpmaddubsw: sums of two products in int16, weights of 4 to 6 bits
    PAIRS     int16 [K/2][16][2]   vpmaddwd: sums of two products in int32
    FLOATS    float32 [K][16]      multiply-add

A sum of 32 products of int8 is exact in each, so all forms give the same bits.

`panel_packing.py` fills panels, `panel_products.py` multiplies, `outputs.py` keeps the results.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic, overload, register_jitable

from rung.simd.blocks import FORMATS, RUN, layout_of
from rung.simd.emit import I8, I64, literal, load_vector
from rung.simd.lanes import LANES
from rung.simd.target import Target, host

_kernel_intrinsic = intrinsic(prefer_literal=True)


@dataclass(frozen=True)
class Form:
    """How a panel's integers lie, and the bytes of a vector that one instruction multiplies."""

    name: str
    word: int  # values of a row that stand together
    size: int  # bytes of a value
    width: int
    signed: bool  # or unsigned: too large by 128, or by a format's zero


class _Int8Rows:
    """Rows of plain int8, whose scale is applied at the end."""

    values, size, zero = 32, 32, 0

    @staticmethod
    def quants(builder: Any, block: Any, index: int) -> Any:
        return load_vector(builder, block, ir.VectorType(I8, RUN), 1)


INT8_ROWS = 0
"""The format of rows of int8, which is none of GGUF's."""

SIGNED_FORMATS = {INT8_ROWS, FORMATS["q8_0"]}
"""Formats of signed bytes; the integers of the others are unsigned and of few bits."""

_FACTORS = {INT8_ROWS: 0, FORMATS["q8_0"]: 1, FORMATS["q4_0"]: 1}


def panel_layout(FORMAT: Any, argument: int) -> Any:
    """The layout that an intrinsic's argument number `argument` names: `layout_of` or int8."""
    return _Int8Rows if literal(FORMAT, argument) == INT8_ROWS else layout_of(FORMAT, argument)


def factors_of(number: int) -> int:
    """Vectors of factors for 32 values: a scale; or a scale and an offset; or two scales."""
    return _FACTORS.get(number, 2)


def form_of(number: int, target: Target | None = None) -> Form:
    """The form of a format's panels on a processor, by default this one."""
    target = target or host()
    # vpdpbusd multiplies unsigned by signed bytes; the others of these want signed ones.
    if target.has("avx512vnni"):
        return Form("DOTS", 4, 1, 64, signed=False)
    if target.has("avxvnni"):
        return Form("DOTS", 4, 1, 32, signed=False)
    if target.has("i8mm"):
        return Form("MATRICES", 8, 1, 16, signed=True)
    if target.has("dotprod"):
        return Form("DOTS", 4, 1, 16, signed=True)
    if not target.is_x86:
        return Form("FLOATS", 1, 4, 64, signed=True)
    width = 64 if target.has("avx512bw") else 32 if target.has("avx2") else 16
    if number not in SIGNED_FORMATS and target.has("ssse3"):
        return Form("FEW_BITS", 4, 1, width, signed=False)
    return Form("PAIRS", 2, 2, width, signed=True)


TILE_FORM = Form("DOTS", 4, 1, 64, signed=True)
"""The form that AMX takes."""


def bias_of(number: int, zero: int, form: Form) -> int:
    """What a panel's integers are too large by."""
    if form.signed:
        return 0
    return 128 if number in SIGNED_FORMATS else zero


@_kernel_intrinsic
def panel_values(context: Any, FORMAT: Any) -> Any:
    """Weights of a row that `panel_pack` takes at once."""
    values = panel_layout(FORMAT, 0).values

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return ir.Constant(I64, values)

    return types.int64(FORMAT), emit


@_kernel_intrinsic
def panel_factors(context: Any, FORMAT: Any) -> Any:
    """Factors of a row for 32 values."""
    count = factors_of(literal(FORMAT, 0))

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return ir.Constant(I64, count)

    return types.int64(FORMAT), emit


@_kernel_intrinsic
def panel_bytes(context: Any, FORMAT: Any) -> Any:
    """Bytes of a value in a panel."""
    size = form_of(literal(FORMAT, 0)).size

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return ir.Constant(I64, size)

    return types.int64(FORMAT), emit


_LINE = 64  # bytes of a cache line


@register_jitable  # type: ignore[misc]
def aligned_bytes(rows, columns):  # type: ignore[no-untyped-def]
    """An array of bytes that begins on a cache line."""
    raw = np.empty(rows * columns + _LINE, np.uint8)
    skip = -np.int64(raw.ctypes.data) % _LINE
    return raw[skip : skip + rows * columns].reshape(rows, columns)


@register_jitable  # type: ignore[misc]
def aligned_floats(rows, columns):  # type: ignore[no-untyped-def]
    """An array of float32 that begins on a cache line."""
    raw = np.empty(rows * columns + _LINE // 4, np.float32)
    skip = -np.int64(raw.ctypes.data) % _LINE // 4
    return raw[skip : skip + rows * columns].reshape(rows, columns)


@register_jitable  # type: ignore[misc]
def aligned_ints(rows, columns):  # type: ignore[no-untyped-def]
    """An array of int32 that begins on a cache line."""
    return aligned_floats(rows, columns).view(np.int32)


@register_jitable  # type: ignore[misc]
def aligned_panels(count, K, FORMAT):  # type: ignore[no-untyped-def]
    """Room for panels of K values a row, which begins on a cache line."""
    return aligned_bytes(count, K * LANES * panel_bytes(FORMAT))


@register_jitable  # type: ignore[misc]
def _as_pairs(q_TK):  # type: ignore[no-untyped-def]
    """int8 as int16, of each four the first and third, then the second and fourth."""
    T, K = q_TK.shape
    pairs = np.empty((T, K), np.int16)
    for t in range(T):
        for k in range(0, K, 4):
            pairs[t, k] = q_TK[t, k]
            pairs[t, k + 1] = q_TK[t, k + 2]
            pairs[t, k + 2] = q_TK[t, k + 1]
            pairs[t, k + 3] = q_TK[t, k + 3]
    return pairs


def panel_inputs(q_TK, FORMAT):  # type: ignore[no-untyped-def]
    """Activations in int8 as the products with a format's panels take them."""
    raise NotImplementedError("compiled code only")


@overload(panel_inputs, prefer_literal=True)
def _panel_inputs(q_TK, FORMAT):  # type: ignore[no-untyped-def]
    name = form_of(literal(FORMAT, 1)).name
    if name == "PAIRS":
        return lambda q_TK, FORMAT: _as_pairs(q_TK)
    if name == "FLOATS":
        return lambda q_TK, FORMAT: q_TK.astype(np.float32)
    return lambda q_TK, FORMAT: q_TK
