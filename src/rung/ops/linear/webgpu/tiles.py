"""Products of many tokens: tiles of both operands in workgroup memory, sums in registers."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rung.ops.linear.webgpu.forms import kernels, unit_names
from rung.wgsl import Call, Dispatch, Features, ceil_div
from rung.wgsl.types import unit_of


@dataclass(frozen=True)
class Tile:
    """Tokens × rows of a workgroup and of a thread; teams that take turns along K; K at a time."""

    BT: int
    BN: int
    TT: int
    TN: int
    split: int
    deep: int  # vec4s along K

    @property
    def threads(self) -> int:
        """Of a workgroup."""
        return self.BT // self.TT * (self.BN // self.TN) * self.split

    @property
    def size_bytes(self) -> int:
        """Workgroup memory that it takes."""
        return 16 * self.deep * (self.BT + self.BN + 2)


def tile_of(call: Call) -> Tile:
    """What suits the sizes of a product.

    Large tiles read less, small ones keep more processors busy; where even these are few, several
    teams share a tile's K, and wait less often where it is deeper: 32 tokens and 4,096 rows of
    4,096 int8 values take 73 µs with four teams and 32 vec4s, 143 with two teams and 8 (H200).
    """
    rows, tokens = call.size("N"), call.tokens
    if tokens <= 64:
        count = ceil_div(rows, 32) * ceil_div(tokens, 32)
        tile = Tile(32, 32, 4, 4, 4, 32 if count < 192 else 16 if count < 320 else 8)
    else:
        count = ceil_div(rows, 64) * ceil_div(tokens, 64)
        split, deep = (4, 16) if count < 256 else (2, 8) if count < 512 else (1, 4)
        tile = Tile(64, 128 if count >= 1024 else 64, 8, 8, split, deep)
    return _fitting(tile, unit_of(call.spec("w_NK").type) // 4, call.features)


def _fitting(tile: Tile, quads: int, features: Features) -> Tile:
    """A tile of whole units that the memory of a workgroup holds."""
    deep = max(tile.deep, quads)
    while deep > quads and replace(tile, deep=deep).size_bytes > features.workgroup_bytes:
        deep //= 2
    fitting = replace(tile, deep=deep)
    if fitting.size_bytes > features.workgroup_bytes:
        return Tile(32, 32, 4, 4, 4, quads)
    return fitting


@kernels(5, why="tiles of activations and weights in workgroup memory", tokens=(12, 1 << 20))
def tiled(call: Call) -> Dispatch:
    """Each value that is read from memory meets a whole tile of the other operand."""
    tile = tile_of(call)
    quads = unit_of(call.spec("w_NK").type) // 4
    depth = tile.deep // quads
    columns = ceil_div(call.size("N"), tile.BN)
    return Dispatch(
        "tiles.wgsl",
        lambda tokens: (columns, ceil_div(tokens, tile.BT), 1),
        {
            "BT": tile.BT,
            "BN": tile.BN,
            "TT": tile.TT,
            "TN": tile.TN,
            "SPLIT": tile.split,
            "TEAMS": tile.split > 1,
            "DEPTH": depth,
            "X_EACH": ceil_div(tile.BT * depth * quads, tile.threads),
            "W_EACH": ceil_div(tile.BN * depth, tile.threads),
            **unit_names(call),
        },
    )
