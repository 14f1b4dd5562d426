"""Writes into the cache of keys and values, converted to the cache's type on the way.

cache_write        1 value by value; 2 sixteen lanes at a time.
cache_write_keys   1 value by value: each value of a key goes to a row of its own.
"""

# T tokens, G key/value heads, D head width, S slots, C positions, P pages of L positions

import numpy as np

from rung.ops.attention.cpu.common import KEPT_AS
from rung.ops.attention.op import cache_write, cache_write_keys
from rung.registry import Split
from rung.simd.elements import put
from rung.simd.lanes import LANES, load, load_some, store, store_some
from rung.simd.spans import span

_ROWS = Split("TG", per_thread=1)


def _is_values(cache_SGCD):
    return cache_SGCD.type in KEPT_AS


def _is_keys(cache_SGPDL):
    return cache_SGPDL.type in KEPT_AS


@cache_write.kernel("cpu", 1, why="value by value", when=_is_values, split=_ROWS)
def cache_write_naive(part, parts, cache_SGCD, x_TGD, pos_T, slot_T):
    T, G, D = x_TGD.shape
    S, _, C, _ = cache_SGCD.shape
    cache_XD = cache_SGCD.reshape(S * G * C, D)
    start, stop = span(part, parts, T * G, 1)
    for i in range(start, stop):
        t, g = i // G, i % G
        row = (np.int64(slot_T[t]) * G + g) * C + pos_T[t]
        for d in range(D):
            put(cache_XD, row, d, x_TGD[t, g, d])


@cache_write.kernel("cpu", 2, why="sixteen lanes at a time", when=_is_values, split=_ROWS)
def cache_write_lanes(part, parts, cache_SGCD, x_TGD, pos_T, slot_T):
    T, G, D = x_TGD.shape
    S, _, C, _ = cache_SGCD.shape
    cache_XD, x_XD = cache_SGCD.reshape(S * G * C, D), x_TGD.reshape(T * G, D)
    whole = D // LANES * LANES
    start, stop = span(part, parts, T * G, 1)
    for i in range(start, stop):
        t, g = i // G, i % G
        row = (np.int64(slot_T[t]) * G + g) * C + pos_T[t]
        for d in range(0, whole, LANES):
            store(cache_XD, row, d, load(x_XD, i, d))
        if whole < D:
            store_some(cache_XD, row, whole, load_some(x_XD, i, whole, D - whole), D - whole)


@cache_write_keys.kernel("cpu", 1, why="value by value", when=_is_keys, split=_ROWS)
def cache_write_keys_naive(part, parts, cache_SGPDL, x_TGD, pos_T, slot_T):
    T, G, D = x_TGD.shape
    S, _, P, _, L = cache_SGPDL.shape
    cache_XL = cache_SGPDL.reshape(S * G * P * D, L)
    start, stop = span(part, parts, T * G, 1)
    for i in range(start, stop):
        t, g = i // G, i % G
        pos = np.int64(pos_T[t])
        row = ((np.int64(slot_T[t]) * G + g) * P + pos // L) * D
        for d in range(D):
            put(cache_XL, row + d, pos % L, x_TGD[t, g, d])
