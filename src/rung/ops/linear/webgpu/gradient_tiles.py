"""Gradients of products in tiles: both operands in workgroup memory, sums in registers."""

# T tokens, K input width, N output width

from __future__ import annotations

from dataclasses import dataclass, replace

from rung.ops.linear.gradient import linear_backward_w, linear_backward_x
from rung.ops.linear.webgpu.gradient import floats_w, floats_x
from rung.registry import MANY
from rung.wgsl import Call, Constant, Dispatch, Features, ceil_div


@dataclass(frozen=True)
class Tile:
    """Sums of a workgroup and of a thread; teams that take turns along what is summed over."""

    BI: int
    BK: int
    TI: int
    TK: int
    split: int
    deep: int  # values of what is summed over

    @property
    def threads(self) -> int:
        """Of a workgroup."""
        return self.BI // self.TI * (self.BK // self.TK) * self.split

    @property
    def size_bytes(self) -> int:
        """Workgroup memory that it takes."""
        return 4 * self.deep * (self.BI + self.BK + 8)

    def constants(self) -> dict[str, Constant]:
        """What outer_tiles.wgsl must know."""
        return {
            "BI": self.BI,
            "BK": self.BK,
            "TI": self.TI,
            "TK": self.TK,
            "FOURS_I": self.TI // 4,
            "FOURS_K": self.TK // 4,
            "SPLIT": self.split,
            "TEAMS": self.split > 1,
            "DEEP": self.deep,
            "LEFT_EACH": ceil_div(self.BI * self.deep // 16, self.threads),
            "RIGHT_EACH": ceil_div(self.BK * self.deep // 4, self.threads),
        }


def tile_of(rows: int, columns: int, features: Features) -> Tile:
    """What suits so many outputs: large tiles read less, small ones keep more processors busy.

    The steps are reckoned for a GPU of 132 processors, as those of the forward tiles are. Without
    processors to keep busy, large tiles win: dx of 256 × 768 values from 768 takes 39 ms in tiles
    of 32 × 32, 32 in 32 × 64 and 25 in 64 × 64 (lavapipe, two Zen 5 cores).
    """
    count = ceil_div(rows, 64) * ceil_div(columns, 64)
    if ceil_div(rows, 32) * ceil_div(columns, 32) <= 132:
        tile = Tile(32, 32, 4, 4, 4, 64)
    elif count < 128:
        tile = Tile(32, 64, 4, 8, 4, 64)
    else:
        split, deep = (4, 64) if count < 256 else (2, 32) if count < 512 else (1, 16)
        tile = Tile(64, 128 if count >= 1024 else 64, 8, 8, split, deep)
    # Sixteen values of a tile's depth hold the sums that teams hand over.
    while tile.deep > 16 and tile.size_bytes > features.workgroup_bytes:
        tile = replace(tile, deep=tile.deep // 2)
    return tile


_SOME = (9, MANY)
"""Tokens that tiles are for: of fewer, most of a tile is empty.

dw of one token and 768 × 768 values takes 7.4 ms in tiles and 1.7 one by one; of 128 tokens, 14 and
93 (lavapipe, two Zen 5 cores).
"""


def _aligned(call: Call) -> dict[str, Constant]:
    """Which tensors are read in fours: those whose rows are whole fours."""
    width = call.size("K") % 4 == 0
    rows = call.rows % 4 == 0 and call.first_row % 4 == 0
    names = dict.fromkeys(("w_NK", "x_TK", "r_TK", "dx_TK", "dw_NK"), width)
    return {f"{name}_ALIGNED": is_aligned for name, is_aligned in (names | {"dy_TN": rows}).items()}


@linear_backward_x.kernel(
    "webgpu", 2, why="tiles in workgroup memory", when=floats_x, parts="w_NK", tokens=_SOME
)
def backward_x(call: Call) -> Dispatch:
    """Each value that is read from memory meets a whole tile of the other operand."""
    tile = tile_of(call.tokens, call.size("K"), call.features)
    return Dispatch(
        "backward_x_tiles.wgsl",
        lambda tokens: (ceil_div(call.size("K"), tile.BK), ceil_div(tokens, tile.BI), 1),
        {
            "TURNED": True,
            "LATER_PART": call.first_row > 0,
            "dx_TK_WRITTEN": True,
            **tile.constants(),
            **_aligned(call),
        },
    )


@linear_backward_w.kernel(
    "webgpu", 2, why="tiles in workgroup memory", when=floats_w, parts="dw_NK", tokens=_SOME
)
def backward_w(call: Call) -> Dispatch:
    """As for dx, along tokens."""
    rows, columns = call.size("N"), call.size("K")
    tile = tile_of(rows, columns, call.features)
    return Dispatch(
        "backward_w_tiles.wgsl",
        lambda tokens: (ceil_div(columns, tile.BK), ceil_div(rows, tile.BI), 1),
        {"dw_NK_WRITTEN": True, **tile.constants(), **_aligned(call)},
    )
