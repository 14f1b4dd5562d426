"""Norms: each token's vector, or each head's, scaled to a standard size."""

# T tokens, H heads, D width

from __future__ import annotations

from typing import Any

import numpy as np

from rung.ops.linear.op import quantize_blocks
from rung.registry import op
from rung.storage import Q8_S

_CASES = [
    {"T": 1, "D": 64, "eps": 1e-5},
    {"T": 5, "D": 123, "eps": 1e-5},
    {"T": 3, "D": 16, "eps": 1e-6},
    {"T": 2, "D": 1, "eps": 1e-5},
    {"T": 0, "D": 8, "eps": 1e-5},
]


@op(out="y_TD", flops=lambda T, D: 4 * T * D, cases=_CASES)
def rms_norm(x_TD: Any, w_D: Any, *, eps: float) -> Any:
    """y = x / sqrt(mean_D(x²) + eps) · w"""
    return x_TD / np.sqrt(np.mean(x_TD**2, axis=-1, keepdims=True) + eps) * w_D


@op(
    out="y_THD",
    flops=lambda T, H, D: 4 * T * H * D,
    cases=[
        {"T": 1, "H": 4, "D": 64, "eps": 1e-6},
        {"T": 5, "H": 3, "D": 37, "eps": 1e-5},
        {"T": 2, "H": 1, "D": 1, "eps": 1e-5},
        {"T": 0, "H": 2, "D": 8, "eps": 1e-5},
    ],
)
def head_norm(x_THD: Any, w_D: Any, *, eps: float) -> Any:
    """y = x / sqrt(mean_D(x²) + eps) · w, for each head by itself"""
    return rms_norm.reference(x_THD, w_D, eps=eps)


@op(out="y_TD", flops=lambda T, D: 8 * T * D, cases=_CASES)
def layer_norm(x_TD: Any, w_D: Any, b_D: Any, *, eps: float) -> Any:
    """y = (x − mean_D(x)) / sqrt(var_D(x) + eps) · w + b"""
    centred = x_TD - np.mean(x_TD, axis=-1, keepdims=True)
    return centred / np.sqrt(np.mean(centred**2, axis=-1, keepdims=True) + eps) * w_D + b_D


_ROUNDED = [
    {"T": 1, "D": 32, "eps": 1e-5},
    {"T": 5, "D": 96, "eps": 1e-6},
    {"T": 2, "D": 1056, "eps": 1e-5},
    {"T": 0, "D": 64, "eps": 1e-5},
]


@op(out="y_TD", out_type=lambda attributes: Q8_S, flops=lambda T, D: 8 * T * D, cases=_ROUNDED)
def rms_norm_rounded(x_TD: Any, w_D: Any, *, eps: float) -> Any:
    """y = rms_norm(x) rounded to int8 in blocks of 32, as quantize_blocks does"""
    return quantize_blocks.reference(rms_norm.reference(x_TD, w_D, eps=eps))


@op(out="y_TD", out_type=lambda attributes: Q8_S, flops=lambda T, D: 12 * T * D, cases=_ROUNDED)
def layer_norm_rounded(x_TD: Any, w_D: Any, b_D: Any, *, eps: float) -> Any:
    """y = layer_norm(x) rounded to int8 in blocks of 32, as quantize_blocks does"""
    return quantize_blocks.reference(layer_norm.reference(x_TD, w_D, b_D, eps=eps))
