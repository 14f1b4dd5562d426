"""Embedding on a GPU."""

from __future__ import annotations

from rung.ops.embedding.op import embedding
from rung.wgsl import Call, Dispatch, ceil_div, spread
from rung.wgsl.types import is_decoded, type_constants

_THREADS = 64


@embedding.kernel(
    "webgpu",
    1,
    why="one thread a value",
    when=lambda table_VD: is_decoded(table_VD.type),
    parts="table_VD",
)
def rows(call: Call) -> Dispatch:
    """Each thread decodes one value; of rows in another part of the table, none."""
    return Dispatch(
        "rows.wgsl",
        lambda tokens: spread(ceil_div(call.size("D") * tokens, _THREADS)),
        {"THREADS": _THREADS, **type_constants(call.spec("table_VD").type)},
    )
