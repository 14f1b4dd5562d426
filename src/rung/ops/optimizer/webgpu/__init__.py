"""The optimizer on a GPU: AdamW by values, the norm by the runs that all backends have."""

# N values of a weight, S tensors with C partial sums each

from __future__ import annotations

from rung.ops.optimizer.op import Numbers, adamw, gradient_factor, square_sums
from rung.wgsl import Call, Constant, Dispatch, ceil_div, spread

_THREADS = 256

_PLACES: dict[str, Constant] = {number.name: int(number) for number in Numbers}
"""Where the shaders find each number of a step."""


def _update(call: Call, kind: str, values: int) -> Dispatch:
    count = call.size("N") // values
    known: dict[str, Constant] = {"THREADS": _THREADS, "VALUES": values, "Value": kind}
    return Dispatch("adamw.wgsl", lambda tokens: spread(ceil_div(count, _THREADS)), known | _PLACES)


_TOGETHER = ("w_N", "m_N", "v_N", "g_N")
"""What lies in the same parts: a weight, its moments, its gradient."""


@adamw.kernel("webgpu", 1, why="one thread a value", parts=_TOGETHER)
def update(call: Call) -> Dispatch:
    """Each thread has a weight with its moments."""
    return _update(call, "f32", 1)


@adamw.kernel(
    "webgpu",
    2,
    why="one thread four values",
    when=lambda w_N: w_N.shape[0] % 4 == 0,
    parts=_TOGETHER,
)
def update_vectors(call: Call) -> Dispatch:
    """As update, with vectors of four."""
    return _update(call, "vec4<f32>", 4)


def _sums(call: Call, *, vectors: bool) -> Dispatch:
    """Of a gradient in parts, each part adds its share of every run; the first one sets it."""
    runs = call.size("C")
    known: dict[str, Constant] = {
        "THREADS": _THREADS,
        "VECTORS": vectors,
        "LATER_PART": call.first_row > 0,
    }
    given = {"slot": call.attributes["slot"]}
    return Dispatch("square_sums.wgsl", lambda tokens: (runs, 1, 1), known, given=given)


@square_sums.kernel("webgpu", 1, why="one workgroup a run", parts="g_N")
def sums(call: Call) -> Dispatch:
    """Threads of a workgroup sum the squares of one run."""
    return _sums(call, vectors=False)


@square_sums.kernel(
    "webgpu",
    2,
    why="four values at a time",
    when=lambda g_N: g_N.shape[0] % 4 == 0,
    parts="g_N",
)
def sums_of_vectors(call: Call) -> Dispatch:
    """As sums, with vectors of four."""
    return _sums(call, vectors=True)


@gradient_factor.kernel("webgpu", 1, why="one workgroup")
def factor(call: Call) -> Dispatch:
    """The sum of some thousand partial sums, and what follows."""
    known = _PLACES | {"THREADS": _THREADS}
    return Dispatch("gradient_factor.wgsl", lambda tokens: (1, 1, 1), known)
