"""The gradients of norms: x̂ = (x − mean) · scale is what the weights multiply."""

# T tokens, D width, S statistics of a row: its mean and its scale

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rung.ops.linear.gradient import before, column_sums
from rung.ops.norm.op import layer_norm, rms_norm
from rung.registry import op

if TYPE_CHECKING:
    from rung.graph.grad import Backward
    from rung.graph.ir import Node, Tensor

_SIZES = [{"T": 1, "D": 64}, {"T": 5, "D": 123}, {"T": 3, "D": 16}, {"T": 70, "D": 33}]
_SIZES += [{"T": 0, "D": 8}]


@op(
    out="s_TS",
    derived=lambda dims: {"S": 2},
    flops=lambda T, D: 4 * T * D,
    cases=[
        case | {"eps": 1e-5, "centred": centred} for case in _SIZES for centred in (False, True)
    ],
)
def norm_statistics(x_TD: Any, *, eps: float, centred: bool) -> Any:
    """s = [mean_D(x), 1 / sqrt(mean_D((x − mean)²) + eps)]; the mean counts as 0 unless centred"""
    mean_T = np.mean(x_TD, axis=-1) if centred else np.zeros(len(x_TD))
    variance_T = np.mean((x_TD - mean_T[:, None]) ** 2, axis=-1)
    return np.stack([mean_T, 1 / np.sqrt(variance_T + eps)], axis=-1)


def _make(
    rng: np.random.Generator, *, T: int, D: int, centred: bool = True, **_: Any
) -> dict[str, Any]:
    x_TD = rng.standard_normal((T, D)).astype(np.float32)
    s_TS = norm_statistics.reference(x_TD.astype(np.float64), eps=1e-5, centred=centred)
    return {"x_TD": x_TD, "s_TS": s_TS.astype(np.float32)}


def _make_x(
    rng: np.random.Generator, *, T: int, D: int, residual: bool = False, **case: Any
) -> dict[str, Any]:
    return _make(rng, T=T, D=D, **case) | {
        "dy_TD": rng.standard_normal((T, D)).astype(np.float32),
        "w_D": rng.standard_normal(D).astype(np.float32),
        "r_TD": rng.standard_normal((T, D)).astype(np.float32) if residual else None,
    }


@op(
    out="dx_TD",
    make=_make_x,
    flops=lambda T, D: 11 * T * D,
    cases=[
        case | {"S": 2, "centred": centred, "residual": centred == (case["T"] == 5)}
        for case in _SIZES
        for centred in (False, True)
    ],
)
def norm_backward_x(
    dy_TD: Any, x_TD: Any, w_D: Any, s_TS: Any, r_TD: Any = None, *, centred: bool
) -> Any:
    """dx = scale · (g − x̂ · mean_D(g · x̂) − mean_D(g)) + r, g = dy · w; mean_D(g) if centred"""
    mean_T1, scale_T1 = s_TS[:, :1], s_TS[:, 1:]
    hat_TD = (x_TD - mean_T1) * scale_T1
    g_TD = dy_TD * w_D
    inner_TD = g_TD - hat_TD * np.mean(g_TD * hat_TD, axis=-1, keepdims=True)
    if centred:
        inner_TD = inner_TD - np.mean(g_TD, axis=-1, keepdims=True)
    dx_TD = scale_T1 * inner_TD
    return dx_TD if r_TD is None else dx_TD + r_TD


def _make_w(rng: np.random.Generator, *, T: int, D: int, add: bool, **case: Any) -> dict[str, Any]:
    dy_TD = rng.standard_normal((T, D)).astype(np.float32)
    return _make(rng, T=T, D=D, **case) | {"dw_D": before(rng, (D,), add=add), "dy_TD": dy_TD}


@op(
    out="dw_D",
    inplace="dw_D",
    make=_make_w,
    flops=lambda T, D: 4 * T * D,
    cases=[case | {"S": 2, "add": add} for case in _SIZES for add in (False, True)],
)
def norm_backward_w(dw_D: Any, dy_TD: Any, x_TD: Any, s_TS: Any, *, add: bool) -> Any:
    """dw = Σ_T dy · x̂, added to what is there where `add`"""
    product_TD = dy_TD * (x_TD - s_TS[:, :1]) * s_TS[:, 1:]
    return (dw_D if add else 0) + product_TD.sum(axis=0)


def _norm(backward: Backward, node: Node, dy_TD: Tensor, *, centred: bool) -> None:
    x_TD, w_D, b_D = (node.inputs.get(name) for name in ("x_TD", "w_D", "b_D"))
    assert x_TD is not None
    assert w_D is not None
    s_TS = backward.add(
        norm_statistics,
        x_TD,
        name=f"{node.name} statistics",
        eps=node.attributes["eps"],
        centred=centred,
    )
    backward.update(w_D, norm_backward_w, dy_TD, x_TD, s_TS)
    if b_D is not None:
        backward.update(b_D, column_sums, dy_TD)
    backward.give(
        x_TD,
        lambda r, name: backward.add(
            norm_backward_x, dy_TD, x_TD, w_D, s_TS, r, name=name, centred=centred
        ),
    )


@layer_norm.gradient
def layer_norm_gradient(backward: Backward, node: Node, dy_TD: Tensor) -> None:
    """Of x, w and b; mean and scale are computed again from x."""
    _norm(backward, node, dy_TD, centred=True)


@rms_norm.gradient
def rms_norm_gradient(backward: Backward, node: Node, dy_TD: Tensor) -> None:
    """Of x and w; the scale is computed again from x."""
    _norm(backward, node, dy_TD, centred=False)
