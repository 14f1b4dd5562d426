"""The gradient of linear: dx = dy · w, dw = dyᵀ · x, db = the sums of dy's columns."""

# T tokens, K input width, N output width

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rung.ops.linear.op import linear
from rung.registry import op

if TYPE_CHECKING:
    from rung.graph.grad import Backward
    from rung.graph.ir import Node, Tensor

SIZES = [
    {"T": 1, "N": 8, "K": 64},
    {"T": 3, "N": 5, "K": 37},
    {"T": 9, "N": 17, "K": 96},
    {"T": 2, "N": 1, "K": 1},
    {"T": 0, "N": 4, "K": 16},
    {"T": 70, "N": 300, "K": 160},
    {"T": 261, "N": 133, "K": 200},
    {"T": 600, "N": 5, "K": 60},
]


def before(rng: np.random.Generator, shape: tuple[int, ...], *, add: bool) -> Any:
    """What a gradient holds before it is written: values to add to, or NaN, which must not stay."""
    values = rng.standard_normal(shape).astype(np.float32)
    return values if add else np.full_like(values, np.nan)


def make_x(
    rng: np.random.Generator, *, T: int, N: int, K: int, residual: bool = False, **_: Any
) -> dict[str, Any]:
    return {
        "dy_TN": rng.standard_normal((T, N)).astype(np.float32),
        "w_NK": rng.standard_normal((N, K)).astype(np.float32),
        "r_TK": rng.standard_normal((T, K)).astype(np.float32) if residual else None,
    }


@op(
    out="dx_TK",
    make=make_x,
    flops=lambda T, N, K: 2 * T * N * K,
    cases=[*SIZES, {"T": 7, "N": 40, "K": 30, "residual": True}],
)
def linear_backward_x(dy_TN: Any, w_NK: Any, r_TK: Any = None) -> Any:
    """dx = dy · w + r"""
    dx_TK = dy_TN @ w_NK
    return dx_TK if r_TK is None else dx_TK + r_TK


def make_w(
    rng: np.random.Generator, *, T: int, N: int, K: int, add: bool, **_: Any
) -> dict[str, Any]:
    return {
        "dw_NK": before(rng, (N, K), add=add),
        "dy_TN": rng.standard_normal((T, N)).astype(np.float32),
        "x_TK": rng.standard_normal((T, K)).astype(np.float32),
    }


@op(
    out="dw_NK",
    inplace="dw_NK",
    make=make_w,
    flops=lambda T, N, K: 2 * T * N * K,
    cases=[case | {"add": add} for case in SIZES for add in (False, True)],
)
def linear_backward_w(dw_NK: Any, dy_TN: Any, x_TK: Any, *, add: bool) -> Any:
    """dw = dyᵀ · x, added to what is there where `add`"""
    product = dy_TN.T @ x_TK
    return dw_NK + product if add else product


@op(
    out="sums_N",
    inplace="sums_N",
    make=lambda rng, *, T, N, add, **_: {
        "sums_N": before(rng, (N,), add=add),
        "x_TN": rng.standard_normal((T, N)).astype(np.float32),
    },
    flops=lambda T, N: T * N,
    cases=[
        {"T": T, "N": N, "add": add}
        for T, N in ((1, 64), (5, 123), (300, 40), (2, 1), (0, 8))
        for add in (False, True)
    ],
)
def column_sums(sums_N: Any, x_TN: Any, *, add: bool) -> Any:
    """sums = Σ_T x, added to what is there where `add`"""
    return (sums_N if add else 0) + x_TN.sum(axis=0)


@linear.gradient
def linear_gradient(backward: Backward, node: Node, dy_TN: Tensor) -> None:
    """Of x, w, b and r; what is added to a product has the product's own gradient."""
    x_TK, w_NK, b_N, r_TN = (node.inputs[name] for name in ("x_TK", "w_NK", "b_N", "r_TN"))
    assert x_TK is not None
    assert w_NK is not None
    backward.give(x_TK, lambda r, name: backward.add(linear_backward_x, dy_TN, w_NK, r, name=name))
    backward.update(w_NK, linear_backward_w, dy_TN, x_TK)
    if b_N is not None:
        backward.update(b_N, column_sums, dy_TN)
    if r_TN is not None:
        backward.pass_on(r_TN, dy_TN)
