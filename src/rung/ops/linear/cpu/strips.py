"""Strips of pairs of bfloat16, rounded as they are copied from a matrix of float32."""

# X rows or columns that become lanes of a strip, D depth, K pairs of it

from numba.extending import register_jitable

from rung.simd.lanes import LANES
from rung.simd.pairs import RUN, pairs_of_columns, pairs_of_rows


@register_jitable
def copy_rows_along(from_XD, x, last, first, values, to_KX, row, column):
    """A strip of sixteen rows, whose values lie along the depth; zeros up to a whole RUN."""
    for d in range(0, values, RUN):
        count = min(RUN, values - d)
        pairs_of_rows(from_XD, x, last, first + d, count, to_KX, row + d // 2, column)


@register_jitable
def copy_columns_along(from_DX, x, width, first, values, to_KX, row, column):
    """Strips of sixteen columns, `width` values in all, whose depth goes from row to row."""
    last = first + values - 1
    for d in range(0, values, 2):
        for strip in range(0, width, LANES):
            count = min(LANES, width - strip)
            at, place = x + strip, column + strip
            pairs_of_columns(from_DX, first + d, last, at, count, to_KX, row + d // 2, place)
