"""The table's gradient on a GPU: each value has one owner, who adds in the order of tokens."""

# T tokens, V rows of the table, D width

from __future__ import annotations

from rung.ops.embedding.gradient import embedding_backward
from rung.wgsl import Call, Dispatch, ceil_div, spread

_THREADS = 64


def _table(call: Call, shader: str) -> Dispatch:
    """One thread a value of the table."""
    groups = ceil_div(call.size("V") * call.size("D"), _THREADS)
    return Dispatch(shader, lambda tokens: spread(groups), {"THREADS": _THREADS})


@embedding_backward.kernel("webgpu", 1, why="one thread a value of the table", parts="dtable_VD")
def backward(call: Call) -> Dispatch:
    """Each looks at all tokens."""
    return _table(call, "backward.wgsl")


@embedding_backward.kernel(
    "webgpu", 2, why="tokens of one id are chained; other rows rest", parts="dtable_VD"
)
def backward_chains(call: Call) -> list[Dispatch]:
    """The first token of each id adds up its chain; where nothing is added to, all is 0 before.

    Chains are the same for all parts of a table: the first one makes them.
    """
    width = call.size("D")
    scratch = {"same_id_next": lambda tokens: tokens * 4}
    known = {"THREADS": _THREADS}
    chains = Dispatch(
        "chains.wgsl", lambda tokens: (ceil_div(tokens, _THREADS), 1, 1), known, scratch
    )
    sums = Dispatch(
        "chain_sums.wgsl",
        lambda tokens: spread(ceil_div(tokens * width, _THREADS)),
        known,
        scratch,
    )
    first = [] if call.attributes["add"] else [_table(call, "zero.wgsl")]
    return [*first, *([chains] if call.first_row == 0 else []), sums]
