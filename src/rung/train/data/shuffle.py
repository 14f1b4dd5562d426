"""A fixed permutation of range(n) for a key, computed place by place: no list, nothing to save.

A Feistel network permutes the numbers of 2k bits; those that it sends beyond n are sent on until
they are below. The mixing of bits is that of SplitMix64. It is written out here, so that a run
that is resumed with another version of NumPy sees the same order.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_ROUNDS = 6
_GOLDEN = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1

Numbers = NDArray[np.uint64]


def mix(value: int) -> int:
    """64 bits that look random, for 64 bits."""
    value = (value + _GOLDEN) & _MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)


def key_of(*parts: int) -> int:
    """One key for several integers, such as a seed and an epoch."""
    key = 0
    for part in parts:
        key = mix(key ^ mix(part & _MASK))
    return key


def permuted(places: NDArray[np.int64], n: int, key: int) -> NDArray[np.int64]:
    """Where the permutation of range(n) that belongs to `key` sends these places, all below n."""
    half = max(1, ((n - 1).bit_length() + 1) // 2)
    found = _network(places.astype(np.uint64), half, key)
    while (beyond := found >= n).any():
        found[beyond] = _network(found[beyond], half, key)
    return found.astype(np.int64)


def _network(values: Numbers, half: int, key: int) -> Numbers:
    """The Feistel network on numbers of 2 · half bits."""
    mask = np.uint64((1 << half) - 1)
    left, right = values >> np.uint64(half), values & mask
    for number in range(_ROUNDS):
        left, right = right, left ^ (_mixed(right, key_of(key, number)) & mask)
    return left << np.uint64(half) | right


def _mixed(values: Numbers, key: int) -> Numbers:
    """`mix` of an array, under a key; arithmetic of uint64 wraps."""
    values = (values ^ np.uint64(key)) + np.uint64(_GOLDEN)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
