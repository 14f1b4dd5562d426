"""Activations that end in int8, for products in integers, in runs of up to 512 values of a token.

1 value by value; 2 sixteen lanes at a time.
"""

# T tokens, F hidden width

import math

import numpy as np
from numba.extending import register_jitable

from rung.ops.mlp.cpu.plain import gelu_value, gelu_vector, swiglu_vector
from rung.ops.mlp.op import geglu_rounded, gelu_rounded, swiglu_rounded
from rung.registry import Split
from rung.simd.lanes import LANES, load, store
from rung.simd.memory import aligned_floats
from rung.simd.rounding import BLOCK, WORK, round_blocks, round_blocks_naive
from rung.simd.spans import span

_RUN = 512  # sixteen blocks: a vector of scales
_RUNS = Split("TF", _RUN)


@register_jitable
def _runs(F):
    return (F + _RUN - 1) // _RUN


@register_jitable
def _place(i, F):
    """Token, first value and number of values of run i."""
    run = i % _runs(F)
    return i // _runs(F), run * _RUN, min(_RUN, F - run * _RUN)


@register_jitable
def _round_naive(activation, part, parts, gate_TF, up_TF, y_TF):
    T, F = gate_TF.shape
    row_1F = np.empty((1, _RUN), np.float32)
    start, stop = span(part, parts, T * _runs(F), 1)
    for i in range(start, stop):
        t, first, count = _place(i, F)
        for f in range(count):
            row_1F[0, f] = activation(gate_TF[t, first + f], up_TF[t, first + f])
        round_blocks_naive(row_1F, y_TF, t, first // BLOCK, count // BLOCK)


@register_jitable
def _round_lanes(activation, part, parts, gate_TF, up_TF, y_TF):
    T, F = gate_TF.shape
    memory = aligned_floats(_RUN + WORK)
    row_1F, work_XL = memory[:_RUN].reshape(1, _RUN), memory[_RUN:].reshape(WORK // LANES, LANES)
    start, stop = span(part, parts, T * _runs(F), 1)
    for i in range(start, stop):
        t, first, count = _place(i, F)
        for f in range(0, count, LANES):
            gate, up = load(gate_TF, t, first + f), load(up_TF, t, first + f)
            store(row_1F, 0, f, activation(gate, up))
        round_blocks(row_1F, y_TF, t, first // BLOCK, count // BLOCK, work_XL)


@register_jitable
def _swiglu_value(gate, up):
    return gate / np.float32(1 + math.exp(-gate)) * up


@register_jitable
def _geglu_value(gate, up):
    return np.float32(gelu_value(gate)) * up


@register_jitable
def _geglu_vector(gate, up):
    return gelu_vector(gate) * up


# gelu has one input; it goes in twice, and the second is not used.
@register_jitable
def _gelu_value(x, _):
    return np.float32(gelu_value(x))


@register_jitable
def _gelu_vector(x, _):
    return gelu_vector(x)


@swiglu_rounded.kernel("cpu", 1, why="the formula, value by value", split=_RUNS)
def swiglu_rounded_naive(part, parts, gate_TF, up_TF, y_TF):
    _round_naive(_swiglu_value, part, parts, gate_TF, up_TF, y_TF)


@swiglu_rounded.kernel("cpu", 2, why="sixteen lanes and a polynomial exp", split=_RUNS)
def swiglu_rounded_lanes(part, parts, gate_TF, up_TF, y_TF):
    _round_lanes(swiglu_vector, part, parts, gate_TF, up_TF, y_TF)


@geglu_rounded.kernel("cpu", 1, why="the formula, value by value", split=_RUNS)
def geglu_rounded_naive(part, parts, gate_TF, up_TF, y_TF):
    _round_naive(_geglu_value, part, parts, gate_TF, up_TF, y_TF)


@geglu_rounded.kernel("cpu", 2, why="sixteen lanes, tanh by way of exp", split=_RUNS)
def geglu_rounded_lanes(part, parts, gate_TF, up_TF, y_TF):
    _round_lanes(_geglu_vector, part, parts, gate_TF, up_TF, y_TF)


@gelu_rounded.kernel("cpu", 1, why="the formula, value by value", split=_RUNS)
def gelu_rounded_naive(part, parts, x_TF, y_TF):
    _round_naive(_gelu_value, part, parts, x_TF, x_TF, y_TF)


@gelu_rounded.kernel("cpu", 2, why="sixteen lanes, tanh by way of exp", split=_RUNS)
def gelu_rounded_lanes(part, parts, x_TF, y_TF):
    _round_lanes(_gelu_vector, part, parts, x_TF, x_TF, y_TF)
