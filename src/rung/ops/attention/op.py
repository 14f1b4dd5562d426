"""Attention over a cache of keys and values, rotary positions, and the writes into the cache.

Values lie position by position. Keys lie in pages of 64 positions, and in a page value by value:
sixteen positions side by side are a vector, whose lanes are sixteen scores in the making.
"""

# T tokens, H query heads, G key/value heads (H = G · n), D head width
# S sequences (slots), C positions a slot holds, P pages of L positions that hold as many
# E rotation frequencies, F = 2E cosines and sines

from __future__ import annotations

from typing import Any

import numpy as np

from rung.registry import op
from rung.storage import F16, I32

_INDICES = {"pos_T": I32, "slot_T": I32}

PAGE = 64
"""Positions in a page of keys."""


def pages(n_positions: int) -> int:
    """Pages that hold so many positions."""
    return -(-n_positions // PAGE)


@op(
    out="y_TF",
    types={"pos_T": I32},
    derived=lambda dims: {"F": 2 * dims["E"]},
    make=lambda rng, *, T, E, **_: {
        "pos_T": rng.integers(0, 3000, T).astype(np.int32),
        "freq_E": (10000.0 ** (-np.arange(E) / max(E, 1))).astype(np.float32),
    },
    flops=lambda T, E: 4 * T * E,
    cases=[
        {"T": 1, "E": 4, "scale": 1.0},
        {"T": 5, "E": 24, "scale": 1.19},
        {"T": 3, "E": 1, "scale": 0.5},
        {"T": 0, "E": 8, "scale": 1.0},
    ],
)
def rope_angles(pos_T: Any, freq_E: Any, *, scale: float) -> Any:
    """y = scale · [cos(pos · freq), sin(pos · freq)]"""
    angles_TE = pos_T[:, None] * freq_E
    return scale * np.concatenate([np.cos(angles_TE), np.sin(angles_TE)], axis=-1)


def _make_rope(
    rng: np.random.Generator, *, T: int, H: int, D: int, F: int, **_: Any
) -> dict[str, Any]:
    angles = rng.uniform(-9, 9, (T, F // 2))
    return {
        "x_THD": rng.standard_normal((T, H, D)).astype(np.float32),
        "angles_TF": np.concatenate([np.cos(angles), np.sin(angles)], -1).astype(np.float32),
    }


@op(
    out="y_THD",
    make=_make_rope,
    flops=lambda T, H, F: 3 * T * H * F,
    cases=[
        {"T": 1, "H": 2, "D": 8, "F": 8, "layout": "interleaved"},
        {"T": 1, "H": 2, "D": 8, "F": 8, "layout": "half"},
        {"T": 5, "H": 3, "D": 48, "F": 48, "layout": "interleaved"},
        {"T": 5, "H": 3, "D": 80, "F": 32, "layout": "half"},
        {"T": 3, "H": 1, "D": 6, "F": 4, "layout": "interleaved"},
        {"T": 0, "H": 1, "D": 4, "F": 4, "layout": "half"},
    ],
)
def rope(x_THD: Any, angles_TF: Any, *, layout: str) -> Any:
    """(a, b) → (a·cos − b·sin, a·sin + b·cos) for each pair; values beyond the pairs stay.

    A pair is (x_2i, x_2i+1) in the "interleaved" layout and (x_i, x_i+E) in the "half" one.
    Source: Su et al., RoFormer, 2021.
    """
    F = angles_TF.shape[-1]
    E = F // 2
    cos, sin = angles_TF[:, None, :E], angles_TF[:, None, E:]
    first = slice(0, F, 2) if layout == "interleaved" else slice(0, E)
    second = slice(1, F, 2) if layout == "interleaved" else slice(E, F)
    y_THD = x_THD.copy()
    y_THD[..., first] = x_THD[..., first] * cos - x_THD[..., second] * sin
    y_THD[..., second] = x_THD[..., first] * sin + x_THD[..., second] * cos
    return y_THD


def random_places(rng: np.random.Generator, T: int, S: int, C: int) -> dict[str, Any]:
    """T different places (slot, position), in no particular order."""
    if T > S * C:
        raise ValueError(f"T={T} tokens in {S * C} places (S·C)")
    places = rng.permutation(S * C)[:T]
    return {"pos_T": (places % C).astype(np.int32), "slot_T": (places // C).astype(np.int32)}


@op(
    out="cache_SGCD",
    types=_INDICES,
    inplace="cache_SGCD",
    touched={"cache_SGCD": "TGD"},
    make=lambda rng, *, T, S, G, C, D, **_: {
        "cache_SGCD": rng.standard_normal((S, G, C, D)).astype(np.float32),
        "x_TGD": rng.standard_normal((T, G, D)).astype(np.float32),
        **random_places(rng, T, S, C),
    },
    flops=lambda: 0,
    cases=[
        {"T": 1, "S": 1, "G": 2, "C": 5, "D": 8},
        {"T": 7, "S": 3, "G": 2, "C": 9, "D": 20},
        {"T": 3, "S": 2, "G": 2, "C": 9, "D": 35, "types": {"cache_SGCD": F16}},
        {"T": 0, "S": 1, "G": 1, "C": 2, "D": 4},
    ],
)
def cache_write(cache_SGCD: Any, x_TGD: Any, pos_T: Any, slot_T: Any) -> Any:
    """cache[slot_t, :, pos_t] = x_t"""
    updated = cache_SGCD.copy()
    updated[slot_T, :, pos_T] = x_TGD
    return updated


@op(
    out="cache_SGPDL",
    types=_INDICES,
    inplace="cache_SGPDL",
    touched={"cache_SGPDL": "TGD"},
    make=lambda rng, *, T, S, G, P, D, L, **_: {
        "cache_SGPDL": rng.standard_normal((S, G, P, D, L)).astype(np.float32),
        "x_TGD": rng.standard_normal((T, G, D)).astype(np.float32),
        **random_places(rng, T, S, P * L),
    },
    flops=lambda: 0,
    cases=[
        {"T": 1, "S": 1, "G": 2, "P": 1, "D": 8, "L": PAGE},
        {"T": 7, "S": 3, "G": 2, "P": 2, "D": 20, "L": PAGE},
        {"T": 90, "S": 1, "G": 1, "P": 2, "D": 32, "L": PAGE},
        {"T": 3, "S": 2, "G": 2, "P": 2, "D": 35, "L": PAGE, "types": {"cache_SGPDL": F16}},
        {"T": 0, "S": 1, "G": 1, "P": 1, "D": 4, "L": PAGE},
    ],
)
def cache_write_keys(cache_SGPDL: Any, x_TGD: Any, pos_T: Any, slot_T: Any) -> Any:
    """cache[slot_t, :, pos_t // L, :, pos_t mod L] = x_t"""
    L = cache_SGPDL.shape[-1]
    updated = cache_SGPDL.copy()
    updated[slot_T, :, pos_T // L, :, pos_T % L] = x_TGD
    return updated


def _in_pages(k_SGCD: Any) -> Any:
    """Keys as pages hold them; positions beyond C are NaN."""
    S, G, C, D = k_SGCD.shape
    filled = np.full((S, G, pages(C) * PAGE, D), np.nan, np.float32)
    filled[:, :, :C] = k_SGCD
    return np.ascontiguousarray(filled.reshape(S, G, pages(C), PAGE, D).swapaxes(-1, -2))


def _make_attention(
    rng: np.random.Generator,
    *,
    T: int,
    H: int,
    G: int,
    D: int,
    S: int,
    C: int,
    full: bool = False,
    **_: Any,
) -> dict[str, Any]:
    """Tokens at random places, or, for `full`, at the last positions of the first slot.

    There are as many pages as C positions need.
    """
    places = random_places(rng, T, S, C)
    if full:
        if T > C:
            raise ValueError(f"T={T} tokens in C={C} places of a slot")
        places["pos_T"] = np.arange(C - T, C, dtype=np.int32)
        places["slot_T"] = np.zeros(T, np.int32)
    cache = {name: rng.standard_normal((S, G, C, D)).astype(np.float32) for name in "kv"}
    for s in range(S):
        # Positions that no token may see hold NaN, so that looking at them cannot go unnoticed.
        used = max((int(p) + 1 for p in places["pos_T"][places["slot_T"] == s]), default=0)
        for values in cache.values():
            values[s, :, used:] = np.nan
    return {
        "q_THD": rng.standard_normal((T, H, D)).astype(np.float32) * 3,
        "k_SGPDL": _in_pages(cache["k"]),
        "v_SGCD": cache["v"],
        **places,
    }


def _case(
    T: int,
    H: int,
    G: int,
    D: int,
    S: int,
    C: int,
    scale: float,
    *,
    window: int = 0,
    cap: float = 0,
    half: bool = False,
) -> dict[str, Any]:
    sizes = {"T": T, "H": H, "G": G, "D": D, "S": S, "C": C, "P": pages(C), "L": PAGE}
    types = {"types": dict.fromkeys(("k_SGPDL", "v_SGCD"), F16)} if half else {}
    return sizes | {"scale": scale, "window": window, "softcap": cap} | types


@op(
    out="y_THD",
    types=_INDICES,
    make=_make_attention,
    flops=lambda T, H, C, D: 4 * T * H * C * D,
    cases=[
        _case(1, 2, 2, 8, 1, 1, 0.3),
        _case(1, 4, 2, 48, 1, 40, 0.2),
        _case(6, 6, 2, 20, 3, 19, 0.25),
        _case(3, 8, 1, 64, 2, 130, 0.125),
        _case(9, 2, 2, 37, 1, 33, 1.0),
        _case(0, 2, 1, 8, 1, 4, 0.5),
        _case(5, 4, 2, 20, 2, 90, 0.25, window=1),
        _case(7, 4, 2, 48, 1, 90, 0.2, window=21),
        _case(3, 2, 1, 16, 1, 40, 0.2, window=64),
        _case(5, 4, 2, 37, 1, 40, 1.0, cap=5.0),
        _case(5, 2, 2, 32, 2, 90, 0.5, window=33, cap=0.7),
        _case(70, 2, 1, 80, 1, 70, 0.2),
        _case(150, 6, 2, 64, 2, 200, 0.2, window=70),
        _case(40, 1, 1, 128, 1, 64, 0.1),
        _case(9, 3, 1, 100, 1, 129, 0.1),
        _case(2, 2, 1, 8, 1, 2200, 0.2),
        _case(1, 4, 1, 8, 1, 8300, 0.2),
        _case(1, 8, 2, 64, 1, 130, 0.1, half=True),
        _case(70, 4, 2, 37, 2, 90, 0.2, half=True),
        _case(20, 4, 2, 48, 1, 90, 0.2, window=21, cap=5.0, half=True),
    ],
)
def attention(
    q_THD: Any,
    k_SGPDL: Any,
    v_SGCD: Any,
    pos_T: Any,
    slot_T: Any,
    *,
    scale: float,
    window: int,
    softcap: float,
) -> Any:
    """y = softmax(cap(scale · q · kᵀ)) · v over positions 0 … pos_t of the token's own slot

    window W > 0 leaves only the last W of these positions; softcap c > 0 makes a score s into
    c · tanh(s / c). Both are off at 0.
    """
    T, H, D = q_THD.shape
    S, G, P, _, L = k_SGPDL.shape
    k_SGCD = k_SGPDL.swapaxes(-1, -2).reshape(S, G, P * L, D)
    y_THD = np.zeros(q_THD.shape)
    for t in range(T):
        for h in range(H):
            g = h * G // H
            end = int(pos_T[t]) + 1
            seen = slice(max(0, end - window) if window else 0, end)
            k_PD, v_PD = k_SGCD[slot_T[t], g, seen], v_SGCD[slot_T[t], g, seen]
            scores_P = scale * (k_PD @ q_THD[t, h])
            if softcap:
                scores_P = softcap * np.tanh(scores_P / softcap)
            weights_P = np.exp(scores_P - scores_P.max())
            y_THD[t, h] = weights_P @ v_PD / weights_P.sum()
    return y_THD
