"""Attention and its surroundings on the CPU, cut among threads by token and head.

attention 1 goes key by key with a running maximum (softmax in one pass, as in Milakov and
Gimelshein, 2018). 2 takes sixteen keys at once: their scores are one vector, so exponentials and
the correction of the running sums are paid once in sixteen, and each row of the output is read and
written once in sixteen. Blocks start at the first position that a token sees, whatever the batch,
so results do not depend on the company a token keeps. A window and a soft-cap that are off cost
nothing but a comparison a block.
"""

# T tokens, H query heads, G key/value heads, D head width, S slots, C positions, E frequencies

import math

import numpy as np
from numba.extending import register_jitable

from rung.ops.attention.op import attention, cache_write, rope, rope_angles
from rung.registry import Split
from rung.simd.functions import tanh
from rung.simd.lanes import (
    LANES,
    exp,
    fill,
    first_lanes,
    fma,
    lane,
    largest,
    load,
    load_some,
    rows_fma,
    store,
    store_some,
    tile_fma,
    tile_load,
    tile_load_some,
    tile_sums,
    tile_zeros,
    total,
)
from rung.simd.spans import span

# A head is long work, and there are few: small parts keep the threads equally busy.
_HEADS = Split("TH", per_thread=8)


@rope_angles.kernel("cpu", 1, why="once a token, not once a layer", split=Split("T"))
def rope_angles_plain(part, parts, pos_T, freq_E, y_TF, scale):
    T, E = pos_T.shape[0], freq_E.shape[0]
    start, stop = span(part, parts, T, 1)
    for t in range(start, stop):
        for e in range(E):
            # float64: at position 100,000 a float32 angle is off by 0.004.
            angle = float(pos_T[t]) * float(freq_E[e])
            y_TF[t, e] = scale * math.cos(angle)
            y_TF[t, E + e] = scale * math.sin(angle)


@rope.kernel(
    "cpu",
    1,
    why="pair by pair",
    constants={"step": lambda layout: 2 if layout == "interleaved" else 1},
    split=Split("TH", 8),
)
def rope_pairs(part, parts, x_THD, angles_TF, y_THD, step):
    T, H, D = x_THD.shape
    E = angles_TF.shape[1] // 2
    gap = 1 if step == 2 else E  # from the first of a pair to the second
    start, stop = span(part, parts, T * H, 1)
    for i in range(start, stop):
        t, h = i // H, i % H
        for e in range(E):
            a, b = step * e, step * e + gap
            cos, sin = angles_TF[t, e], angles_TF[t, E + e]
            first, second = x_THD[t, h, a], x_THD[t, h, b]
            y_THD[t, h, a] = first * cos - second * sin
            y_THD[t, h, b] = first * sin + second * cos
        for d in range(2 * E, D):
            y_THD[t, h, d] = x_THD[t, h, d]


@cache_write.kernel("cpu", 1, why="copies rows to their places", split=Split("TG"))
def cache_write_rows(part, parts, cache_SGCD, x_TGD, pos_T, slot_T):
    T, G, D = x_TGD.shape
    start, stop = span(part, parts, T * G, 1)
    for i in range(start, stop):
        t, g = i // G, i % G
        for d in range(D):
            cache_SGCD[slot_T[t], g, pos_T[t], d] = x_TGD[t, g, d]


@register_jitable
def _first_seen(pos, window):
    """The first position that a token at `pos` sees; window 0 is none."""
    return max(np.int64(0), pos + 1 - window) if window > 0 else np.int64(0)


@attention.kernel("cpu", 1, why="key by key, one pass", split=_HEADS)
def attention_naive(
    part, parts, q_THD, k_SGCD, v_SGCD, pos_T, slot_T, y_THD, scale, window, softcap
):
    T, H, D = q_THD.shape
    G = k_SGCD.shape[1]
    start, stop = span(part, parts, T * H, 1)
    for i in range(start, stop):
        t, h = i // H, i % H
        s, g = slot_T[t], h * G // H
        most, weights = -math.inf, 0.0
        for d in range(D):
            y_THD[t, h, d] = 0
        for p in range(_first_seen(np.int64(pos_T[t]), window), pos_T[t] + 1):
            score = np.float32(0)
            for d in range(D):
                score += q_THD[t, h, d] * k_SGCD[s, g, p, d]
            score *= scale
            if softcap > 0:
                score = softcap * math.tanh(score / softcap)
            new = max(most, score)
            shrink, weight = np.float32(math.exp(most - new)), np.float32(math.exp(score - new))
            weights = weights * shrink + weight
            for d in range(D):
                y_THD[t, h, d] = y_THD[t, h, d] * shrink + weight * v_SGCD[s, g, p, d]
            most = new
        for d in range(D):
            y_THD[t, h, d] /= np.float32(weights)


@register_jitable
def _scores(q_RD, i, k_PD, first, keys):
    """q[i] · k[first + j] in lane j, for sixteen keys, or for fewer in the first lanes."""
    D = q_RD.shape[1]
    whole = D // LANES * LANES
    if keys == LANES:
        tile = tile_zeros(1, LANES)
        for d in range(0, whole, LANES):
            tile = tile_fma(tile, tile_load(q_RD, i, d, 1), tile_load(k_PD, first, d, LANES))
        if whole < D:
            q = tile_load_some(q_RD, i, whole, 1, D - whole)
            tile = tile_fma(tile, q, tile_load_some(k_PD, first, whole, LANES, D - whole))
        return tile_sums(tile)
    scores = fill(np.float32(-np.inf))
    for j in range(keys - 1, -1, -1):
        sums = fill(np.float32(0))
        for d in range(0, whole, LANES):
            sums = fma(load(q_RD, i, d), load(k_PD, first + j, d), sums)
        if whole < D:
            q = load_some(q_RD, i, whole, D - whole)
            sums = fma(q, load_some(k_PD, first + j, whole, D - whole), sums)
        # Lanes above j are set already; this one and those below it get the new score.
        scores = first_lanes(fill(total(sums)), scores, j + 1)
    return scores


@register_jitable
def _add_values(y_RD, i, v_PD, first, keys, weights, shrink):
    """y[i] = y[i] · shrink + Σ_j weights_j · v[first + j]"""
    D = y_RD.shape[1]
    for d in range(0, D, LANES):
        count = min(LANES, D - d)
        y = load_some(y_RD, i, d, count) * fill(shrink)
        if keys == LANES and count == LANES:
            store(y_RD, i, d, rows_fma(y, weights, v_PD, first, d))
            continue
        for j in range(keys):
            v = load(v_PD, first + j, d) if count == LANES else load_some(v_PD, first + j, d, count)
            y = fma(fill(lane(weights, j)), v, y)
        if count == LANES:
            store(y_RD, i, d, y)
        else:
            store_some(y_RD, i, d, y, count)


@attention.kernel("cpu", 2, why="sixteen keys at a time", split=_HEADS)
def attention_blocks(
    part, parts, q_THD, k_SGCD, v_SGCD, pos_T, slot_T, y_THD, scale, window, softcap
):
    T, H, D = q_THD.shape
    S, G, C, _ = k_SGCD.shape
    q_RD, y_RD = q_THD.reshape(T * H, D), y_THD.reshape(T * H, D)
    k_XD, v_XD = k_SGCD.reshape(S * G * C, D), v_SGCD.reshape(S * G * C, D)
    zero = fill(np.float32(0))
    cap = fill(np.float32(softcap))
    start, stop = span(part, parts, T * H, 1)
    for i in range(start, stop):
        t, h = i // H, i % H
        base = (np.int64(slot_T[t]) * G + h * G // H) * C
        seen = np.int64(pos_T[t]) + 1
        most = np.float32(-np.inf)
        sums = zero
        for d in range(D):
            y_RD[i, d] = np.float32(0)
        for p in range(_first_seen(seen - 1, window), seen, LANES):
            keys = min(LANES, seen - p)
            scores = _scores(q_RD, i, k_XD, base + p, keys) * fill(np.float32(scale))
            if softcap > 0:
                # Lanes without a key would become −cap: they are made −∞ again.
                capped = cap * tanh(scores / cap)
                scores = first_lanes(capped, fill(np.float32(-np.inf)), keys)
            new = max(most, largest(scores))
            # Lanes without a key are −∞ and weigh nothing.
            weights = exp(scores - fill(new))
            shrink = np.float32(1)
            if new > most:
                shrink = lane(exp(fill(most - new)), 0)
            sums = fma(sums, fill(shrink), weights)
            _add_values(y_RD, i, v_XD, base + p, keys, weights, shrink)
            most = new
        inverse = np.float32(1) / total(sums)
        for d in range(D):
            y_RD[i, d] *= inverse
