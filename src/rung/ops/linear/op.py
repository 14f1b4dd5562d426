"""Linear: the matrix product that takes nearly all of a model's time; and its inputs' rounding."""

# T tokens, K input width, N output width

from __future__ import annotations

from typing import Any

import numpy as np

from rung.registry import op
from rung.storage import BF16, BF16_TILES, F32, Q8_S, storage_type
from rung.storage import quantize as store_as

_SHAPES = [
    {"T": 1, "N": 8, "K": 64},
    {"T": 3, "N": 5, "K": 37},
    {"T": 9, "N": 17, "K": 96},
    {"T": 2, "N": 1, "K": 1},
    {"T": 0, "N": 4, "K": 16},
    {"T": 70, "N": 12, "K": 160},
    {"T": 5, "N": 6, "K": 48, "bias": True},
    {"T": 3, "N": 7, "K": 40, "residual": True},
    {"T": 70, "N": 101, "K": 300, "bias": True, "residual": True},
    {"T": 523, "N": 50, "K": 20},
]
_GROUPED = [
    {"T": 1, "N": 8, "K": 64, "group": 64},
    {"T": 3, "N": 5, "K": 96, "group": 32},
    {"T": 9, "N": 17, "K": 172, "group": 4},
    {"T": 5, "N": 6, "K": 72, "group": 8},
    {"T": 70, "N": 12, "K": 288, "group": 32, "bias": True},
    {"T": 2, "N": 3, "K": 256, "group": 128},
    {"T": 2, "N": 3, "K": 30, "group": 6},
    {"T": 0, "N": 3, "K": 64, "group": 64},
]
_HALVES = [
    {"T": 1, "N": 8, "K": 64},
    {"T": 9, "N": 17, "K": 37},
    {"T": 70, "N": 12, "K": 160},
    {"T": 0, "N": 4, "K": 16},
]


def _block_cases(block: int) -> list[dict[str, Any]]:
    """Few and many tokens, rows that no tile divides, one block and several."""
    return [
        {"T": 1, "N": 9, "K": block},
        {"T": 3, "N": 5, "K": 3 * block},
        {"T": 70, "N": 14, "K": 2 * block},
        {"T": 0, "N": 4, "K": block},
    ]


_BY_TYPE = dict.fromkeys(("f16", "bf16", "i8"), _HALVES)
_BY_TYPE |= {name: _block_cases(32) for name in ("q8_0", "q4_0")}
_BY_TYPE |= {name: _block_cases(256) for name in ("q4_k", "q5_k", "q6_k")}

# Types that share a kernel's source share its bias: one of each suffices, and spares compilations.
for _name in ("f16", "i8", "q8_0"):
    _BY_TYPE[_name] = [*_BY_TYPE[_name], {"T": 5, "N": 6, "K": 96, "bias": True, "residual": True}]

# bfloat16 activations meet bfloat16 weights.
_BOTH_BF16 = [*_HALVES, {"T": 5, "N": 6, "K": 96, "bias": True, "residual": True}]

# int8 activations in blocks of 32: rows of one block, of an odd number, of many; widths that no
# tile divides; one token, few, and more than any tile holds.
_ROUNDED = [
    {"T": 1, "N": 9, "K": 32},
    {"T": 1, "N": 70, "K": 288},
    {"T": 3, "N": 5, "K": 96},
    {"T": 8, "N": 33, "K": 512},
    {"T": 70, "N": 50, "K": 160},
    {"T": 0, "N": 4, "K": 64},
    {"T": 37, "N": 64, "K": 256, "bias": True, "residual": True},
]
_ROUNDED_SUPER = [case | {"K": 256 * (1 + case["K"] // 200)} for case in _ROUNDED]
_ROUNDED_BY_TYPE = dict.fromkeys(("i8", "q8_0", "q4_0"), _ROUNDED)
_ROUNDED_BY_TYPE |= dict.fromkeys(("q4_k", "q5_k", "q6_k"), _ROUNDED_SUPER)

# Tiles of bfloat16: fewer tokens than they are for, one tile not full, an odd number of tiles;
# more weights than a stretch, and outputs that no panel divides.
_TILED = [
    {"T": 1, "N": 9, "K": 32},
    {"T": 8, "N": 33, "K": 544},
    {"T": 33, "N": 70, "K": 1120, "bias": True},
    {"T": 70, "N": 300, "K": 160},
    {"T": 0, "N": 4, "K": 64},
    {"T": 37, "N": 64, "K": 256, "bias": True, "residual": True},
]
_TILED_SUPER = [case | {"K": 256 * (1 + case["K"] // 200)} for case in _TILED]
_TILED_BY_TYPE = dict.fromkeys(("i8", "q8_0", "q4_0"), _TILED)
_TILED_BY_TYPE |= dict.fromkeys(("q4_k", "q5_k", "q6_k"), _TILED_SUPER)


def _typed(case: dict[str, Any], *names: str) -> dict[str, Any]:
    sizes = {key: value for key, value in case.items() if key != "group"}
    return sizes | {"types": dict.fromkeys(names, storage_type(f"i8_g{case['group']}"))}


def _make(
    rng: np.random.Generator,
    *,
    T: int,
    N: int,
    K: int,
    bias: bool = False,
    residual: bool = False,
    types: Any = None,
    **_: Any,
) -> dict[str, Any]:
    x_TK = rng.standard_normal((T, K)).astype(np.float32)
    types = types or {}
    if "tiles_TK" in types and "x_TK" in types:  # both hold the same values
        x_TK = store_as(x_TK, types["x_TK"]).float32()
    return {
        "x_TK": x_TK,
        "w_NK": rng.standard_normal((N, K)).astype(np.float32),
        "b_N": rng.standard_normal(N).astype(np.float32) if bias else None,
        "r_TN": rng.standard_normal((T, N)).astype(np.float32) if residual else None,
        "tiles_TK": x_TK if "tiles_TK" in types else None,
    }


@op(
    out="y_TN",
    make=_make,
    flops=lambda T, N, K: 2 * T * N * K,
    cases=[
        *_SHAPES,
        *(_typed(case, "w_NK") for case in _GROUPED),
        *(_typed(case, "x_TK", "w_NK") for case in _GROUPED),
        *(
            case | {"types": {"w_NK": storage_type(name)}}
            for name, cases in _BY_TYPE.items()
            for case in cases
        ),
        *(case | {"types": {"x_TK": BF16, "w_NK": BF16}} for case in _BOTH_BF16),
        *(
            case | {"types": {"x_TK": Q8_S, "w_NK": storage_type(name)}}
            for name, cases in _ROUNDED_BY_TYPE.items()
            for case in cases
        ),
        *(
            case | {"types": {"x_TK": x, "w_NK": storage_type(name), "tiles_TK": BF16_TILES}}
            for x, by_type in (
                (Q8_S, _TILED_BY_TYPE),
                (F32, dict.fromkeys(("f16", "bf16"), _TILED)),
            )
            for name, cases in by_type.items()
            for case in cases
        ),
    ],
)
def linear(x_TK: Any, w_NK: Any, b_N: Any = None, r_TN: Any = None, tiles_TK: Any = None) -> Any:
    """y = x · wᵀ + b + r; `tiles_TK`, the same x in bfloat16, allows its use for many tokens"""
    y_TN = x_TK @ w_NK.T
    if b_N is not None:
        y_TN = y_TN + b_N
    return y_TN if r_TN is None else y_TN + r_TN


@op(
    out="y_TK",
    out_type=lambda attributes: storage_type(f"i8_g{attributes['group']}"),
    flops=lambda T, K: 3 * T * K,
    cases=[
        {"T": 1, "K": 64, "group": 64},
        {"T": 5, "K": 96, "group": 32},
        {"T": 3, "K": 128, "group": 128},
        {"T": 2, "K": 172, "group": 4},
        {"T": 2, "K": 30, "group": 6},
        {"T": 0, "K": 32, "group": 32},
    ],
)
def quantize(x_TK: Any, *, group: int) -> Any:
    """y = x rounded to int8 in groups: q = round(x / scale), scale = max|x| / 127"""
    return store_as(x_TK.astype(np.float32), f"i8_g{group}").float64()


@op(
    out="y_TK",
    out_type=lambda attributes: Q8_S,
    flops=lambda T, K: 4 * T * K,
    cases=[
        {"T": 1, "K": 32},
        {"T": 5, "K": 96},
        {"T": 3, "K": 2048},
        {"T": 0, "K": 64},
    ],
)
def quantize_blocks(x_TK: Any) -> Any:
    """y = x rounded to int8 in blocks of 32, as quantize does; with sums of q beside them"""
    return store_as(x_TK.astype(np.float32), Q8_S).float64()


@op(
    out="y_TK",
    out_type=lambda attributes: BF16_TILES,
    flops=lambda T, K: T * K,
    cases=[
        {"T": T, "K": K, **types}
        for T, K in ((8, 32), (16, 64), (37, 160), (0, 32))
        for types in ({}, {"types": {"x_TK": Q8_S}})
    ],
)
def pack_tiles(x_TK: Any) -> Any:
    """y = x rounded to bfloat16, in tiles; at least 8 tokens, nothing is written for fewer"""
    return store_as(x_TK.astype(np.float32), BF16_TILES).float64()
