"""Elementwise ops on the CPU, cut into runs of 1024 values whatever the shape.

1 is the formula with the mathematical library's exp; 2 is sixteen lanes with our polynomial one.
Sums and scaling have one rung: LLVM's vectors already run at the speed of the cache.
"""

# T tokens, D width, F hidden width

import math

import numpy as np
from numba.extending import register_jitable

from rung.ops.mlp.op import add, geglu, gelu, scale, softcap, swiglu
from rung.registry import Split
from rung.simd.functions import tanh
from rung.simd.lanes import LANES, exp, fill, fma, load, load_some, store, store_some
from rung.simd.spans import span

_RUN = 1024
_RUNS = Split("TF", _RUN)
_WIDTH_RUNS = Split("TD", _RUN)


@swiglu.kernel("cpu", 1, why="the formula, value by value", split=_RUNS)
def swiglu_naive(part, parts, gate_TF, up_TF, y_TF):
    start, stop = span(part, parts, gate_TF.size, _RUN)
    gate, up, y = gate_TF.reshape(-1), up_TF.reshape(-1), y_TF.reshape(-1)
    for i in range(start, stop):
        y[i] = gate[i] / np.float32(1 + math.exp(-gate[i])) * up[i]


@register_jitable
def swiglu_vector(gate, up):
    one = fill(np.float32(1))
    return gate / (one + exp(fill(np.float32(0)) - gate)) * up


@swiglu.kernel("cpu", 2, why="sixteen lanes and a polynomial exp", split=_RUNS)
def swiglu_lanes(part, parts, gate_TF, up_TF, y_TF):
    start, stop = span(part, parts, gate_TF.size, _RUN)
    whole = start + (stop - start) // LANES * LANES
    for i in range(start, whole, LANES):
        store(y_TF, 0, i, swiglu_vector(load(gate_TF, 0, i), load(up_TF, 0, i)))
    if whole < stop:
        rest = stop - whole
        gate, up = load_some(gate_TF, 0, whole, rest), load_some(up_TF, 0, whole, rest)
        store_some(y_TF, 0, whole, swiglu_vector(gate, up), rest)


@register_jitable
def gelu_value(x):
    v = float(x)
    return 0.5 * v * (1 + math.tanh(math.sqrt(2 / math.pi) * (v + 0.044715 * v * v * v)))


@gelu.kernel("cpu", 1, why="the formula, value by value", split=_RUNS)
def gelu_naive(part, parts, x_TF, y_TF):
    start, stop = span(part, parts, x_TF.size, _RUN)
    x, y = x_TF.reshape(-1), y_TF.reshape(-1)
    for i in range(start, stop):
        y[i] = gelu_value(x[i])


@register_jitable
def gelu_vector(x):
    # (1 + tanh u) / 2 = 1 / (1 + e^(−2u)), so one exponential and one division do.
    root = fill(np.float32(-2 * math.sqrt(2 / math.pi)))
    u = root * x * fma(fill(np.float32(0.044715)) * x, x, fill(np.float32(1)))
    return x / (fill(np.float32(1)) + exp(u))


@gelu.kernel("cpu", 2, why="sixteen lanes, tanh by way of exp", split=_RUNS)
def gelu_lanes(part, parts, x_TF, y_TF):
    start, stop = span(part, parts, x_TF.size, _RUN)
    whole = start + (stop - start) // LANES * LANES
    for i in range(start, whole, LANES):
        store(y_TF, 0, i, gelu_vector(load(x_TF, 0, i)))
    if whole < stop:
        rest = stop - whole
        store_some(y_TF, 0, whole, gelu_vector(load_some(x_TF, 0, whole, rest)), rest)


@geglu.kernel("cpu", 1, why="the formula, value by value", split=_RUNS)
def geglu_naive(part, parts, gate_TF, up_TF, y_TF):
    start, stop = span(part, parts, gate_TF.size, _RUN)
    gate, up, y = gate_TF.reshape(-1), up_TF.reshape(-1), y_TF.reshape(-1)
    for i in range(start, stop):
        y[i] = gelu_value(gate[i]) * up[i]


@geglu.kernel("cpu", 2, why="sixteen lanes, tanh by way of exp", split=_RUNS)
def geglu_lanes(part, parts, gate_TF, up_TF, y_TF):
    start, stop = span(part, parts, gate_TF.size, _RUN)
    whole = start + (stop - start) // LANES * LANES
    for i in range(start, whole, LANES):
        store(y_TF, 0, i, gelu_vector(load(gate_TF, 0, i)) * load(up_TF, 0, i))
    if whole < stop:
        rest = stop - whole
        gate, up = load_some(gate_TF, 0, whole, rest), load_some(up_TF, 0, whole, rest)
        store_some(y_TF, 0, whole, gelu_vector(gate) * up, rest)


@softcap.kernel("cpu", 1, why="the formula, value by value", split=_WIDTH_RUNS)
def softcap_naive(part, parts, x_TD, y_TD, cap):
    start, stop = span(part, parts, x_TD.size, _RUN)
    x, y = x_TD.reshape(-1), y_TD.reshape(-1)
    for i in range(start, stop):
        y[i] = cap * math.tanh(x[i] / cap)


@softcap.kernel("cpu", 2, why="sixteen lanes and our own tanh", split=_WIDTH_RUNS)
def softcap_lanes(part, parts, x_TD, y_TD, cap):
    c = fill(np.float32(cap))
    start, stop = span(part, parts, x_TD.size, _RUN)
    whole = start + (stop - start) // LANES * LANES
    for i in range(start, whole, LANES):
        store(y_TD, 0, i, c * tanh(load(x_TD, 0, i) / c))
    if whole < stop:
        rest = stop - whole
        store_some(y_TD, 0, whole, c * tanh(load_some(x_TD, 0, whole, rest) / c), rest)


@scale.kernel("cpu", 1, why="LLVM's own vectors", split=_WIDTH_RUNS)
def scale_plain(part, parts, x_TD, y_TD, factor):
    start, stop = span(part, parts, x_TD.size, _RUN)
    x, y = x_TD.reshape(-1), y_TD.reshape(-1)
    f = np.float32(factor)
    for i in range(start, stop):
        y[i] = f * x[i]


@add.kernel("cpu", 1, why="LLVM's own vectors", split=_WIDTH_RUNS)
def add_plain(part, parts, a_TD, b_TD, y_TD):
    start, stop = span(part, parts, a_TD.size, _RUN)
    a, b, y = a_TD.reshape(-1), b_TD.reshape(-1), y_TD.reshape(-1)
    for i in range(start, stop):
        y[i] = a[i] + b[i]
