"""Rotary positions on the CPU: the angles once a token, then the turn of each head."""

# T tokens, H heads, D head width, E rotation frequencies

import math

from rung.ops.attention.op import rope, rope_angles
from rung.registry import Split
from rung.simd.spans import span


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
