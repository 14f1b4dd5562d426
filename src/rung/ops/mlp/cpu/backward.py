"""Gradients of activations on the CPU. 1 is the formula with the mathematical library's exp."""

# T tokens, F hidden width, E = 2F

import math

import numpy as np

from rung.ops.mlp.gradient import gelu_backward, swiglu_pair, swiglu_pair_backward
from rung.registry import Split
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
