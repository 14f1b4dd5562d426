"""Choosing tokens on a GPU."""

from __future__ import annotations

from rung.ops.sampling.op import MOST_K, advance, argmax, sample
from rung.wgsl import Call, Dispatch, ceil_div, spread

_THREADS = 256
# Values of a workgroup: eight a thread, so that a vocabulary of 32,000 keeps 16 workgroups busy.
_PART = 2048
# For `sample`, whose candidates lie in the memory of the workgroup: 8 KiB, half of what all have.
_CANDIDATES = 1024


@argmax.kernel("webgpu", 1, why="the best of each part, then the best of these")
def greatest(call: Call) -> list[Dispatch]:
    """Each workgroup finds the best of a part of a row, one more the best of these."""
    parts = ceil_div(call.size("V"), _PART)
    constants = {"THREADS": _THREADS, "PART": _PART, "PARTS": parts}
    scratch = {
        "part_keys": lambda tokens: 4 * parts * tokens,
        "part_ids": lambda tokens: 4 * parts * tokens,
    }
    return [
        Dispatch("argmax_parts.wgsl", lambda tokens: (parts, tokens, 1), constants, scratch),
        Dispatch("argmax.wgsl", spread, constants, scratch),
    ]


@sample.kernel("webgpu", 1, why="sorted lists of 64, merged two by two")
def drawn(call: Call) -> list[Dispatch]:
    """Each workgroup finds the best of a part of a row, one more the best of these, and draws."""
    parts = ceil_div(call.size("V"), _CANDIDATES)
    constants = {"THREADS": _THREADS, "LISTS": _CANDIDATES // MOST_K, "PARTS": parts}
    scratch = {
        "best_keys": lambda tokens: 4 * MOST_K * parts * tokens,
        "best_ids": lambda tokens: 4 * MOST_K * parts * tokens,
        "part_sums": lambda tokens: 4 * parts * tokens,
    }
    return [
        Dispatch("best_of_parts.wgsl", lambda tokens: (parts, tokens, 1), constants, scratch),
        Dispatch("sample.wgsl", spread, constants, scratch),
    ]


@advance.kernel("webgpu", 1, why="one thread a token")
def next_positions(call: Call) -> Dispatch:
    """Each thread adds to one position."""
    return Dispatch("advance.wgsl", lambda tokens: spread(ceil_div(tokens, 64)), {"THREADS": 64})
