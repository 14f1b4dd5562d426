"""The optimizer on the CPU, 2: sixteen lanes at a time, at the speed of memory, its limit."""

# N values of a weight, S tensors with C partial sums each, P numbers, F = 2: norm and factor

import math

import numpy as np

from rung.ops.optimizer.op import Numbers, adamw, square_sums
from rung.registry import Split
from rung.simd.lanes import LANES, fill, fma, load, load_some, square_root, store, store_some, total
from rung.simd.spans import span

_LINE = 16
_RUN = 4096

_RATE, _BETA1, _BETA2 = int(Numbers.LEARNING_RATE), int(Numbers.BETA1), int(Numbers.BETA2)
_EPSILON, _DECAY = int(Numbers.EPSILON), int(Numbers.WEIGHT_DECAY)
_CORRECTION1, _CORRECTION2 = int(Numbers.CORRECTION1), int(Numbers.CORRECTION2)


@square_sums.kernel("cpu", 2, why="sixteen lanes for a while, then float64", split=Split("C", 4))
def square_sums_lanes(part, parts, sums_SC, g_N, slot):
    C = sums_SC.shape[1]
    g_1N = g_N.reshape(1, g_N.shape[0])
    first, last = span(part, parts, C, 4)
    for c in range(first, last):
        start, stop = span(c, C, g_N.shape[0], _LINE)
        everything = 0.0
        for run in range(start, stop, _RUN):
            end = min(run + _RUN, stop)
            one = two = fill(np.float32(0))
            i = run
            while i + 2 * LANES <= end:
                g, h = load(g_1N, 0, i), load(g_1N, 0, i + LANES)
                one, two = fma(g, g, one), fma(h, h, two)
                i += 2 * LANES
            while i < end:
                g = load_some(g_1N, 0, i, min(LANES, end - i))
                one = fma(g, g, one)
                i += LANES
            everything += total(one + two)
        sums_SC[slot, c] = everything


@adamw.kernel("cpu", 2, why="sixteen lanes, at the speed of memory", split=Split("N", _RUN))
def adamw_lanes(part, parts, w_N, m_N, v_N, g_N, factor_F, numbers_P, decays):
    N = w_N.shape[0]
    w_1N, m_1N = w_N.reshape(1, N), m_N.reshape(1, N)
    v_1N, g_1N = v_N.reshape(1, N), g_N.reshape(1, N)
    start, stop = span(part, parts, N, _RUN)
    one = np.float32(1)
    factor, epsilon = fill(factor_F[1]), fill(numbers_P[_EPSILON])
    beta1, beta2 = fill(numbers_P[_BETA1]), fill(numbers_P[_BETA2])
    rest1, rest2 = fill(one - numbers_P[_BETA1]), fill(one - numbers_P[_BETA2])
    rate = fill(-numbers_P[_RATE] / numbers_P[_CORRECTION1])
    root = fill(np.float32(1 / math.sqrt(numbers_P[_CORRECTION2])))
    keep = fill(one - numbers_P[_RATE] * numbers_P[_DECAY] if decays else one)
    whole = start + (stop - start) // LANES * LANES
    for i in range(start, whole, LANES):
        g = load(g_1N, 0, i) * factor
        m = fma(beta1, load(m_1N, 0, i), rest1 * g)
        v = fma(beta2, load(v_1N, 0, i), rest2 * g * g)
        step = rate * m / fma(square_root(v), root, epsilon)
        store(m_1N, 0, i, m)
        store(v_1N, 0, i, v)
        store(w_1N, 0, i, fma(load(w_1N, 0, i), keep, step))
    if whole < stop:
        count = stop - whole
        g = load_some(g_1N, 0, whole, count) * factor
        m = fma(beta1, load_some(m_1N, 0, whole, count), rest1 * g)
        v = fma(beta2, load_some(v_1N, 0, whole, count), rest2 * g * g)
        step = rate * m / fma(square_root(v), root, epsilon)
        store_some(m_1N, 0, whole, m, count)
        store_some(v_1N, 0, whole, v, count)
        store_some(w_1N, 0, whole, fma(load_some(w_1N, 0, whole, count), keep, step), count)
