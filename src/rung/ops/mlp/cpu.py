"""Elementwise ops on the CPU, cut into runs of 1024 values whatever the shape.

1 is the formula with the mathematical library's exp; 2 is sixteen lanes with our polynomial one.
Addition has one rung: LLVM's vectors already run at the speed of the cache.
"""

# T tokens, D width, F hidden width

import math

import numpy as np
from numba.extending import register_jitable

from rung.ops.mlp.op import add, gelu, swiglu
from rung.registry import Split
from rung.simd.lanes import LANES, exp, fill, fma, load, load_some, store, store_some
from rung.simd.spans import span

_RUN = 1024
_RUNS = Split("TF", _RUN)


@swiglu.kernel("cpu", 1, why="the formula, value by value", split=_RUNS)
def swiglu_naive(part, parts, gate_TF, up_TF, y_TF):
    start, stop = span(part, parts, gate_TF.size, _RUN)
    gate, up, y = gate_TF.reshape(-1), up_TF.reshape(-1), y_TF.reshape(-1)
    for i in range(start, stop):
        y[i] = gate[i] / np.float32(1 + math.exp(-gate[i])) * up[i]


@register_jitable
def _swiglu_lanes(gate, up):
    one = fill(np.float32(1))
    return gate / (one + exp(fill(np.float32(0)) - gate)) * up


@swiglu.kernel("cpu", 2, why="sixteen lanes and a polynomial exp", split=_RUNS)
def swiglu_lanes(part, parts, gate_TF, up_TF, y_TF):
    start, stop = span(part, parts, gate_TF.size, _RUN)
    whole = start + (stop - start) // LANES * LANES
    for i in range(start, whole, LANES):
        store(y_TF, 0, i, _swiglu_lanes(load(gate_TF, 0, i), load(up_TF, 0, i)))
    if whole < stop:
        rest = stop - whole
        gate, up = load_some(gate_TF, 0, whole, rest), load_some(up_TF, 0, whole, rest)
        store_some(y_TF, 0, whole, _swiglu_lanes(gate, up), rest)


@gelu.kernel("cpu", 1, why="the formula, value by value", split=_RUNS)
def gelu_naive(part, parts, x_TF, y_TF):
    start, stop = span(part, parts, x_TF.size, _RUN)
    x, y = x_TF.reshape(-1), y_TF.reshape(-1)
    for i in range(start, stop):
        v = float(x[i])
        y[i] = 0.5 * v * (1 + math.tanh(math.sqrt(2 / math.pi) * (v + 0.044715 * v * v * v)))


@register_jitable
def _gelu_lanes(x):
    # (1 + tanh u) / 2 = 1 / (1 + e^(−2u)), so one exponential and one division do.
    root = fill(np.float32(-2 * math.sqrt(2 / math.pi)))
    u = root * x * fma(fill(np.float32(0.044715)) * x, x, fill(np.float32(1)))
    return x / (fill(np.float32(1)) + exp(u))


@gelu.kernel("cpu", 2, why="sixteen lanes, tanh by way of exp", split=_RUNS)
def gelu_lanes(part, parts, x_TF, y_TF):
    start, stop = span(part, parts, x_TF.size, _RUN)
    whole = start + (stop - start) // LANES * LANES
    for i in range(start, whole, LANES):
        store(y_TF, 0, i, _gelu_lanes(load(x_TF, 0, i)))
    if whole < stop:
        rest = stop - whole
        store_some(y_TF, 0, whole, _gelu_lanes(load_some(x_TF, 0, whole, rest)), rest)


@add.kernel("cpu", 1, why="LLVM's own vectors", split=Split("TD", _RUN))
def add_plain(part, parts, a_TD, b_TD, y_TD):
    start, stop = span(part, parts, a_TD.size, _RUN)
    a, b, y = a_TD.reshape(-1), b_TD.reshape(-1), y_TD.reshape(-1)
    for i in range(start, stop):
        y[i] = a[i] + b[i]
