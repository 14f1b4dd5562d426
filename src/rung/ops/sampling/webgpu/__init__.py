"""Choosing tokens on a GPU."""

from __future__ import annotations

from rung.ops.sampling.op import MOST_K, drawn_token, greedy_token
from rung.wgsl import Call, Dispatch, ceil_div, spread

_THREADS = 256
# Values of a workgroup: eight a thread, so that a vocabulary of 32,000 keeps 16 workgroups busy.
_PART = 2048
# For `drawn_token`: candidates lie in the memory of the workgroup, 8 KiB of the 16 that all have.
_CANDIDATES = 1024


@greedy_token.kernel("webgpu", 1, why="the best of each part, then the best of these")
def greatest(call: Call) -> list[Dispatch]:
    """Each workgroup finds the best of a part of a row, one more the best of these."""
    parts = ceil_div(call.size("V"), _PART)
    constants = {"THREADS": _THREADS, "PART": _PART, "PARTS": parts}
    scratch = {
        "part_keys": lambda tokens: 4 * parts * tokens,
        "part_ids": lambda tokens: 4 * parts * tokens,
    }
    return [
        Dispatch("greedy_parts.wgsl", lambda tokens: (parts, tokens, 1), constants, scratch),
        Dispatch("greedy_token.wgsl", spread, constants, scratch),
    ]


@drawn_token.kernel("webgpu", 1, why="sorted lists of 64, merged two by two")
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
        Dispatch("drawn_parts.wgsl", lambda tokens: (parts, tokens, 1), constants, scratch),
        Dispatch("drawn_token.wgsl", spread, constants, scratch),
    ]
