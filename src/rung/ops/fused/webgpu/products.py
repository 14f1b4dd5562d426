"""Products of one token with the norm before them and what comes after them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rung.ops.fused.op import norm_linear, norm_mlp, norm_products, norm_qkv
from rung.storage import F16, F32, StorageType
from rung.wgsl import Call, Constant, Dispatch, ceil_div, spread
from rung.wgsl.types import in_units, unit_constants, unit_of

_ENOUGH = 80000
"""Threads that keep a large GPU's memory busy: 600 for each of an H200's 132 processors."""


def _tuning(rows: int, units: int) -> tuple[int, int]:
    """Threads of a workgroup, and rows that it has of all its weights.

    A subgroup by itself needs no barrier: 2.5 TB/s for 22,016 rows of 4,096 int8, 2.2 for 12,288,
    in a model's order (H200). Where it leaves too few threads, several share rows.
    """
    each = 4
    threads = 32
    while threads < min(units, 128) and rows // each * threads < _ENOUGH:
        threads *= 2
    return threads, each


def _work(call: Call, rows: int, *weights: str, sums: int = 1) -> tuple[int, dict[str, Constant]]:
    """Rows that a workgroup has of each weight, and the constants of shaders with normed.wgsl.

    rows: of all weights. sums: how many weights a workgroup goes through together.
    """
    kind = call.spec(weights[0]).type
    threads, each = _tuning(rows, call.size("K") // unit_of(kind))
    each //= sums
    constants: dict[str, Constant] = {
        "THREADS": threads,
        "EACH": each,
        "SUMS": each * sums + 1,
        # Two units of 8 bytes are as good as one of 16.
        "UNROLL": 2 if unit_of(kind) * kind.bits < 128 else 1,
        "eps": float(call.attributes["eps"]),
    }
    for name in weights:
        constants |= unit_constants(name, call.spec(name).type)
    return each, constants


def _readable(x: Any, *weights: Any) -> bool:
    """Whether rows are in whole units, of float32 activations in whole vectors."""
    given = [w for w in weights if w is not None]
    return (
        x.type is F32 and x.shape[-1] % 4 == 0 and all(in_units(w.type, w.shape[-1]) for w in given)
    )


def _floats(*vectors: Any) -> bool:
    return all(v is None or v.type is F32 for v in vectors)


def _register_qkv(form: str, kind: StorageType, features: tuple[str, ...]) -> None:
    """The kernel for one type of cache."""

    def accepts(
        x_TK: Any,
        g_K: Any,
        c_K: Any,
        wq_NK: Any,
        wk_MK: Any,
        wv_MK: Any,
        bq_N: Any,
        bk_M: Any,
        bv_M: Any,
        cache_SGPDL: Any,
        cache_SGCD: Any,
        angles_TA: Any,
    ) -> bool:
        pairs_fit = angles_TA is None or cache_SGCD.shape[-1] % 2 == 0
        return (
            _readable(x_TK, wq_NK, wk_MK, wv_MK)
            and _floats(g_K, c_K, bq_N, bk_M, bv_M)
            and cache_SGPDL.type is kind
            and cache_SGCD.type is kind
            and pairs_fit
        )

    rate = {"rate": "f16"} if kind is F16 else {}

    @norm_qkv.kernel(
        "webgpu",
        1,
        form=form,
        why="a workgroup some rows; the norm while x is read",
        when=accepts,
        features=features,
        tokens=(1, 1),
        **rate,
    )
    def qkv(call: Call) -> Dispatch:
        """Rows that turn together are sums of one workgroup, which turns and writes them."""
        half = call.has("angles_TA") and call.attributes["layout"] == "half"
        return _qkv(call, {"Element": kind.name, "HALF": half})


@norm_products.kernel(
    "webgpu",
    1,
    why="a workgroup some rows; the norm while x is read",
    when=lambda x_TK, g_K, c_K, wq_NK, wk_MK, wv_MK, bq_N, bk_M, bv_M: (
        _readable(x_TK, wq_NK, wk_MK, wv_MK) and _floats(g_K, c_K, bq_N, bk_M, bv_M)
    ),
    tokens=(1, 1),
)
def three_products(call: Call) -> Dispatch:
    """As norm_qkv, with nothing after the products."""
    return _qkv(call, {"HALF": False})


def _qkv(call: Call, known: Mapping[str, Constant]) -> Dispatch:
    N, M = call.size("N"), call.size("M")
    each, constants = _work(call, N + 2 * M, "wq_NK", "wk_MK", "wv_MK")
    blocks = ceil_div(N, each) + 2 * ceil_div(M, each)
    return Dispatch("norm_qkv.wgsl", lambda tokens: spread(blocks), constants | dict(known))


_register_qkv("f32", F32, ())
_register_qkv("f16", F16, ("f16",))


@norm_mlp.kernel(
    "webgpu",
    1,
    why="a workgroup some rows of both; the norm while x is read",
    when=lambda x_TK, g_K, w_FK, up_FK, c_K, b_F, bup_F: (
        _readable(x_TK, w_FK, up_FK)
        and _floats(g_K, c_K, b_F, bup_F)
        and (up_FK is None or up_FK.type is w_FK.type)
    ),
    tokens=(1, 1),
)
def mlp(call: Call) -> Dispatch:
    """Gate and up of a row are sums of one workgroup."""
    weights = ("w_FK", "up_FK") if call.has("up_FK") else ("w_FK",)
    F = call.size("F")
    each, constants = _work(call, F * len(weights), *weights, sums=len(weights))
    constants["SILU"] = call.attributes["activation"] == "silu"
    return Dispatch("norm_mlp.wgsl", lambda tokens: spread(ceil_div(F, each)), constants)


@norm_linear.kernel(
    "webgpu",
    1,
    why="a workgroup some rows; the norm while x is read",
    when=lambda x_TK, g_K, w_NK, c_K, b_N: _readable(x_TK, w_NK) and _floats(g_K, c_K, b_N),
    tokens=(1, 1),
    parts="w_NK",
)
def product(call: Call) -> Dispatch:
    """A workgroup's threads go through some rows together."""
    N = call.size("N")
    each, constants = _work(call, N, "w_NK")
    constants["cap"] = float(call.attributes["cap"])
    return Dispatch("norm_linear.wgsl", lambda tokens: spread(ceil_div(N, each)), constants)
