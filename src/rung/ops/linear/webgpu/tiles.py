"""Products of many tokens: tiles of both operands in workgroup memory, sums in registers."""

from __future__ import annotations

from dataclasses import dataclass

from rung.ops.linear.webgpu.forms import kernels, unit_names
from rung.ops.linear.webgpu.subgroups import FEW
from rung.wgsl import Call, Dispatch, ceil_div
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
        """Workgroup memory, for as many vec4s along K."""
        return 16 * self.deep * (self.BT + self.BN + 2)


# Sums of few tokens leave processors idle, unless several teams share them.
SMALL = Tile(32, 32, 4, 2, 1, 8)
LARGE = Tile(64, 64, 8, 4, 1, 4)


def tile_of(call: Call) -> Tile:
    """What suits a number of tokens, in the memory that there is."""
    return SMALL if call.tokens <= 48 else LARGE


@kernels(5, why="tiles of activations and weights in workgroup memory", tokens=(FEW + 1, 1 << 20))
def tiled(call: Call) -> Dispatch:
    """Each value that is read from memory meets a whole tile of the other operand."""
    return dispatch(call, tile_of(call))


def dispatch(call: Call, tile: Tile) -> Dispatch:
    """With a tile."""
    quads = unit_of(call.spec("w_NK").type) // 4
    depth = max(1, tile.deep // quads)
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
