"""Gradients of elementwise ops; and SwiGLU of two halves of a row, as one product makes them."""

# T tokens, D width, F hidden width, E = 2F

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from rung.ops.mlp.op import add, gelu, scale, swiglu
from rung.registry import op

if TYPE_CHECKING:
    from rung.graph.grad import Backward
    from rung.graph.ir import Node, Tensor

_SIZES = [{"T": 1, "F": 64}, {"T": 5, "F": 123}, {"T": 2, "F": 2048}, {"T": 1, "F": 1}]
_SIZES += [{"T": 0, "F": 8}]
_PAIRS = [{"T": case["T"], "F": case["F"], "E": 2 * case["F"]} for case in _SIZES]


def _wide(rng: np.random.Generator, T: int, width: int) -> Any:
    """From −200 to 200: both ends of the exponential."""
    x = rng.standard_normal((T, width)).astype(np.float32) * 4
    x[:, ::7] *= 12
    return x


def _make(rng: np.random.Generator, *, T: int, F: int, **_: Any) -> dict[str, Any]:
    return {"dy_TF": rng.standard_normal((T, F)).astype(np.float32), "x_TF": _wide(rng, T, F)}


@op(out="dx_TF", make=_make, flops=lambda T, F: 20 * T * F, cases=_SIZES)
def gelu_backward(dy_TF: Any, x_TF: Any) -> Any:
    """dx = dy · (½(1 + tanh u) + ½x · (1 − tanh² u) · u′), u = √(2/π) · (x + 0.044715 x³)"""
    root = math.sqrt(2 / math.pi)
    tanh = np.tanh(root * (x_TF + 0.044715 * x_TF**3))
    slope = root * (1 + 3 * 0.044715 * x_TF**2)
    return dy_TF * (0.5 * (1 + tanh) + 0.5 * x_TF * (1 - tanh**2) * slope)


@gelu.gradient
def gelu_gradient(backward: Backward, node: Node, dy_TF: Tensor) -> None:
    """Of x, from x itself: nothing is kept of the forward pass."""
    x_TF = node.inputs["x_TF"]
    assert x_TF is not None
    backward.give_plain(x_TF, lambda name: backward.add(gelu_backward, dy_TF, x_TF, name=name))


def _make_pair(rng: np.random.Generator, *, T: int, E: int, **_: Any) -> dict[str, Any]:
    return {
        "dy_TF": rng.standard_normal((T, E // 2)).astype(np.float32),
        "x_TE": _wide(rng, T, E),
    }


@op(
    out="y_TF",
    derived=lambda dims: {"F": dims["E"] // 2},
    make=lambda rng, **case: {"x_TE": _make_pair(rng, **case)["x_TE"]},
    flops=lambda T, F: 8 * T * F,
    cases=_PAIRS,
)
def swiglu_pair(x_TE: Any) -> Any:
    """y = swiglu(gate, up), x = [gate, up]"""
    gate_TF, up_TF = np.split(x_TE, 2, axis=-1)
    return swiglu.reference(gate_TF, up_TF)


@op(out="dx_TE", make=_make_pair, flops=lambda T, F: 16 * T * F, cases=_PAIRS)
def swiglu_pair_backward(dy_TF: Any, x_TE: Any) -> Any:
    """dx = [dy · up · s · (1 + gate · (1 − s)), dy · gate · s], s = sigmoid(gate)"""
    gate_TF, up_TF = np.split(x_TE, 2, axis=-1)
    s_TF = np.exp(-np.logaddexp(0, -gate_TF))
    dgate_TF = dy_TF * up_TF * s_TF * (1 + gate_TF * (1 - s_TF))
    return np.concatenate([dgate_TF, dy_TF * gate_TF * s_TF], axis=-1)


@swiglu_pair.gradient
def swiglu_pair_gradient(backward: Backward, node: Node, dy_TF: Tensor) -> None:
    """Of both halves at once, from x itself."""
    x_TE = node.inputs["x_TE"]
    assert x_TE is not None
    backward.give_plain(
        x_TE, lambda name: backward.add(swiglu_pair_backward, dy_TF, x_TE, name=name)
    )


@add.gradient
def add_gradient(backward: Backward, node: Node, dy_TD: Tensor) -> None:
    """Each summand's is the sum's."""
    for tensor in node.tensors:
        backward.pass_on(tensor, dy_TD)


@scale.gradient
def scale_gradient(backward: Backward, node: Node, dy_TD: Tensor) -> None:
    """dx = factor · dy"""
    factor = node.attributes["factor"]
    backward.give_plain(
        node.tensors[0], lambda name: backward.add(scale, dy_TD, name=name, factor=factor)
    )
