"""The loss: cross-entropy of rows of logits, its mean over targets, and rows taken in chunks.

Logits of all tokens would be the largest tensor of a training step. So a model takes a chunk of
rows at a time: its logits, their losses, and at once the gradient, which overwrites the logits.
"""

# C chunks of R rows, V vocabulary, X targets of all rows (negative: none), D width, O one

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rung.registry import op
from rung.storage import I32

if TYPE_CHECKING:
    from rung.graph.grad import Backward
    from rung.graph.ir import Node, Tensor

_TARGETS = {"targets_X": I32}
_CHUNKS = [
    {"C": 1, "R": 3, "D": 8, "index": 0},
    {"C": 3, "R": 5, "D": 37, "index": 1},
    {"C": 2, "R": 70, "D": 20, "index": 1},
]


@op(out="y_RD", flops=lambda: 0, touched={"x_CRD": "RD"}, cases=_CHUNKS)
def chunk(x_CRD: Any, *, index: int) -> Any:
    """y = x[index]"""
    return x_CRD[index]


def _make_chunk(
    rng: np.random.Generator, *, C: int, R: int, D: int, summed: bool, **_: Any
) -> dict[str, Any]:
    return {
        "dy_RD": rng.standard_normal((R, D)).astype(np.float32),
        "x_CRD": np.full((C, R, D), np.nan, np.float32),
        "r_CRD": rng.standard_normal((C, R, D)).astype(np.float32) if summed else None,
    }


@op(
    out="dx_CRD",
    make=_make_chunk,
    flops=lambda R, D: R * D,
    touched={"x_CRD": ""},
    cases=[case | {"summed": summed} for case in _CHUNKS for summed in (False, True)],
)
def chunk_backward(dy_RD: Any, x_CRD: Any, r_CRD: Any = None, *, index: int) -> Any:
    """dx = r, or 0, with dy added to chunk `index`; of x only the shape counts"""
    dx_CRD = np.zeros(x_CRD.shape) if r_CRD is None else r_CRD.copy()
    dx_CRD[index] += dy_RD
    return dx_CRD


@chunk.gradient
def chunk_gradient(backward: Backward, node: Node, dy_RD: Tensor) -> None:
    """Into its place among the chunks."""
    x_CRD, index = node.tensors[0], node.attributes["index"]
    backward.give(
        x_CRD,
        lambda r, name: backward.add(chunk_backward, dy_RD, x_CRD, r, name=name, index=index),
    )


def _targets(rng: np.random.Generator, X: int, V: int) -> Any:
    """Targets of which about every fourth is missing."""
    targets = rng.integers(0, V, X).astype(np.int32)
    targets[rng.random(X) < 0.25] = -1
    return targets


def _make(rng: np.random.Generator, *, R: int, V: int, X: int, **_: Any) -> dict[str, Any]:
    return {
        "logits_RV": rng.standard_normal((R, V)).astype(np.float32) * 5,
        "targets_X": _targets(rng, X, V),
    }


_CASES = [
    {"R": 1, "V": 5, "X": 1, "first": 0},
    {"R": 7, "V": 123, "X": 14, "first": 7},
    {"R": 3, "V": 2000, "X": 9, "first": 3},
    {"R": 70, "V": 16, "X": 70, "first": 0},
]


@op(
    out="losses_R",
    types=_TARGETS,
    make=_make,
    flops=lambda R, V: 10 * R * V,
    cases=_CASES,
)
def cross_entropy(logits_RV: Any, targets_X: Any, *, first: int) -> Any:
    """loss_r = log Σ exp(logits_r) − logits_r[targets[first + r]]; 0 where there is no target"""
    R = len(logits_RV)
    targets_R = targets_X[first : first + R]
    lse_R = np.logaddexp.reduce(logits_RV, axis=-1)
    losses_R = lse_R - logits_RV[np.arange(R), np.maximum(targets_R, 0)]
    return np.where(targets_R < 0, 0, losses_R)


def _make_backward(rng: np.random.Generator, *, R: int, **case: Any) -> dict[str, Any]:
    dlosses = {"dlosses_R": rng.standard_normal(R).astype(np.float32)}
    return _make(rng, R=R, **case) | dlosses


@op(
    out="logits_RV",
    inplace="logits_RV",
    types=_TARGETS,
    make=_make_backward,
    flops=lambda R, V: 20 * R * V,
    cases=_CASES,
)
def cross_entropy_backward(logits_RV: Any, targets_X: Any, dlosses_R: Any, *, first: int) -> Any:
    """logits_r = dloss_r · (softmax(logits_r) − onehot(targets[first + r])), 0 without a target"""
    R, V = logits_RV.shape
    targets_R = targets_X[first : first + R]
    softmax = np.exp(logits_RV - np.logaddexp.reduce(logits_RV, axis=-1)[:, None])
    onehot = np.arange(V) == targets_R[:, None]
    return np.where(targets_R < 0, 0, dlosses_R)[:, None] * (softmax - onehot)


@cross_entropy.gradient
def cross_entropy_gradient(backward: Backward, node: Node, dlosses_R: Tensor) -> None:
    """Of the logits, in their own memory: nothing reads them afterwards."""
    logits_RV, targets_X = node.tensors
    first = node.attributes["first"]
    backward.give_plain(
        logits_RV,
        lambda name: backward.add(
            cross_entropy_backward, logits_RV, targets_X, dlosses_R, name=name, first=first
        ),
    )


def _make_mean(
    rng: np.random.Generator, *, R: int, X: int, summed: bool, **_: Any
) -> dict[str, Any]:
    return {
        "losses_R": rng.standard_normal(R).astype(np.float32),
        "targets_X": _targets(rng, X, 9),
        "total_O": np.array([3.5], np.float32) if summed else None,
    }


@op(
    out="y_O",
    types=_TARGETS,
    derived=lambda dims: {"O": 1},
    make=_make_mean,
    flops=lambda R, X: R + X,
    cases=[
        {"R": R, "X": X, "O": 1, "summed": summed}
        for R, X, summed in ((1, 1, False), (5, 10, True), (300, 300, False))
    ],
)
def mean_loss(losses_R: Any, targets_X: Any, total_O: Any = None) -> Any:
    """y = total + Σ_R loss / number of targets"""
    mean = losses_R.sum() / max((targets_X >= 0).sum(), 1)
    return np.array([mean]) + (0 if total_O is None else total_O)


@op(
    out="d_R",
    types=_TARGETS,
    make=lambda rng, *, R, X, **_: {
        "dy_O": rng.standard_normal(1).astype(np.float32),
        "losses_R": np.full(R, np.nan, np.float32),
        "targets_X": _targets(rng, X, 9),
    },
    flops=lambda R, X: R + X,
    cases=[{"R": R, "X": X, "O": 1} for R, X in ((1, 1), (5, 10), (300, 300))],
)
def mean_loss_backward(dy_O: Any, losses_R: Any, targets_X: Any) -> Any:
    """d = dy / number of targets; of the losses only the number counts"""
    return np.full(losses_R.shape, dy_O[0] / max((targets_X >= 0).sum(), 1))


@mean_loss.gradient
def mean_loss_gradient(backward: Backward, node: Node, dy_O: Tensor) -> None:
    """Of each loss the same; what is added to has dy itself."""
    losses_R, targets_X, total_O = (
        node.inputs[name] for name in ("losses_R", "targets_X", "total_O")
    )
    assert losses_R is not None
    backward.give_plain(
        losses_R,
        lambda name: backward.add(mean_loss_backward, dy_O, losses_R, targets_X, name=name),
    )
    if total_O is not None:
        backward.pass_on(total_O, dy_O)
