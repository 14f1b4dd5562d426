"""Byte-pair merging, best pair first, in O(n log n)."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush

import numpy as np
from numpy.typing import NDArray

Rule = Callable[[int, int], tuple[int, int] | None]
"""(left, right) ▶ (rank, merged) where the two tokens make one, else None; rank 0 is the best."""


def score_ranks(scores: NDArray[np.float32]) -> list[int]:
    """The place of each score among all of them, 0 the best; equal scores share it."""
    _, ranks = np.unique(-scores, return_inverse=True)
    return [int(rank) for rank in ranks]


def merge_pairs(tokens: list[int], rule: Rule) -> list[int]:
    """Merge the adjacent pair of the lowest rank, the leftmost of equals, until there is none.

    The result is that of searching all pairs again after each merge. Here a heap holds the pairs
    and a linked list the tokens; a heap entry whose pair has since been merged away is dropped
    when it comes up.
    """
    n_tokens = len(tokens)
    tokens = list(tokens)
    following = list(range(1, n_tokens + 1))
    preceding = list(range(-1, n_tokens - 1))
    known: dict[tuple[int, int], tuple[int, int] | None] = {}  # text repeats its pairs

    def pair_at(left: int) -> tuple[int, int] | None:
        right = following[left]
        if right >= n_tokens:
            return None
        pair = tokens[left], tokens[right]
        if pair not in known:
            known[pair] = rule(*pair)
        return known[pair]

    # One integer orders an entry by rank, then by position.
    heap = [
        found[0] * n_tokens + left
        for left in range(n_tokens)
        if (found := pair_at(left)) is not None
    ]
    heapify(heap)
    while heap:
        rank, left = divmod(heappop(heap), n_tokens)
        # A token that was merged into its left neighbour is -1; no pair of it is ever found.
        if tokens[left] < 0 or (found := pair_at(left)) is None or found[0] != rank:
            continue
        right = following[left]
        tokens[left], tokens[right] = found[1], -1
        following[left] = following[right]
        if following[left] < n_tokens:
            preceding[following[left]] = left
        for start in (preceding[left], left):
            if start >= 0 and (pair := pair_at(start)) is not None:
                heappush(heap, pair[0] * n_tokens + start)
    return [token for token in tokens if token >= 0]
