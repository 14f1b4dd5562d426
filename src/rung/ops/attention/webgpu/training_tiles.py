"""Attention of whole sequences in tiles: what several tokens read of others comes in pages."""

# B sequences, T tokens of each, H query heads, G key/value heads, D head width

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rung.ops.attention.training import causal_attention, causal_attention_backward
from rung.ops.attention.webgpu.training import floats
from rung.wgsl import Call, Constant, Dispatch, Features, ceil_div

WIDEST = 128
"""Of the heads that tiles are for."""


@dataclass(frozen=True)
class Tile:
    """Tokens of a workgroup, and those of a page on the other side."""

    block: int
    page: int

    def size_bytes(self, width: int, blocks: int, pages: int, products: int) -> int:
        """Workgroup memory of so many blocks and pages of rows and of products of the two."""
        row_bytes = 16 * (width // 4 | 1)
        rows = blocks * self.block + pages * self.page
        return rows * row_bytes + (products * self.page + 8) * self.block * 4


TILES = (Tile(32, 32), Tile(32, 16), Tile(16, 16), Tile(16, 8), Tile(8, 8), Tile(4, 4))
"""The last has room for the widest heads on every GPU."""


def tile_of(width: int, features: Features, blocks: int, pages: int, products: int) -> Tile:
    """The largest that the memory of a workgroup holds, for so many of each."""
    most = features.workgroup_bytes
    return next(t for t in TILES if t.size_bytes(width, blocks, pages, products) <= most)


def _dispatch(call: Call, shader: str, heads: str, tile: Tile, **options: Any) -> Dispatch:
    """A workgroup for each block of tokens of each head."""
    count = call.size("B") * call.size(heads)
    constants: dict[str, Constant] = {
        "BLOCK": tile.block,
        "PAGE": tile.page,
        "EACH": ceil_div(call.size("D"), tile.page),
        "scale": float(call.attributes["scale"]),
        "KEYS": heads == "G",
    }
    return Dispatch(
        shader, lambda tokens: (count, ceil_div(tokens, tile.block), 1), constants, **options
    )


def _fits(width: int) -> bool:
    return width % 4 == 0 and width <= WIDEST


@causal_attention.kernel(
    "webgpu",
    2,
    why="tiles of queries and keys in workgroup memory",
    when=lambda qkv_BTMD, lse_BHT: floats(qkv_BTMD, lse_BHT) and _fits(qkv_BTMD.shape[-1]),
)
def causal(call: Call) -> Dispatch:
    """Each key and value that is read meets all queries of a tile."""
    return _dispatch(
        call, "causal_tiles.wgsl", "H", tile_of(call.size("D"), call.features, 1, 1, 1)
    )


@causal_attention_backward.kernel(
    "webgpu",
    2,
    why="tiles of queries and keys in workgroup memory",
    when=lambda dy_BTHD, qkv_BTMD, y_BTHD, lse_BHT: (
        floats(dy_BTHD, qkv_BTMD, y_BTHD, lse_BHT) and _fits(qkv_BTMD.shape[-1])
    ),
)
def causal_backward(call: Call) -> list[Dispatch]:
    """A file for both sides: queries that go through keys, keys that go through queries."""
    scratch = {"along_BHT": lambda tokens: call.size("B") * call.size("H") * tokens * 4}
    tile = tile_of(call.size("D"), call.features, 2, 2, 2)
    return [
        _dispatch(call, "causal_backward_tiles.wgsl", heads, tile, scratch=scratch)
        for heads in ("H", "G")
    ]
