"""The gradient of an embedding: rows are added where they were looked up, in the tokens' order."""

# T tokens, V rows of the table, D width

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rung.ops.embedding.op import embedding
from rung.ops.linear.gradient import before
from rung.registry import op
from rung.storage import I32

if TYPE_CHECKING:
    from rung.graph.grad import Backward
    from rung.graph.ir import Node, Tensor


def _make(
    rng: np.random.Generator, *, T: int, V: int, D: int, add: bool, **_: Any
) -> dict[str, Any]:
    return {
        "dtable_VD": before(rng, (V, D), add=add),
        "dy_TD": rng.standard_normal((T, D)).astype(np.float32),
        "ids_T": rng.integers(0, V, T).astype(np.int32),
    }


@op(
    out="dtable_VD",
    inplace="dtable_VD",
    types={"ids_T": I32},
    make=_make,
    touched={"dtable_VD": "TD"},
    flops=lambda T, D: T * D,
    cases=[
        {"T": T, "V": V, "D": D, "add": add}
        for T, V, D in ((1, 5, 64), (9, 3, 37), (70, 40, 200), (0, 3, 8))
        for add in (False, True)
    ],
)
def embedding_backward(dtable_VD: Any, dy_TD: Any, ids_T: Any, *, add: bool) -> Any:
    """dtable[v] = Σ dy_t over the t with ids_t = v, added to what is there where `add`"""
    result = dtable_VD.copy() if add else np.zeros_like(dtable_VD)
    np.add.at(result, ids_T, dy_TD)
    return result


@embedding.gradient
def embedding_gradient(backward: Backward, node: Node, dy_TD: Tensor) -> None:
    """Of the table."""
    ids_T, table_VD = node.inputs["ids_T"], node.inputs["table_VD"]
    assert ids_T is not None
    assert table_VD is not None
    backward.update(table_VD, embedding_backward, dy_TD, ids_T)
