"""Fused ops: neighbors of a decoder layer as one, for backends where each start costs time.

A graph does not hold them: a backend puts them in the place of the ops that they stand for.
"""

# T tokens, K width of the stream, N = H · D queries, M = G · D keys or values of a token, F hidden
# H query heads, G key/value heads, D head width, A cosines and sines
# S sequences (slots), C positions a slot holds, P pages of L positions that hold as many

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from rung.ops.attention.op import PAGE, cache_write, cache_write_keys, pages, random_places, rope
from rung.ops.linear.op import linear
from rung.ops.mlp.op import gelu, softcap, swiglu
from rung.ops.norm.op import layer_norm, rms_norm
from rung.registry import op
from rung.storage import F16, I32, storage_type

_PLACES = {"pos_T": I32, "slot_T": I32}
_TYPES = ("f32", "f16", "bf16", "i8", "i8_g32", "q8_0", "q4_0", "q4_k", "q5_k", "q6_k")


def _typed(width: int, *names: str) -> list[dict[str, Any]]:
    """Every type of weights, in rows of its own least width or of `width`."""
    return [
        {
            "K": 256 if name.endswith("_k") else width,
            "types": dict.fromkeys(names, storage_type(name)),
        }
        for name in _TYPES
    ]


def _norm(x_TK: Any, g_K: Any, c_K: Any, eps: float) -> Any:
    """rms_norm, or layer_norm where there is a c."""
    if c_K is None:
        return rms_norm.reference(x_TK, g_K, eps=eps)
    return layer_norm.reference(x_TK, g_K, c_K, eps=eps)


def _inputs(names: str, *, optional: tuple[str, ...]) -> Callable[..., dict[str, Any]]:
    """Makes inputs by their letters: normal values; vectors, which are norms and biases, near 1.

    optional: inputs that are there in cases that name them in `given`.
    """

    def make(
        rng: np.random.Generator, *, given: tuple[str, ...] = (), **case: Any
    ) -> dict[str, Any]:
        made: dict[str, Any] = dict.fromkeys(optional)
        for name in (*names.split(), *given):
            shape = [case[letter] for letter in name.rpartition("_")[2]]
            made[name] = rng.standard_normal(shape) * (1 / 3) + (len(shape) == 1)
        return made

    return make


def _cached_inputs(names: str, *, optional: tuple[str, ...]) -> Callable[..., dict[str, Any]]:
    """As _inputs, with caches, places in them for the tokens, and angles where A is not 0."""
    make_others = _inputs(f"{names} cache_SGPDL cache_SGCD", optional=optional)

    def make(rng: np.random.Generator, **case: Any) -> dict[str, Any]:
        T, A = case["T"], case["A"]
        turns = rng.uniform(-9, 9, (T, A // 2))
        return {
            **make_others(rng, **case),
            **random_places(rng, T, case["S"], case["C"]),
            "angles_TA": np.concatenate([np.cos(turns), np.sin(turns)], axis=-1) if A else None,
        }

    return make


def _cached_case(**sizes: Any) -> dict[str, Any]:
    case: dict[str, Any] = {"T": 1, "K": 64, "S": 1, "eps": 1e-5, "layout": "interleaved"}
    case |= sizes
    halves = dict.fromkeys(("cache_SGPDL", "cache_SGCD"), F16) if case.pop("half", False) else {}
    return case | {"P": pages(case["C"]), "L": PAGE, "types": case.get("types", {}) | halves}


def _qkv_case(*, H: int, G: int, D: int, **others: Any) -> dict[str, Any]:
    """Of H query heads: N and M are what the op itself knows of."""
    return _cached_case(N=H * D, M=G * D, G=G, D=D, **others)


_QKV_BIASES = ("bq_N", "bk_M", "bv_M")


@op(
    out="q_TN",
    writes=("k_TM", "v_TM"),
    make=_inputs("x_TK g_K wq_NK wk_MK wv_MK k_TM v_TM", optional=("c_K", *_QKV_BIASES)),
    flops=lambda T, K, N, M: 2 * T * K * (N + 2 * M),
    cases=[
        {"T": 1, "K": 64, "N": 24, "M": 6, "eps": 1e-5},
        {"T": 1, "K": 68, "N": 9, "M": 9, "eps": 1e-6, "given": ("c_K", *_QKV_BIASES)},
    ],
)
def norm_products(
    x_TK: Any,
    g_K: Any,
    wq_NK: Any,
    wk_MK: Any,
    wv_MK: Any,
    k_TM: Any,
    v_TM: Any,
    c_K: Any = None,
    bq_N: Any = None,
    bk_M: Any = None,
    bv_M: Any = None,
    *,
    eps: float,
) -> Any:
    """q = norm(x) · wqᵀ + bq; k = norm(x) · wkᵀ + bk; v = norm(x) · wvᵀ + bv

    norm is rms_norm with g, or layer_norm with g and c.
    """
    y_TK = _norm(x_TK, g_K, c_K, eps)
    weights = ((wq_NK, bq_N), (wk_MK, bk_M), (wv_MK, bv_M))
    return tuple(linear.reference(y_TK, w, b) for w, b in weights)


@op(
    out="q_THD",
    writes=("cache_SGPDL", "cache_SGCD"),
    types=_PLACES,
    touched={"cache_SGPDL": "TM", "cache_SGCD": "TM"},
    derived=lambda dims: {"H": dims["N"] // dims["D"]},
    make=_cached_inputs("x_TK g_K wq_NK wk_MK wv_MK", optional=("c_K", *_QKV_BIASES)),
    flops=lambda T, K, N, M: 2 * T * K * (N + 2 * M),
    cases=[
        *(
            _qkv_case(H=4, G=2, D=8, C=70, A=8, **typed)
            for typed in _typed(96, "wq_NK", "wk_MK", "wv_MK")
        ),
        _qkv_case(H=3, G=1, D=20, C=9, A=12, S=2, half=True),
        _qkv_case(H=3, G=3, D=14, C=9, A=6, layout="half", given=_QKV_BIASES),
        _qkv_case(H=2, G=2, D=128, C=130, A=128, K=512, layout="half", half=True),
        _qkv_case(H=3, G=3, D=12, C=5, A=0, given=("c_K", *_QKV_BIASES), K=132),
        _qkv_case(
            H=4,
            G=2,
            D=16,
            C=5,
            A=16,
            K=256,
            types={"wq_NK": storage_type("q4_k"), "wk_MK": storage_type("q4_k")}
            | {"wv_MK": storage_type("q6_k")},
        ),
    ],
)
def norm_qkv(
    x_TK: Any,
    g_K: Any,
    wq_NK: Any,
    wk_MK: Any,
    wv_MK: Any,
    pos_T: Any,
    slot_T: Any,
    cache_SGPDL: Any,
    cache_SGCD: Any,
    angles_TA: Any = None,
    c_K: Any = None,
    bq_N: Any = None,
    bk_M: Any = None,
    bv_M: Any = None,
    *,
    eps: float,
    layout: str,
) -> Any:
    """q = rope(norm(x) · wqᵀ + bq); k, in the same way, and v = norm(x) · wvᵀ + bv into the caches

    norm is rms_norm with g, or layer_norm with g and c; nothing turns where there are no angles.
    """
    D = cache_SGCD.shape[-1]
    products = norm_products.reference(
        *(x_TK, g_K, wq_NK, wk_MK, wv_MK, None, None),
        *(c_K, bq_N, bk_M, bv_M),
        eps=eps,
    )
    q_THD, k_TGD, v_TGD = (product.reshape(len(product), -1, D) for product in products)
    if angles_TA is not None:
        q_THD, k_TGD = (rope.reference(x, angles_TA, layout=layout) for x in (q_THD, k_TGD))
    keys = cache_write_keys.reference(cache_SGPDL, k_TGD, pos_T, slot_T)
    return q_THD, keys, cache_write.reference(cache_SGCD, v_TGD, pos_T, slot_T)


@op(
    out="q_THD",
    writes=("cache_SGPDL", "cache_SGCD"),
    types=_PLACES,
    touched={"cache_SGPDL": "TGD", "cache_SGCD": "TGD"},
    make=_cached_inputs("x_THD k_TGD v_TGD", optional=("gq_D", "gk_D")),
    flops=lambda T, H, G, D: 7 * T * (H + G) * D,
    cases=[
        _cached_case(T=1, H=4, G=2, D=8, C=70, A=8),
        _cached_case(T=5, H=3, G=1, D=20, C=9, A=12, S=2, half=True),
        _cached_case(T=3, H=2, G=2, D=37, C=9, A=10, layout="half", given=("gq_D", "gk_D")),
        _cached_case(
            T=70, H=2, G=1, D=128, C=130, A=128, layout="half", half=True, given=("gq_D", "gk_D")
        ),
        _cached_case(T=2, H=2, G=1, D=12, C=3, A=0, given=("gq_D", "gk_D")),
        _cached_case(T=0, H=2, G=1, D=12, C=3, A=12),
    ],
)
def rotate_write(
    x_THD: Any,
    k_TGD: Any,
    v_TGD: Any,
    pos_T: Any,
    slot_T: Any,
    cache_SGPDL: Any,
    cache_SGCD: Any,
    angles_TA: Any = None,
    gq_D: Any = None,
    gk_D: Any = None,
    *,
    eps: float,
    layout: str,
) -> Any:
    """q = rope(head_norm(x)); rope(head_norm(k)) and v into the caches

    Without weights there is no norm, and without angles nothing turns.
    """
    turned = []
    for values, g_D in ((x_THD, gq_D), (k_TGD, gk_D)):
        y = values if g_D is None else rms_norm.reference(values, g_D, eps=eps)
        turned.append(y if angles_TA is None else rope.reference(y, angles_TA, layout=layout))
    keys = cache_write_keys.reference(cache_SGPDL, turned[1], pos_T, slot_T)
    return turned[0], keys, cache_write.reference(cache_SGCD, v_TGD, pos_T, slot_T)


def _mlp_case(**sizes: Any) -> dict[str, Any]:
    return {
        "T": 1,
        "K": 64,
        "F": 21,
        "eps": 1e-5,
        "activation": "silu",
        "given": ("up_FK",),
    } | sizes


@op(
    out="y_TF",
    make=_inputs("x_TK g_K w_FK", optional=("up_FK", "c_K", "b_F", "bup_F")),
    flops=lambda T, K, F: 4 * T * K * F,
    cases=[
        *(_mlp_case(**typed) for typed in _typed(96, "w_FK", "up_FK")),
        _mlp_case(activation="gelu", K=512, F=40, given=("up_FK", "b_F", "bup_F")),
        _mlp_case(activation="gelu", K=132, F=7, given=("c_K", "b_F")),
        _mlp_case(K=2048, F=9, types=dict.fromkeys(("w_FK", "up_FK"), storage_type("i8"))),
    ],
)
def norm_mlp(
    x_TK: Any,
    g_K: Any,
    w_FK: Any,
    up_FK: Any = None,
    c_K: Any = None,
    b_F: Any = None,
    bup_F: Any = None,
    *,
    eps: float,
    activation: str,
) -> Any:
    """y = act(norm(x) · wᵀ + b), times norm(x) · upᵀ + bup where there is an up; act: silu or gelu

    norm is rms_norm with g, or layer_norm with g and c.
    """
    y_TK = _norm(x_TK, g_K, c_K, eps)
    hidden_TF = linear.reference(y_TK, w_FK, b_F)
    if activation == "silu":
        hidden_TF = swiglu.reference(hidden_TF, 1.0)
    else:
        hidden_TF = gelu.reference(hidden_TF)
    return hidden_TF if up_FK is None else hidden_TF * linear.reference(y_TK, up_FK, bup_F)


@op(
    out="y_TN",
    make=_inputs("x_TK g_K w_NK", optional=("c_K", "b_N")),
    flops=lambda T, K, N: 2 * T * K * N,
    cases=[
        *({"T": 1, "N": 21, "eps": 1e-5, "cap": 0.0} | typed for typed in _typed(96, "w_NK")),
        {"T": 1, "K": 512, "N": 70, "eps": 1e-6, "cap": 1.5, "given": ("b_N",)},
        {"T": 1, "K": 68, "N": 9, "eps": 1e-6, "cap": 0.0, "given": ("c_K",)},
    ],
)
def norm_linear(
    x_TK: Any, g_K: Any, w_NK: Any, c_K: Any = None, b_N: Any = None, *, eps: float, cap: float
) -> Any:
    """y = softcap(norm(x) · wᵀ + b); a cap of 0 is none

    norm is rms_norm with g, or layer_norm with g and c.
    """
    y_TN = linear.reference(_norm(x_TK, g_K, c_K, eps), w_NK, b_N)
    return softcap.reference(y_TN, cap=cap) if cap else y_TN


@op(
    out="y_TD",
    flops=lambda T, D: 5 * T * D,
    cases=[
        {"T": 1, "D": 64, "eps": 1e-5},
        {"T": 5, "D": 123, "eps": 1e-6},
        {"T": 3, "D": 1032, "eps": 1e-5},
        {"T": 0, "D": 8, "eps": 1e-5},
    ],
)
def norm_add(x_TD: Any, w_D: Any, r_TD: Any, *, eps: float) -> Any:
    """y = rms_norm(x) · w + r"""
    return rms_norm.reference(x_TD, w_D, eps=eps) + r_TD


FUSED: Mapping[str, Any] = {
    fused.name: fused
    for fused in (norm_qkv, norm_products, rotate_write, norm_mlp, norm_linear, norm_add)
}
"""What a backend may put in the place of others."""
