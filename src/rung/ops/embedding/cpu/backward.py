"""The table's gradient on the CPU: each value has one owner, who adds in the order of tokens.

1 owns columns, so every thread has as much to do; 2 owns rows, and zeroes whole pages where the
gradient begins with it.
"""

# T tokens, V rows of the table, D width

from rung.ops.embedding.gradient import embedding_backward
from rung.registry import Split
from rung.simd.spans import span

# 256 bytes of each row: whole cache lines, and twelve parts of GPT-2's 768 columns.
_COLUMNS = 64


@embedding_backward.kernel("cpu", 1, why="columns have owners", split=Split("D", _COLUMNS))
def embedding_backward_columns(part, parts, dtable_VD, dy_TD, ids_T, add):
    V, D = dtable_VD.shape
    start, stop = span(part, parts, D, _COLUMNS)
    if not add:
        for v in range(V):
            for d in range(start, stop):
                dtable_VD[v, d] = 0
    for t in range(dy_TD.shape[0]):
        row = ids_T[t]
        for d in range(start, stop):
            dtable_VD[row, d] += dy_TD[t, d]


@embedding_backward.kernel("cpu", 2, why="rows have owners", split=Split("V", 16))
def embedding_backward_rows(part, parts, dtable_VD, dy_TD, ids_T, add):
    V, D = dtable_VD.shape
    start, stop = span(part, parts, V, 16)
    if not add:
        dtable_VD[start:stop] = 0
    for t in range(dy_TD.shape[0]):
        row = ids_T[t]
        if start <= row < stop:
            for d in range(D):
                dtable_VD[row, d] += dy_TD[t, d]
