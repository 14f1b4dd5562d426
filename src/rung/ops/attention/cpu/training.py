"""Attention of whole sequences on the CPU. 1 goes query by query, key by key.

Forward, a thread owns rows; backward, it owns a key head with all the queries that read it.
"""

# B sequences, T tokens of each, H query heads, G key/value heads, D head width
# M = H + 2G heads in a packed tensor; F = 2E cosines and sines

import math

import numpy as np
from numba.extending import register_jitable

from rung.ops.attention.training import causal_attention, causal_attention_backward, rope_heads
from rung.registry import Split
from rung.simd.spans import span


@causal_attention.kernel("cpu", 1, why="key by key, one pass", split=Split("BHT", 8))
def causal_attention_plain(part, parts, qkv_BTMD, lse_BHT, y_BTHD, scale):
    B, T, M, D = qkv_BTMD.shape
    H = y_BTHD.shape[2]
    G = (M - H) // 2
    start, stop = span(part, parts, B * H * T, 8)
    for i in range(start, stop):
        b, h, t = i // (H * T), i // T % H, i % T
        k = H + h * G // H
        most, total = -math.inf, 0.0
        for d in range(D):
            y_BTHD[b, t, h, d] = 0
        for j in range(t + 1):
            score = np.float32(0)
            for d in range(D):
                score += qkv_BTMD[b, t, h, d] * qkv_BTMD[b, j, k, d]
            score *= scale
            new = max(most, score)
            shrink, weight = np.float32(math.exp(most - new)), np.float32(math.exp(score - new))
            total = total * shrink + weight
            for d in range(D):
                y = y_BTHD[b, t, h, d] * shrink
                y_BTHD[b, t, h, d] = y + weight * qkv_BTMD[b, j, k + G, d]
            most = new
        for d in range(D):
            y_BTHD[b, t, h, d] /= np.float32(total)
        lse_BHT[b, h, t] = most + math.log(total)


@register_jitable
def _query_backward(dy_BTHD, qkv_BTMD, y_BTHD, lse_BHT, d_BTMD, scale, b, h, t):
    """Adds what query t of head h gives to all keys and values that it sees, and its own dq."""
    H, D = y_BTHD.shape[2:]
    G = (qkv_BTMD.shape[2] - H) // 2
    k = H + h * G // H
    v = k + G
    along = np.float32(0)
    for d in range(D):
        along += dy_BTHD[b, t, h, d] * y_BTHD[b, t, h, d]
    for j in range(t + 1):
        score, slope = np.float32(0), np.float32(0)
        for d in range(D):
            score += qkv_BTMD[b, t, h, d] * qkv_BTMD[b, j, k, d]
            slope += dy_BTHD[b, t, h, d] * qkv_BTMD[b, j, v, d]
        weight = np.float32(math.exp(scale * score - lse_BHT[b, h, t]))
        ds = np.float32(scale) * weight * (slope - along)
        for d in range(D):
            d_BTMD[b, j, v, d] += weight * dy_BTHD[b, t, h, d]
            d_BTMD[b, t, h, d] += ds * qkv_BTMD[b, j, k, d]
            d_BTMD[b, j, k, d] += ds * qkv_BTMD[b, t, h, d]


@causal_attention_backward.kernel(
    "cpu", 1, why="weights again from the log-sum-exp, key by key", split=Split("BG")
)
def causal_attention_backward_plain(part, parts, dy_BTHD, qkv_BTMD, y_BTHD, lse_BHT, d_BTMD, scale):
    B, T, M, D = qkv_BTMD.shape
    H = y_BTHD.shape[2]
    G = (M - H) // 2
    shared = H // G
    start, stop = span(part, parts, B * G, 1)
    for i in range(start, stop):
        b, g = i // G, i % G
        for t in range(T):
            for d in range(D):
                d_BTMD[b, t, H + g, d] = 0
                d_BTMD[b, t, H + G + g, d] = 0
                for h in range(g * shared, (g + 1) * shared):
                    d_BTMD[b, t, h, d] = 0
        for h in range(g * shared, (g + 1) * shared):
            for t in range(T):
                _query_backward(dy_BTHD, qkv_BTMD, y_BTHD, lse_BHT, d_BTMD, scale, b, h, t)


@rope_heads.kernel(
    "cpu",
    1,
    why="pair by pair",
    constants={"step": lambda layout: 2 if layout == "interleaved" else 1},
    split=Split("TM", 8),
)
def rope_heads_plain(part, parts, x_TMD, angles_TF, y_TMD, heads, inverse, step):
    T, M, D = x_TMD.shape
    E = angles_TF.shape[1] // 2
    gap = 1 if step == 2 else E  # from the first of a pair to the second
    start, stop = span(part, parts, T * M, 8)
    for i in range(start, stop):
        t, m = i // M, i % M
        turning = E if m < heads else 0
        for e in range(turning):
            a, b = step * e, step * e + gap
            cos, sin = angles_TF[t, e], angles_TF[t, E + e]
            if inverse:
                sin = -sin
            first, second = x_TMD[t, m, a], x_TMD[t, m, b]
            y_TMD[t, m, a] = first * cos - second * sin
            y_TMD[t, m, b] = first * sin + second * cos
        for d in range(2 * turning, D):
            y_TMD[t, m, d] = x_TMD[t, m, d]
