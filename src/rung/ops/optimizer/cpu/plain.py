"""The optimizer on the CPU: 1 is the formula, value by value."""

# N values of a weight, S tensors with C partial sums each, P numbers, F = 2: norm and factor

import math

import numpy as np

from rung.ops.optimizer.op import Numbers, adamw, gradient_factor, square_sums
from rung.registry import Split
from rung.simd.spans import span

_LINE = 16
_RUN = 4096

_SCALE, _CLIP = int(Numbers.GRADIENT_SCALE), int(Numbers.CLIP)
_RATE, _BETA1, _BETA2 = int(Numbers.LEARNING_RATE), int(Numbers.BETA1), int(Numbers.BETA2)
_EPSILON, _DECAY = int(Numbers.EPSILON), int(Numbers.WEIGHT_DECAY)
_CORRECTION1, _CORRECTION2 = int(Numbers.CORRECTION1), int(Numbers.CORRECTION2)


@square_sums.kernel("cpu", 1, why="a run after another, in float64", split=Split("C"))
def square_sums_plain(part, parts, sums_SC, g_N, slot):
    C = sums_SC.shape[1]
    first, last = span(part, parts, C, 1)
    for c in range(first, last):
        start, stop = span(c, C, g_N.shape[0], _LINE)
        total = 0.0
        for i in range(start, stop):
            total += float(g_N[i]) * float(g_N[i])
        sums_SC[slot, c] = total


@gradient_factor.kernel("cpu", 1, why="summed in float64", split=Split(""))
def gradient_factor_plain(part, parts, sums_SC, numbers_P, f_F):
    S, C = sums_SC.shape
    total = 0.0
    for s in range(S):
        for c in range(C):
            total += sums_SC[s, c]
    scale, clip = float(numbers_P[_SCALE]), float(numbers_P[_CLIP])
    norm = scale * math.sqrt(total)
    f_F[0] = norm
    f_F[1] = scale * clip / norm if 0 < clip < norm else scale


@adamw.kernel("cpu", 1, why="the formula, value by value", split=Split("N", _RUN))
def adamw_plain(part, parts, w_N, m_N, v_N, g_N, factor_F, numbers_P, decays):
    start, stop = span(part, parts, w_N.shape[0], _RUN)
    one = np.float32(1)
    factor, epsilon = factor_F[1], numbers_P[_EPSILON]
    beta1, beta2 = numbers_P[_BETA1], numbers_P[_BETA2]
    rest1, rest2 = one - beta1, one - beta2
    rate = numbers_P[_RATE] / numbers_P[_CORRECTION1]
    root = one / np.float32(math.sqrt(numbers_P[_CORRECTION2]))
    keep = one - numbers_P[_RATE] * numbers_P[_DECAY] if decays else one
    for i in range(start, stop):
        g = g_N[i] * factor
        m = beta1 * m_N[i] + rest1 * g
        v = beta2 * v_N[i] + rest2 * g * g
        m_N[i] = m
        v_N[i] = v
        w_N[i] = w_N[i] * keep - rate * m / (np.sqrt(v) * root + epsilon)
