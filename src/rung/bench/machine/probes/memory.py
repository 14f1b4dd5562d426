"""Reading and copying float32 memory in several far-apart sequential runs, by wide vectors.

Every probe is called as probe(part, parts, words), where words hold the address of the memory,
its bytes, how often to go over it, and the address of a second memory. A part keeps to its own
share, whose bytes are a multiple of `share_bytes()`.
"""

from __future__ import annotations

import numpy as np
from numba import float32
from numba.extending import register_jitable

from rung.simd.lanes import (
    LANES,
    fill,
    load,
    store,
    tile_fma,
    tile_load,
    tile_store,
    tile_zeros,
)
from rung.simd.memory import array_at
from rung.simd.target import host

# Four runs side by side, each one that the processor foresees.
STREAMS = 4
# Vectors of a run taken in one step: sums enough to hide an addition's latency, and few enough for
# the registers.
_STEP = 2 if host().vector_registers >= 32 else 1


def share_bytes() -> int:
    """What the share of a part must be a multiple of."""
    return STREAMS * 2 * LANES * 4


@register_jitable
def _share(part, parts, address, size_bytes):
    """A part's share of the memory as STREAMS runs."""
    share = size_bytes // parts
    return array_at(address + part * share, (STREAMS, share // (STREAMS * 4)), float32)


def fill_part(part, parts, words):
    """Every value becomes 1: pages are there, and near the thread that will read them."""
    data = _share(part, parts, words[0], words[1])
    for s in range(STREAMS):
        for i in range(0, data.shape[1], LANES):
            store(data, s, i, fill(np.float32(1)))


def read_part(part, parts, words):
    """Sums all values, so that none may be left out."""
    data = _share(part, parts, words[0], words[1])
    sums = array_at(words[3] + part * STREAMS * _STEP * 4, (_STEP, STREAMS), float32)
    one = (fill(np.float32(1)),)
    first, second = tile_zeros(1, STREAMS), tile_zeros(1, STREAMS)
    for _ in range(words[2]):
        for i in range(0, data.shape[1], LANES * _STEP):
            first = tile_fma(first, one, tile_load(data, 0, i, STREAMS))
            if _STEP == 2:
                second = tile_fma(second, one, tile_load(data, 0, i + LANES, STREAMS))
    tile_store(first, sums, 0, 0, STREAMS)
    if _STEP == 2:
        tile_store(second, sums, 1, 0, STREAMS)


def copy_part(part, parts, words):
    """Copies all values to the second memory."""
    source = _share(part, parts, words[0], words[1])
    target = _share(part, parts, words[3], words[1])
    for _ in range(words[2]):
        for i in range(0, source.shape[1], LANES):
            for s in range(STREAMS):
                store(target, s, i, load(source, s, i))
