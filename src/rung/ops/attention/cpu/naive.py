"""attention 1: key by key with a running maximum (softmax in one pass, Milakov, Gimelshein, 2018).

It reads the formula as it stands; `tiles` says how it becomes fast.
"""

# T tokens, H query heads, G key/value heads, D head width, S slots, C positions
# P pages of L positions

import math

import numpy as np

from rung.ops.attention.cpu.common import HEADS, first_seen, is_cache
from rung.ops.attention.op import attention
from rung.simd.elements import element
from rung.simd.spans import span


@attention.kernel("cpu", 1, why="key by key, one pass", when=is_cache, split=HEADS)
def attention_naive(
    part, parts, q_THD, k_SGPDL, v_SGCD, pos_T, slot_T, y_THD, scale, window, softcap
):
    T, H, D = q_THD.shape
    S, G, P, _, L = k_SGPDL.shape
    C = v_SGCD.shape[2]
    k_XL, v_XD = k_SGPDL.reshape(S * G * P * D, L), v_SGCD.reshape(S * G * C, D)
    start, stop = span(part, parts, T * H, 1)
    for i in range(start, stop):
        t, h = i // H, i % H
        head = slot_T[t] * G + h * G // H
        most, weights = -math.inf, 0.0
        for d in range(D):
            y_THD[t, h, d] = 0
        for p in range(first_seen(np.int64(pos_T[t]), window), pos_T[t] + 1):
            score = np.float32(0)
            for d in range(D):
                score += q_THD[t, h, d] * element(k_XL, (head * P + p // L) * D + d, p % L)
            score *= scale
            if softcap > 0:
                score = softcap * math.tanh(score / softcap)
            new = max(most, score)
            shrink, weight = np.float32(math.exp(most - new)), np.float32(math.exp(score - new))
            weights = weights * shrink + weight
            for d in range(D):
                y_THD[t, h, d] = y_THD[t, h, d] * shrink + weight * element(v_XD, head * C + p, d)
            most = new
        for d in range(D):
            y_THD[t, h, d] /= np.float32(weights)
