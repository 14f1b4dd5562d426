"""One weight of a row of GGUF blocks, straight from the formulas: what plain kernels are made of.

N rows; `w` is the bytes of the rows, `n` a row and `k` a value in it. simd/blocks.py reads the same
blocks thirty-two weights at a time.
"""

import numpy as np
from numba.extending import overload, register_jitable

from rung.simd.blocks import FORMATS
from rung.simd.elements import half_at
from rung.simd.emit import literal

_F = np.float32


@register_jitable
def q8_0(w, n, k):
    """d·q"""
    at = k // 32 * 34
    q = np.int8(w[n, at + 2 + k % 32])
    return half_at(w, n, at) * _F(q)


@register_jitable
def q4_0(w, n, k):
    """d·(q − 8); values 16 to 31 are the upper half-bytes"""
    at = k // 32 * 18
    packed = w[n, at + 2 + k % 16]
    q = packed >> 4 if k % 32 >= 16 else packed & 15
    return half_at(w, n, at) * _F(np.int32(q) - 8)


@register_jitable
def _six_bits(w, n, at, sub):
    """Scale and offset of sub-block `sub`, out of the 12 bytes from `at` on."""
    if sub < 4:
        return w[n, at + sub] & 63, w[n, at + 4 + sub] & 63
    last = w[n, at + 4 + sub]
    s = (last & 15) | (w[n, at + sub - 4] >> 6 << 4)
    m = (last >> 4) | (w[n, at + sub] >> 6 << 4)
    return s, m


@register_jitable
def _scaled(w, n, at, sub, q):
    """d·s·q − e·m"""
    s, m = _six_bits(w, n, at + 4, sub)
    return half_at(w, n, at) * _F(s) * _F(q) - half_at(w, n, at + 2) * _F(m)


@register_jitable
def q4_k(w, n, k):
    """d·s·q − e·m; sub-blocks 2j and 2j + 1 share 32 bytes"""
    at, sub = k // 256 * 144, k % 256 // 32
    packed = w[n, at + 16 + sub // 2 * 32 + k % 32]
    return _scaled(w, n, at, sub, packed >> (sub % 2 * 4) & 15)


@register_jitable
def q5_k(w, n, k):
    """As q4_k, with a fifth bit in 32 bytes of their own"""
    at, sub = k // 256 * 176, k % 256 // 32
    packed = w[n, at + 48 + sub // 2 * 32 + k % 32]
    fifth = w[n, at + 16 + k % 32] >> sub & 1
    return _scaled(w, n, at, sub, (packed >> (sub % 2 * 4) & 15) | fifth << 4)


@register_jitable
def q6_k(w, n, k):
    """d·s·(q − 32); four low bits, two upper ones, an int8 scale for 16 values"""
    at, half, quarter = k // 256 * 210, k % 256 // 128, k % 128 // 32
    packed = w[n, at + half * 64 + quarter % 2 * 32 + k % 32]
    pair = w[n, at + 128 + half * 32 + k % 32] >> (quarter * 2) & 3
    q = np.int32((packed >> (quarter // 2 * 4) & 15) | pair << 4) - 32
    s = np.int8(w[n, at + 192 + k % 256 // 16])
    return half_at(w, n, at + 208) * _F(s) * _F(q)


_WEIGHTS = {FORMATS[f.__name__]: f for f in (q8_0, q4_0, q4_k, q5_k, q6_k)}


def weight(w, n, k, FORMAT):  # pragma: no cover  (Numba compiles what `_choose` returns)
    """Weight k of row n in a format, a literal of FORMATS, as float32."""
    raise NotImplementedError


@overload(weight, prefer_literal=True)
def _choose(w, n, k, FORMAT):
    one = _WEIGHTS[literal(FORMAT, 3)]
    return lambda w, n, k, FORMAT: one(w, n, k)
