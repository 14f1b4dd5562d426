"""The table's gradient on the CPU: a thread owns columns, so tokens with one row add in order."""

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
