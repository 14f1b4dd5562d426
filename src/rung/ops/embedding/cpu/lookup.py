"""Embedding on the CPU: a copy of rows, converted to float32 where the table is not.

1 goes value by value, which LLVM turns into vector moves where a value is one element; a row is
read once, so there is nothing to gain beyond that. 2 unpacks GGUF's blocks in lanes.
"""

# T tokens, V rows of the table, D width, G values a scale

import numpy as np

from rung.ops.embedding.op import embedding
from rung.registry import Split
from rung.simd.blocks import FORMATS, block_values, unpack_block
from rung.simd.elements import element
from rung.simd.spans import span
from rung.simd.weights import weight
from rung.storage import BF16, F16, F32

_ROWS = Split("T")


def _is_plain(table_VD):
    return table_VD.type in (F32, F16, BF16)


def _is_int8(table_VD):
    return table_VD.type.name == "i8" or table_VD.type.name.startswith("i8_g")


def _is_blocks(table_VD):
    return table_VD.type.name in FORMATS


_FORMAT = {"FORMAT": lambda table_VD: FORMATS[table_VD.type.name]}


@embedding.kernel("cpu", 1, why="copies rows", when=_is_plain, split=_ROWS)
def embedding_elements(part, parts, ids_T, table_VD, y_TD):
    T, D = y_TD.shape
    start, stop = span(part, parts, T, 1)
    for t in range(start, stop):
        row = ids_T[t]
        for d in range(D):
            y_TD[t, d] = element(table_VD, row, d)


@embedding.kernel(
    "cpu", 1, form="int8", why="scales int8 rows to float32", when=_is_int8, split=_ROWS
)
def embedding_int8(part, parts, ids_T, table_VD, y_TD):
    q_VD, scales = table_VD
    T, D = y_TD.shape
    G = D // scales.shape[1] if D else 1
    start, stop = span(part, parts, T, 1)
    for t in range(start, stop):
        row = ids_T[t]
        for d in range(D):
            y_TD[t, d] = np.float32(q_VD[row, d]) * scales[row, d // G]


@embedding.kernel(
    "cpu",
    1,
    form="blocks",
    why="each value by its formula",
    when=_is_blocks,
    constants=_FORMAT,
    split=_ROWS,
)
def embedding_blocks_naive(part, parts, ids_T, table_VD, y_TD, FORMAT):
    T, D = y_TD.shape
    start, stop = span(part, parts, T, 1)
    for t in range(start, stop):
        row = ids_T[t]
        for d in range(D):
            y_TD[t, d] = weight(table_VD, row, d, FORMAT)


@embedding.kernel(
    "cpu",
    2,
    form="blocks",
    why="thirty-two values at a time",
    when=_is_blocks,
    constants=_FORMAT,
    split=_ROWS,
)
def embedding_blocks_lanes(part, parts, ids_T, table_VD, y_TD, FORMAT):
    T, D = y_TD.shape
    start, stop = span(part, parts, T, 1)
    for t in range(start, stop):
        for index in range(D // block_values(FORMAT)):
            unpack_block(y_TD, t, table_VD, ids_T[t], index, FORMAT)
