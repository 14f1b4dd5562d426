"""linear and its gradient in mixed precision: factors rounded to bfloat16, sums in float32.

For training: weights stay float32, and only what meets in a product is rounded. The gradient is
that of linear, as if nothing had been rounded; its own products have rounded factors as well.
"""

# T tokens, K input width, N output width

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rung.ops.linear.gradient import SIZES, column_sums, make_w, make_x
from rung.registry import op
from rung.storage import BF16
from rung.storage import quantize as store_as

if TYPE_CHECKING:
    from rung.graph.grad import Backward
    from rung.graph.ir import Node, Tensor

# More than the depth of a panel, and not a multiple of it; several panels with an edge.
_DEEP = [{"T": 5, "N": 50, "K": 1201}, {"T": 37, "N": 901, "K": 49}]


def rounded(x: Any) -> Any:
    """x rounded to bfloat16, in float64."""
    return store_as(x.astype(np.float32), BF16).float64()


@op(
    out="y_TN",
    flops=lambda T, N, K: 2 * T * N * K,
    make=lambda rng, *, T, N, K, bias=False, residual=False, **_: {
        "x_TK": rng.standard_normal((T, K)).astype(np.float32),
        "w_NK": rng.standard_normal((N, K)).astype(np.float32),
        "b_N": rng.standard_normal(N).astype(np.float32) if bias else None,
        "r_TN": rng.standard_normal((T, N)).astype(np.float32) if residual else None,
    },
    cases=[
        *SIZES,
        *_DEEP,
        {"T": 5, "N": 6, "K": 48, "bias": True},
        {"T": 3, "N": 7, "K": 40, "residual": True},
        {"T": 70, "N": 101, "K": 500, "bias": True, "residual": True},
    ],
)
def linear_bf16(x_TK: Any, w_NK: Any, b_N: Any = None, r_TN: Any = None) -> Any:
    """y = bf16(x) · bf16(w)ᵀ + b + r"""
    y_TN = rounded(x_TK) @ rounded(w_NK).T
    if b_N is not None:
        y_TN = y_TN + b_N
    return y_TN if r_TN is None else y_TN + r_TN


@op(
    out="dx_TK",
    make=make_x,
    flops=lambda T, N, K: 2 * T * N * K,
    cases=[*SIZES, *_DEEP, {"T": 7, "N": 901, "K": 30, "residual": True}],
)
def linear_bf16_backward_x(dy_TN: Any, w_NK: Any, r_TK: Any = None) -> Any:
    """dx = bf16(dy) · bf16(w) + r"""
    dx_TK = rounded(dy_TN) @ rounded(w_NK)
    return dx_TK if r_TK is None else dx_TK + r_TK


@op(
    out="dw_NK",
    inplace="dw_NK",
    make=make_w,
    flops=lambda T, N, K: 2 * T * N * K,
    cases=[case | {"add": add} for case in (*SIZES, *_DEEP) for add in (False, True)],
)
def linear_bf16_backward_w(dw_NK: Any, dy_TN: Any, x_TK: Any, *, add: bool) -> Any:
    """dw = bf16(dy)ᵀ · bf16(x), added to what is there where `add`"""
    product = rounded(dy_TN).T @ rounded(x_TK)
    return dw_NK + product if add else product


@linear_bf16.gradient
def linear_bf16_gradient(backward: Backward, node: Node, dy_TN: Tensor) -> None:
    """Of x, w, b and r; what is added to a product has the product's own gradient."""
    x_TK, w_NK, b_N, r_TN = (node.inputs[name] for name in ("x_TK", "w_NK", "b_N", "r_TN"))
    assert x_TK is not None
    assert w_NK is not None
    backward.give(
        x_TK, lambda r, name: backward.add(linear_bf16_backward_x, dy_TN, w_NK, r, name=name)
    )
    backward.update(w_NK, linear_bf16_backward_w, dy_TN, x_TK)
    if b_N is not None:
        backward.update(b_N, column_sums, dy_TN)
    if r_TN is not None:
        backward.pass_on(r_TN, dy_TN)
