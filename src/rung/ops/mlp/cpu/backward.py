"""Gradients of activations on the CPU.

1 is the formula with the mathematical library's exp; 2 is sixteen lanes with our polynomial one:
12 × 256 × 3072 values of gelu take 5 to 9 ms of a step of GPT-2 124M (Zen 5, 2 cores).
"""

# T tokens, F hidden width, E = 2F

import math

import numpy as np
from numba.extending import register_jitable

from rung.ops.mlp.cpu.plain import swiglu_vector
from rung.ops.mlp.gradient import gelu_backward, swiglu_pair, swiglu_pair_backward
from rung.registry import Split
from rung.simd.lanes import LANES, exp, fill, fma, load_some, store_some
from rung.simd.spans import span

_RUN = 1024
_RUNS = Split("TF", _RUN)
_ROWS = Split("T")
_ROOT = math.sqrt(2 / math.pi)


@gelu_backward.kernel("cpu", 1, why="the formula, value by value", split=_RUNS)
def gelu_backward_plain(part, parts, dy_TF, x_TF, dx_TF):
    start, stop = span(part, parts, x_TF.size, _RUN)
    dy, x, dx = dy_TF.reshape(-1), x_TF.reshape(-1), dx_TF.reshape(-1)
    for i in range(start, stop):
        v = float(x[i])
        tanh = math.tanh(_ROOT * (v + 0.044715 * v * v * v))
        slope = _ROOT * (1 + 3 * 0.044715 * v * v)
        dx[i] = dy[i] * np.float32(0.5 * (1 + tanh) + 0.5 * v * (1 - tanh * tanh) * slope)


@swiglu_pair.kernel("cpu", 1, why="the formula, value by value", split=_ROWS)
def swiglu_pair_plain(part, parts, x_TE, y_TF):
    T, F = y_TF.shape
    start, stop = span(part, parts, T, 1)
    for t in range(start, stop):
        for f in range(F):
            gate = float(x_TE[t, f])
            y_TF[t, f] = np.float32(gate / (1 + math.exp(-gate))) * x_TE[t, F + f]


@swiglu_pair_backward.kernel("cpu", 1, why="the formula, value by value", split=_ROWS)
def swiglu_pair_backward_plain(part, parts, dy_TF, x_TE, dx_TE):
    T, F = dy_TF.shape
    start, stop = span(part, parts, T, 1)
    for t in range(start, stop):
        for f in range(F):
            gate, up, dy = float(x_TE[t, f]), float(x_TE[t, F + f]), float(dy_TF[t, f])
            s = 1 / (1 + math.exp(-gate))
            dx_TE[t, f] = dy * up * s * (1 + gate * (1 - s))
            dx_TE[t, F + f] = dy * gate * s


@register_jitable
def _gelu_slope(x):
    """s + 2x · s · (1 − s) · u′, where s = (1 + tanh u) / 2 = 1 / (1 + e^(−2u))"""
    one, cube = fill(np.float32(1)), fill(np.float32(0.044715))
    square = x * x
    u = fill(np.float32(_ROOT)) * x * fma(cube, square, one)
    slope = fill(np.float32(_ROOT)) * fma(fill(np.float32(3 * 0.044715)), square, one)
    two = fill(np.float32(2))
    s = one / (one + exp(fill(np.float32(0)) - two * u))
    return fma(two * x * slope, s * (one - s), s)


@gelu_backward.kernel("cpu", 2, why="sixteen lanes, tanh by way of exp", split=_RUNS)
def gelu_backward_lanes(part, parts, dy_TF, x_TF, dx_TF):
    start, stop = span(part, parts, x_TF.size, _RUN)
    for i in range(start, stop, LANES):
        count = min(LANES, stop - i)
        dx = load_some(dy_TF, 0, i, count) * _gelu_slope(load_some(x_TF, 0, i, count))
        store_some(dx_TF, 0, i, dx, count)


@swiglu_pair.kernel("cpu", 2, why="sixteen lanes and a polynomial exp", split=_ROWS)
def swiglu_pair_lanes(part, parts, x_TE, y_TF):
    T, F = y_TF.shape
    start, stop = span(part, parts, T, 1)
    for t in range(start, stop):
        for f in range(0, F, LANES):
            count = min(LANES, F - f)
            gate, up = load_some(x_TE, t, f, count), load_some(x_TE, t, F + f, count)
            store_some(y_TF, t, f, swiglu_vector(gate, up), count)


@swiglu_pair_backward.kernel("cpu", 2, why="sixteen lanes and a polynomial exp", split=_ROWS)
def swiglu_pair_backward_lanes(part, parts, dy_TF, x_TE, dx_TE):
    T, F = dy_TF.shape
    one = fill(np.float32(1))
    start, stop = span(part, parts, T, 1)
    for t in range(start, stop):
        for f in range(0, F, LANES):
            count = min(LANES, F - f)
            gate, up = load_some(x_TE, t, f, count), load_some(x_TE, t, F + f, count)
            s = one / (one + exp(fill(np.float32(0)) - gate))
            dy_s = load_some(dy_TF, t, f, count) * s
            store_some(dx_TE, t, f, dy_s * up * fma(gate, one - s, one), count)
            store_some(dx_TE, t, F + f, dy_s * gate, count)
