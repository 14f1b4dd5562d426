"""The optimizer: the norm of all gradients, the factor that clips them, and AdamW's update.

What changes from step to step comes as a tensor of numbers, in the order of `Numbers`.
"""

# N values of a weight, S tensors with C partial sums each, P numbers, F = 2: norm and factor

from __future__ import annotations

from enum import IntEnum
from itertools import pairwise
from typing import Any

import numpy as np

from rung.registry import op

PARTIAL_SUMS = 64
"""Runs of a tensor whose squares are summed each by itself, whatever the number of threads."""


class Numbers(IntEnum):
    """The place of each number of a step.

    GRADIENT_SCALE multiplies every gradient before all else. CLIP is the greatest norm, 0 for none.
    CORRECTION1 and CORRECTION2 are 1 − beta1ˢ and 1 − beta2ˢ at step s, from 1 on.
    """

    GRADIENT_SCALE = 0
    CLIP = 1
    LEARNING_RATE = 2
    BETA1 = 3
    BETA2 = 4
    EPSILON = 5
    WEIGHT_DECAY = 6
    CORRECTION1 = 7
    CORRECTION2 = 8


P = len(Numbers)


def _example(**changes: float) -> Any:
    values = {
        **{"GRADIENT_SCALE": 0.5, "CLIP": 1.0, "LEARNING_RATE": 0.01, "BETA1": 0.9},
        **{"BETA2": 0.99, "EPSILON": 1e-8, "WEIGHT_DECAY": 0.1},
        **{"CORRECTION1": 1 - 0.9**3, "CORRECTION2": 1 - 0.99**3},
    }
    return np.array([(values | changes)[number.name] for number in Numbers], np.float32)


def _runs(size: int, runs: int) -> list[slice]:
    """Runs of whole cache lines, as kernels cut them."""
    lines = -(-size // 16)
    cuts = [min(lines * run // runs * 16, size) for run in range(runs + 1)]
    return [slice(a, b) for a, b in pairwise(cuts)]


@op(
    out="sums_SC",
    inplace="sums_SC",
    touched={"sums_SC": "C"},
    flops=lambda N: 2 * N,
    cases=[
        {"S": 3, "C": PARTIAL_SUMS, "N": N, "slot": slot}
        for N, slot in ((1, 0), (37, 1), (5000, 2))
    ],
)
def square_sums(sums_SC: Any, g_N: Any, *, slot: int) -> Any:
    """sums[slot, c] = Σ g² over the c-th of C runs"""
    result = sums_SC.copy()
    result[slot] = [np.sum(g_N[run] ** 2) for run in _runs(len(g_N), sums_SC.shape[1])]
    return result


@op(
    out="f_F",
    derived=lambda dims: {"F": 2},
    make=lambda rng, *, S, C, clip, **_: {
        "sums_SC": rng.random((S, C)).astype(np.float32),
        "numbers_P": _example(CLIP=clip),
    },
    flops=lambda S, C: S * C,
    cases=[{"S": 3, "C": PARTIAL_SUMS, "P": P, "clip": clip} for clip in (0.0, 0.5, 1000.0)],
)
def gradient_factor(sums_SC: Any, numbers_P: Any) -> Any:
    """f = [norm, scale · min(1, clip / norm)], norm = scale · √(Σ sums); no clip where it is 0"""
    scale, clip = numbers_P[Numbers.GRADIENT_SCALE], numbers_P[Numbers.CLIP]
    norm = scale * np.sqrt(sums_SC.sum())
    shrink = clip / norm if 0 < clip < norm else 1.0
    return np.array([norm, scale * shrink])


@op(
    out="w_N",
    inplace="w_N",
    writes=("m_N", "v_N"),
    make=lambda rng, *, N, **_: {
        **{name: rng.standard_normal(N).astype(np.float32) for name in ("w_N", "m_N", "g_N")},
        "v_N": rng.random(N).astype(np.float32),
        "factor_F": np.array([2.0, 0.25], np.float32),
        "numbers_P": _example(),
    },
    flops=lambda N: 14 * N,
    cases=[
        {"N": N, "F": 2, "P": P, "decays": decays}
        for N in (1, 37, 5000)
        for decays in (False, True)
    ],
)
def adamw(
    w_N: Any, m_N: Any, v_N: Any, g_N: Any, factor_F: Any, numbers_P: Any, *, decays: bool
) -> Any:
    """w −= lr · (m̂ / (√v̂ + ε) + decay · w), m̂ = m / (1 − β₁ˢ), v̂ = v / (1 − β₂ˢ)

    m and v are the running means of g · factor and of its square. Source: Loshchilov and Hutter,
    Decoupled Weight Decay Regularization, 2019.
    """
    rate, beta1, beta2, epsilon, decay, correction1, correction2 = numbers_P[2:]
    g_N = g_N * factor_F[1]
    m_N = beta1 * m_N + (1 - beta1) * g_N
    v_N = beta2 * v_N + (1 - beta2) * g_N**2
    step_N = m_N / correction1 / (np.sqrt(v_N / correction2) + epsilon)
    return w_N - rate * (step_N + (decay * w_N if decays else 0)), m_N, v_N
