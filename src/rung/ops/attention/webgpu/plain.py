"""Attention and what comes before it, plainly: one thread a value, one workgroup a head."""

from __future__ import annotations

from typing import Any

from rung.ops.attention.op import attention, cache_write, cache_write_keys, rope, rope_angles
from rung.storage import F16, F32
from rung.wgsl import Call, Constant, Dispatch, ceil_div, spread

_THREADS = 64


@rope_angles.kernel("webgpu", 1, why="one thread an angle")
def angles(call: Call) -> Dispatch:
    """Cosine and sine of one angle."""
    return Dispatch(
        "rope_angles.wgsl",
        lambda tokens: spread(ceil_div(tokens * call.size("E"), _THREADS)),
        {"THREADS": _THREADS},
    )


@rope.kernel("webgpu", 1, why="one thread a value")
def rotate(call: Call) -> Dispatch:
    """Each value from its pair."""
    return Dispatch(
        "rope.wgsl",
        lambda tokens: spread(ceil_div(tokens * call.size("H") * call.size("D"), _THREADS)),
        {"THREADS": _THREADS, "HALF": call.attributes["layout"] == "half"},
    )


def constants(call: Call, kind: Any) -> dict[str, Constant]:
    """The cache's element, and attributes that may be whole numbers as floats."""
    return {"Element": kind.name} | {
        name: float(call.attributes[name]) for name in ("scale", "softcap")
    }


def _register(form: str, kind: Any, features: tuple[str, ...]) -> None:
    """The kernels of one type of cache."""

    def write(keys: bool) -> Any:
        def values(call: Call) -> Dispatch:
            size = call.size("G") * call.size("D")
            return Dispatch(
                "cache_write.wgsl",
                lambda tokens: spread(ceil_div(tokens * size, _THREADS)),
                {"THREADS": _THREADS, "KEYS": keys, "Element": kind.name},
            )

        return values

    def heads(call: Call) -> Dispatch:
        """Scores of 64 keys at a time, with a running maximum and sum."""
        return Dispatch(
            "heads.wgsl", lambda tokens: spread(tokens * call.size("H")), constants(call, kind)
        )

    cache_write_keys.kernel(
        "webgpu",
        1,
        form=form,
        why="one thread a value",
        when=lambda cache_SGPDL: cache_SGPDL.type is kind,
        features=features,
    )(write(True))
    cache_write.kernel(
        "webgpu",
        1,
        form=form,
        why="one thread a value",
        when=lambda cache_SGCD: cache_SGCD.type is kind,
        features=features,
    )(write(False))
    attention.kernel(
        "webgpu",
        1,
        form=form,
        why="one workgroup a head of a token",
        when=lambda k_SGPDL, v_SGCD: k_SGPDL.type is kind and v_SGCD.type is kind,
        features=features,
    )(heads)


_register("f32", F32, ())
_register("f16", F16, ("f16",))
