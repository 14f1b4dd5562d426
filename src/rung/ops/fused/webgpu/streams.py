"""What stands between products, for any number of tokens."""

from __future__ import annotations

from typing import Any

from rung.ops.fused.op import norm_add, rotate_write
from rung.storage import F16, F32, StorageType
from rung.wgsl import Call, Dispatch, spread


@norm_add.kernel(
    "webgpu",
    1,
    why="one workgroup a token",
    when=lambda x_TD, w_D, r_TD: all(spec.type is F32 for spec in (x_TD, w_D, r_TD)),
)
def normed_sum(call: Call) -> Dispatch:
    """Threads of a workgroup sum the squares of one token, then scale it and add."""
    return Dispatch("norm_add.wgsl", spread, {"THREADS": 256, "eps": float(call.attributes["eps"])})


def _register(form: str, kind: StorageType, features: tuple[str, ...]) -> None:
    """The kernel for one type of cache."""

    def accepts(gq_D: Any, gk_D: Any, cache_SGPDL: Any, cache_SGCD: Any) -> bool:
        return (
            (gq_D is None) == (gk_D is None)
            and cache_SGPDL.type is kind
            and cache_SGCD.type is kind
        )

    rate = {"rate": "f16"} if kind is F16 else {}

    @rotate_write.kernel(
        "webgpu",
        1,
        form=form,
        why="one workgroup a head of a token",
        when=accepts,
        features=features,
        **rate,
    )
    def heads(call: Call) -> Dispatch:
        """Queries turn; keys turn and go into the cache, where values go as they are."""
        count = call.size("H") + 2 * call.size("G")
        angles = call.has("angles_TA")
        constants = {
            "THREADS": 64,
            "Element": kind.name,
            "eps": float(call.attributes["eps"]),
            "HALF": angles and call.attributes["layout"] == "half",
        }
        if not angles:
            constants["A"] = 0
        return Dispatch("rotate_write.wgsl", lambda tokens: spread(tokens * count), constants)


_register("f32", F32, ())
_register("f16", F16, ("f16",))
