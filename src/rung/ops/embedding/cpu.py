"""Embedding on the CPU: a copy of rows, converted where the table is int8.

1 copies value by value, which LLVM turns into vector moves; there is nothing to gain beyond that,
since a row is read once.
"""

# T tokens, V rows of the table, D width, G values a scale

import numpy as np

from rung.ops.embedding.op import embedding
from rung.registry import Split
from rung.simd.spans import span
from rung.storage import F32

_ROWS = Split("T")


@embedding.kernel(
    "cpu", 1, why="copies rows", when=lambda table_VD: table_VD.type is F32, split=_ROWS
)
def embedding_f32(part, parts, ids_T, table_VD, y_TD):
    T, D = y_TD.shape
    start, stop = span(part, parts, T, 1)
    for t in range(start, stop):
        row = ids_T[t]
        for d in range(D):
            y_TD[t, d] = table_VD[row, d]


@embedding.kernel(
    "cpu",
    1,
    form="i8g",
    why="scales int8 rows to float32",
    when=lambda table_VD: table_VD.type.name.startswith("i8_g"),
    split=_ROWS,
)
def embedding_i8g(part, parts, ids_T, table_VD, y_TD):
    q_VD, scales = table_VD
    T, D = y_TD.shape
    G = D // scales.shape[1] if D else 1
    start, stop = span(part, parts, T, 1)
    for t in range(start, stop):
        row = ids_T[t]
        for d in range(D):
            y_TD[t, d] = np.float32(q_VD[row, d]) * scales[row, d // G]
