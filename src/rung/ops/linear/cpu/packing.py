"""Activations packed into tiles of bfloat16: 1 value by value; 2 a tile at a time in registers."""

# T tokens, K width, B blocks of 32 values

import numpy as np
from numba.extending import register_jitable

from rung.ops.linear.op import pack_tiles
from rung.registry import Split
from rung.simd.bfloat_tiles import BLOCK, TILE, bfloat_bits, tokens_pack
from rung.simd.blocks import RUN
from rung.simd.spans import span
from rung.storage import F32, Q8_S
from rung.storage.tiles import LEAST_ROWS

_TILES = Split("TK", BLOCK, per_thread=1)


@register_jitable
def _share(part, parts, y_TK):
    """The blocks of all tiles that this part packs: a start, a stop; blocks in a row."""
    T, B = y_TK.shape[0], y_TK.shape[1] // (2 * RUN)
    tiles = (T + TILE - 1) // TILE if T >= LEAST_ROWS else 0
    start, stop = span(part, parts, tiles * B, 1)
    return start, stop, B


@pack_tiles.kernel(
    "cpu",
    1,
    form="f32",
    why="value by value",
    when=lambda x_TK: x_TK.type is F32,
    split=_TILES,
)
def pack_tiles_naive(part, parts, x_TK, y_TK):
    start, stop, B = _share(part, parts, y_TK)
    flat = y_TK.reshape(-1)
    for i in range(start, stop):
        for r in range(TILE):
            t = min(i // B * TILE + r, len(x_TK) - 1)
            for k in range(RUN):
                at = i * BLOCK + k // 2 * 2 * TILE + 2 * r + k % 2
                flat[at] = bfloat_bits(x_TK[t, i % B * RUN + k])


@pack_tiles.kernel(
    "cpu",
    1,
    form="q8s",
    why="value by value",
    when=lambda x_TK: x_TK.type is Q8_S,
    split=_TILES,
)
def pack_tiles_q8s_naive(part, parts, x_TK, y_TK):
    q_TK, scales, _ = x_TK
    start, stop, B = _share(part, parts, y_TK)
    flat = y_TK.reshape(-1)
    for i in range(start, stop):
        for r in range(TILE):
            t = min(i // B * TILE + r, len(q_TK) - 1)
            for k in range(RUN):
                at = i * BLOCK + k // 2 * 2 * TILE + 2 * r + k % 2
                flat[at] = bfloat_bits(np.float32(q_TK[t, i % B * RUN + k]) * scales[t, i % B])


@pack_tiles.kernel(
    "cpu",
    2,
    form="f32",
    why="sixteen tokens by 32 values in registers",
    when=lambda x_TK: x_TK.type is F32,
    split=_TILES,
)
@pack_tiles.kernel(
    "cpu",
    2,
    form="q8s",
    why="sixteen tokens by 32 values in registers",
    when=lambda x_TK: x_TK.type is Q8_S,
    split=_TILES,
)
def pack_tiles_registers(part, parts, x_TK, y_TK):
    start, stop, B = _share(part, parts, y_TK)
    flat = y_TK.reshape(-1)
    last = len(y_TK) - 1
    for i in range(start, stop):
        tokens_pack(flat, i * BLOCK, x_TK, i // B * TILE, last, i % B * RUN)
