"""Elementwise ops: activations of the feed-forward block, residual sums, scaling, soft-caps."""

# T tokens, D width, F hidden width

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rung.ops.linear.op import quantize_blocks
from rung.registry import op
from rung.storage import Q8_S

_CASES = [
    {"T": 1, "F": 64},
    {"T": 5, "F": 123},
    {"T": 2, "F": 2048},
    {"T": 1, "F": 1},
    {"T": 0, "F": 8},
]


def _wide(rng: np.random.Generator, *, T: int, F: int, **_: Any) -> dict[str, Any]:
    """Gates from −200 to 200: both ends of the exponential."""
    gate = rng.standard_normal((T, F)).astype(np.float32) * 4
    gate[:, ::7] *= 12
    return {"gate_TF": gate, "up_TF": rng.standard_normal((T, F)).astype(np.float32)}


@op(out="y_TF", make=_wide, flops=lambda T, F: 8 * T * F, cases=_CASES)
def swiglu(gate_TF: Any, up_TF: Any) -> Any:
    """y = gate · sigmoid(gate) · up"""
    return gate_TF * np.exp(-np.logaddexp(0, -gate_TF)) * up_TF


def _wide_x(rng: np.random.Generator, **case: Any) -> dict[str, Any]:
    return {"x_TF": _wide(rng, **case)["gate_TF"]}


@op(out="y_TF", make=_wide_x, flops=lambda T, F: 12 * T * F, cases=_CASES)
def gelu(x_TF: Any) -> Any:
    """y = x/2 · (1 + tanh(√(2/π) · (x + 0.044715 x³)))"""
    return 0.5 * x_TF * (1 + np.tanh(math.sqrt(2 / math.pi) * (x_TF + 0.044715 * x_TF**3)))


@op(out="y_TF", make=_wide, flops=lambda T, F: 13 * T * F, cases=_CASES)
def geglu(gate_TF: Any, up_TF: Any) -> Any:
    """y = gate/2 · (1 + tanh(√(2/π) · (gate + 0.044715 gate³))) · up"""
    return gelu.reference(gate_TF) * up_TF


_ROUNDED = [{"T": 1, "F": 32}, {"T": 5, "F": 96}, {"T": 3, "F": 1056}, {"T": 0, "F": 64}]


@op(
    out="y_TF",
    out_type=lambda attributes: Q8_S,
    make=_wide,
    flops=lambda T, F: 12 * T * F,
    cases=_ROUNDED,
)
def swiglu_rounded(gate_TF: Any, up_TF: Any) -> Any:
    """y = swiglu(gate, up) rounded to int8 in blocks of 32, as quantize_blocks does"""
    return quantize_blocks.reference(swiglu.reference(gate_TF, up_TF))


@op(
    out="y_TF",
    out_type=lambda attributes: Q8_S,
    make=_wide_x,
    flops=lambda T, F: 16 * T * F,
    cases=_ROUNDED,
)
def gelu_rounded(x_TF: Any) -> Any:
    """y = gelu(x) rounded to int8 in blocks of 32, as quantize_blocks does"""
    return quantize_blocks.reference(gelu.reference(x_TF))


@op(
    out="y_TF",
    out_type=lambda attributes: Q8_S,
    make=_wide,
    flops=lambda T, F: 17 * T * F,
    cases=_ROUNDED,
)
def geglu_rounded(gate_TF: Any, up_TF: Any) -> Any:
    """y = geglu(gate, up) rounded to int8 in blocks of 32, as quantize_blocks does"""
    return quantize_blocks.reference(geglu.reference(gate_TF, up_TF))


_WIDTHS = [{"T": 1, "D": 64}, {"T": 5, "D": 123}, {"T": 3, "D": 1024}, {"T": 0, "D": 8}]


@op(out="y_TD", flops=lambda T, D: T * D, cases=_WIDTHS)
def add(a_TD: Any, b_TD: Any) -> Any:
    """y = a + b"""
    return a_TD + b_TD


@op(
    out="y_TD",
    flops=lambda T, D: T * D,
    cases=[case | {"factor": 5.65685424949238} for case in _WIDTHS],
)
def scale(x_TD: Any, *, factor: float) -> Any:
    """y = factor · x"""
    return factor * x_TD


def _logits(rng: np.random.Generator, *, T: int, D: int, cap: float, **_: Any) -> dict[str, Any]:
    """From far below the cap to far above it."""
    x_TD = rng.standard_normal((T, D)).astype(np.float32) * np.float32(cap)
    x_TD[:, ::3] *= np.float32(0.01)
    x_TD[:, 1::5] *= np.float32(50)
    return {"x_TD": x_TD}


@op(
    out="y_TD",
    make=_logits,
    flops=lambda T, D: 12 * T * D,
    cases=[case | {"cap": cap} for case, cap in zip(_WIDTHS, (30.0, 1.0, 0.2, 30.0), strict=True)],
)
def softcap(x_TD: Any, *, cap: float) -> Any:
    """y = cap · tanh(x / cap)"""
    return cap * np.tanh(x_TD / cap)
