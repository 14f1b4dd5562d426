"""Rotary positions on the CPU: the angles once a token, then the turn of each head.

rope   1 pair by pair; 2 sixteen pairs at a time.
"""

# T tokens, H heads, D head width, E pairs that turn, X = T · H heads in all

import math

from numba.extending import register_jitable

from rung.ops.attention.op import rope, rope_angles
from rung.registry import Split
from rung.simd.functions import evens, odds, woven_high, woven_low
from rung.simd.lanes import LANES, load_some, store_some
from rung.simd.spans import span

_HEADS = Split("TH", 8)


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
    split=_HEADS,
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


@register_jitable
def _turn_halves(x_XD, i, angles_TF, t, y_XD, e, count):
    """Pairs e … e + count − 1 of a head whose halves make them up."""
    E = angles_TF.shape[1] // 2
    cos, sin = load_some(angles_TF, t, e, count), load_some(angles_TF, t, E + e, count)
    first, second = load_some(x_XD, i, e, count), load_some(x_XD, i, E + e, count)
    store_some(y_XD, i, e, first * cos - second * sin, count)
    store_some(y_XD, i, E + e, first * sin + second * cos, count)


@register_jitable
def _turn_neighbours(x_XD, i, angles_TF, t, y_XD, e, count):
    """Pairs e … e + count − 1 of a head in which neighbours make them up."""
    E = angles_TF.shape[1] // 2
    cos, sin = load_some(angles_TF, t, e, count), load_some(angles_TF, t, E + e, count)
    d, here = 2 * e, min(2 * count, LANES)
    beyond = 2 * count - here
    low = load_some(x_XD, i, d, here)
    high = load_some(x_XD, i, d + LANES, beyond)
    first, second = evens(low, high), odds(low, high)
    turned, other = first * cos - second * sin, first * sin + second * cos
    store_some(y_XD, i, d, woven_low(turned, other), here)
    store_some(y_XD, i, d + LANES, woven_high(turned, other), beyond)


@rope.kernel(
    "cpu",
    2,
    why="sixteen pairs at a time",
    constants={"neighbours": lambda layout: layout == "interleaved"},
    split=_HEADS,
)
def rope_lanes(part, parts, x_THD, angles_TF, y_THD, neighbours):
    T, H, D = x_THD.shape
    E = angles_TF.shape[1] // 2
    x_XD, y_XD = x_THD.reshape(T * H, D), y_THD.reshape(T * H, D)
    start, stop = span(part, parts, T * H, 1)
    for i in range(start, stop):
        t = i // H
        for e in range(0, E, LANES):
            count = min(LANES, E - e)
            if neighbours:
                _turn_neighbours(x_XD, i, angles_TF, t, y_XD, e, count)
            else:
                _turn_halves(x_XD, i, angles_TF, t, y_XD, e, count)
        for d in range(2 * E, D, LANES):
            count = min(LANES, D - d)
            store_some(y_XD, i, d, load_some(x_XD, i, d, count), count)
