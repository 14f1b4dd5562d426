"""The loss on the CPU: a thread owns rows. 1 is the formula with the mathematical library's exp."""

# C chunks of R rows, V vocabulary, X targets of all rows (negative: none), D width, O one

import math

import numpy as np
from numba.extending import register_jitable

from rung.ops.loss.op import (
    chunk,
    chunk_backward,
    cross_entropy,
    cross_entropy_backward,
    mean_loss,
    mean_loss_backward,
)
from rung.registry import Split
from rung.simd.spans import span

_ROWS = Split("R")
_RUN = 1024


@chunk.kernel("cpu", 1, why="a copy", split=Split("RD", _RUN))
def chunk_plain(part, parts, x_CRD, y_RD, index):
    start, stop = span(part, parts, y_RD.size, _RUN)
    x, y = x_CRD.reshape(-1), y_RD.reshape(-1)
    first = index * y.size
    y[start:stop] = x[first + start : first + stop]


@chunk_backward.kernel("cpu", 1, why="a copy and a sum", split=Split("CRD", _RUN))
def chunk_backward_plain(part, parts, dy_RD, r_CRD, dx_CRD, index):
    start, stop = span(part, parts, dx_CRD.size, _RUN)
    dy, r, dx = dy_RD.reshape(-1), r_CRD.reshape(-1), dx_CRD.reshape(-1)
    first = index * dy.size
    for i in range(start, stop):
        dx[i] = r[i] if len(r) > 0 else np.float32(0)
        if first <= i < first + dy.size:
            dx[i] += dy[i - first]


@register_jitable
def _largest_and_sum(logits_RV, r):
    """The largest logit of a row, and Σ exp(logit − largest) in float64."""
    V = logits_RV.shape[1]
    largest = logits_RV[r, 0]
    for v in range(1, V):
        largest = max(largest, logits_RV[r, v])
    total = 0.0
    for v in range(V):
        total += math.exp(float(logits_RV[r, v]) - float(largest))
    return largest, total


@cross_entropy.kernel("cpu", 1, why="the formula, value by value", split=_ROWS)
def cross_entropy_plain(part, parts, logits_RV, targets_X, losses_R, first):
    start, stop = span(part, parts, logits_RV.shape[0], 1)
    for r in range(start, stop):
        target = targets_X[first + r]
        if target < 0:
            losses_R[r] = 0
            continue
        largest, total = _largest_and_sum(logits_RV, r)
        losses_R[r] = math.log(total) + (float(largest) - float(logits_RV[r, target]))


@cross_entropy_backward.kernel("cpu", 1, why="the formula, value by value", split=_ROWS)
def cross_entropy_backward_plain(part, parts, logits_RV, targets_X, dlosses_R, first):
    V = logits_RV.shape[1]
    start, stop = span(part, parts, logits_RV.shape[0], 1)
    for r in range(start, stop):
        target = targets_X[first + r]
        if target < 0:
            for v in range(V):
                logits_RV[r, v] = 0
            continue
        largest, total = _largest_and_sum(logits_RV, r)
        factor = dlosses_R[r] / total
        for v in range(V):
            logits_RV[r, v] = factor * math.exp(float(logits_RV[r, v]) - float(largest))
        logits_RV[r, target] -= dlosses_R[r]


@register_jitable
def _count(targets_X):
    count = 0
    for t in range(targets_X.shape[0]):
        count += targets_X[t] >= 0
    return max(count, 1)


@mean_loss.kernel("cpu", 1, why="summed in float64", split=Split(""))
def mean_loss_plain(part, parts, losses_R, targets_X, total_O, y_O):
    total = 0.0
    for r in range(losses_R.shape[0]):
        total += losses_R[r]
    total /= _count(targets_X)
    y_O[0] = total + total_O[0] if len(total_O) > 0 else total


@mean_loss_backward.kernel("cpu", 1, why="one division", split=Split(""))
def mean_loss_backward_plain(part, parts, dy_O, targets_X, d_R):
    d = dy_O[0] / _count(targets_X)
    for r in range(d_R.shape[0]):
        d_R[r] = d
