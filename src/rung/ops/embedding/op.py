"""Embedding: rows of a table by index."""

# T tokens, V rows of the table, D width

from __future__ import annotations

from typing import Any

import numpy as np

from rung.registry import op
from rung.storage import I32, storage_type


def _make(rng: np.random.Generator, *, T: int, V: int, D: int, **_: Any) -> dict[str, Any]:
    return {
        "ids_T": rng.integers(0, V, T).astype(np.int32),
        "table_VD": rng.standard_normal((V, D)).astype(np.float32),
    }


_WIDTHS = {"f16": 37, "bf16": 37, "i8": 37, "q8_0": 96, "q4_0": 96}
_WIDTHS |= dict.fromkeys(("q4_k", "q5_k", "q6_k"), 512)


@op(
    out="y_TD",
    types={"ids_T": I32},
    make=_make,
    touched={"table_VD": "TD"},
    flops=lambda T, D: 0,
    cases=[
        {"T": 1, "V": 5, "D": 64},
        {"T": 7, "V": 3, "D": 37},
        {"T": 0, "V": 3, "D": 8},
        {"T": 5, "V": 9, "D": 64, "types": {"table_VD": storage_type("i8_g32")}},
        {"T": 5, "V": 9, "D": 36, "types": {"table_VD": storage_type("i8_g4")}},
        *(
            {"T": 5, "V": 9, "D": D, "types": {"table_VD": storage_type(name)}}
            for name, D in _WIDTHS.items()
        ),
    ],
)
def embedding(ids_T: Any, table_VD: Any) -> Any:
    """y_t = table[ids_t]"""
    return table_VD[ids_T]
