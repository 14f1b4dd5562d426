"""The loss on a GPU, with its gradient: rows by workgroups, means by one of them."""

# C chunks of R rows, V vocabulary, D width

from __future__ import annotations

from rung.ops.loss.op import (
    chunk,
    chunk_backward,
    cross_entropy,
    cross_entropy_backward,
    mean_loss,
    mean_loss_backward,
)
from rung.wgsl import Call, Dispatch, ceil_div, spread

_THREADS = 256


def _values(call: Call, count: int) -> Dispatch:
    return Dispatch(
        "chunk.wgsl",
        lambda tokens: spread(ceil_div(count, _THREADS)),
        {"THREADS": _THREADS},
        given={"index": call.attributes["index"]},
    )


@chunk.kernel("webgpu", 1, why="one thread a value")
def take(call: Call) -> Dispatch:
    """Copies a chunk's rows."""
    return _values(call, call.size("R") * call.size("D"))


@chunk_backward.kernel("webgpu", 1, why="one thread a value")
def put(call: Call) -> Dispatch:
    """Writes all chunks: one with the gradient, the others as they were, or 0."""
    return _values(call, call.size("C") * call.size("R") * call.size("D"))


def _rows(call: Call) -> Dispatch:
    rows = call.size("R")
    return Dispatch(
        "cross_entropy.wgsl",
        lambda tokens: spread(rows),
        {"THREADS": _THREADS},
        given={"first": call.attributes["first"]},
    )


@cross_entropy.kernel("webgpu", 1, why="one workgroup a row")
def losses(call: Call) -> Dispatch:
    """The greatest logit, then the sum of exponentials."""
    return _rows(call)


@cross_entropy_backward.kernel("webgpu", 1, why="one workgroup a row")
def losses_backward(call: Call) -> Dispatch:
    """Both once more, then the softmax in place of the logits."""
    return _rows(call)


def _mean(call: Call) -> Dispatch:
    return Dispatch("mean.wgsl", lambda tokens: (1, 1, 1), {"THREADS": _THREADS})


@mean_loss.kernel("webgpu", 1, why="one workgroup")
def mean(call: Call) -> Dispatch:
    """Counts targets and sums losses: a few thousand of each."""
    return _mean(call)


@mean_loss_backward.kernel("webgpu", 1, why="one workgroup")
def mean_backward(call: Call) -> Dispatch:
    """Counts targets and writes each loss's gradient."""
    return _mean(call)
