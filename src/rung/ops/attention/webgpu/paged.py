"""Attention that reads keys once for several queries: for few tokens, and in tiles for prompts."""

from __future__ import annotations

from typing import Any

from rung.ops.attention.op import attention
from rung.ops.attention.webgpu.plain import constants
from rung.storage import F16, F32
from rung.wgsl import Call, Dispatch, ceil_div, spread

_QUADS = 16  # fours of positions in a page
_FEW = 8
"""Tokens from which on tiles of neighbors pay."""
_GROUPS = 256
"""Workgroups that keep a large GPU busy: two for each of an H200's 132 processors."""


def heads_each(call: Call) -> int:
    """Query heads of a workgroup, a divisor of those that share keys.

    One where little is read: with a fixed number of splits, TinyLlama's 8 took 4.1 µs one by one
    and 7.3 four at a time after 128 tokens, 5.1 and 7.8 after 1,000 (H200). More for long contexts,
    where reading takes the time.
    """
    sharing = call.size("H") // call.size("G")
    pages = call.size("P")
    most = 1 if pages <= 32 else 2 if pages <= 128 else 4
    return next(count for count in (4, 3, 2, 1) if count <= most and sharing % count == 0)


def splits_of(call: Call, each: int) -> int:
    """Parts of the pages of keys: enough workgroups, and not too many pages for each."""
    pages = call.size("P")
    if window := call.attributes["window"]:
        pages = min(pages, ceil_div(window, 4 * _QUADS) + 1)
    enough = min(_GROUPS * each // call.size("H"), ceil_div(pages, 2))
    return max(1, min(max(enough, ceil_div(pages, 8)), 32))


def split(call: Call) -> list[Dispatch]:
    """Each workgroup has some query heads of a key/value head and every n-th page."""
    heads, width = call.size("H"), call.size("D")
    each = heads_each(call)
    splits = splits_of(call, each)
    threads = _QUADS * (16 if each < 3 else 8)
    steps = ceil_div(4 * _QUADS, threads // (width // 4))
    known = {"EACH": each, "SPLITS": splits, "STEPS": steps}
    alone = splits == 1
    scratch = {
        "split_values": lambda tokens: tokens * heads * splits * width * 4,
        "split_sums": lambda tokens: tokens * heads * splits * 8,
    }
    parts = Dispatch(
        "split.wgsl",
        lambda tokens: (heads // each * splits, tokens, 1),
        known | constants(call, call.spec("k_SGPDL").type) | {"THREADS": threads, "ALONE": alone},
        {} if alone else scratch,
    )
    if alone:
        return [parts]
    together = Dispatch(
        "split_sum.wgsl",
        lambda tokens: spread(ceil_div(tokens * heads * width // 4, 64)),
        known | {"THREADS": 64},
        scratch,
    )
    return [parts, together]


def tiles(call: Call) -> Dispatch:
    """Each workgroup has 16 or 32 neighboring tokens of a head."""
    width = call.size("D")
    block = next(
        (b for b in (32, 16) if 4 * b * (width + 96) + 1024 <= call.features.workgroup_bytes), 8
    )
    return Dispatch(
        "tiles.wgsl",
        lambda tokens: (call.size("H"), ceil_div(tokens, block), 1),
        {
            "BLOCK": block,
            "EACH": ceil_div(width // 4, _QUADS),
            **constants(call, call.spec("k_SGPDL").type),
        },
    )


def _register(form: str, kind: Any, features: tuple[str, ...]) -> None:
    """The kernels of one type of cache."""

    def accepts(q_THD: Any, k_SGPDL: Any, v_SGCD: Any) -> bool:
        width = q_THD.shape[-1]
        return (
            k_SGPDL.type is kind
            and v_SGCD.type is kind
            and width % 4 == 0
            and width <= 256
            and k_SGPDL.shape[-1] == 4 * _QUADS
        )

    attention.kernel(
        "webgpu",
        2,
        form=form,
        why="keys in splits, read once for all heads that share them",
        when=accepts,
        features=features,
        tokens=(1, _FEW),
    )(split)
    attention.kernel(
        "webgpu",
        3,
        form=form,
        why="tiles of tokens and keys",
        when=accepts,
        features=features,
        tokens=(_FEW + 1, 1 << 20),
    )(tiles)


_register("f32", F32, ())
_register("f16", F16, ("f16",))
