"""Products by BLAS of float32 with weights that are one element each: float32, float16, int8 rows.

f32        the library's product on the arrays as they are.
f16, i8    weights expanded to float32, a chunk of rows and a run of K at a time.
"""

# T tokens, K input width, N output width

from rung.ops.linear.blas.common import by_blas, expanded_product, whole_product
from rung.ops.linear.blas.expand import expand_elements, expand_rows
from rung.storage import F16, F32, I8


def _is_f32(x_TK, w_NK):
    return x_TK.type is F32 and w_NK.type is F32


def _is_f16(x_TK, w_NK):
    return x_TK.type is F32 and w_NK.type is F16


def _is_i8(x_TK, w_NK):
    return x_TK.type is F32 and w_NK.type is I8


@by_blas(1, form="f32", why="the library's product of chunks of rows", when=_is_f32)
def linear_f32_sgemm(part, parts, x_TK, w_NK, b_N, r_TN, y_TN, GEMM, INTEGER_BITS):
    whole_product(x_TK, w_NK, b_N, r_TN, y_TN, part, parts, GEMM, INTEGER_BITS)


@by_blas(1, form="f16", why="rows expanded a run at a time", when=_is_f16)
def linear_f16_sgemm(part, parts, x_TK, w_NK, b_N, r_TN, y_TN, GEMM, INTEGER_BITS):
    expanded_product(
        expand_elements, x_TK, w_NK, b_N, r_TN, y_TN, part, parts, GEMM, INTEGER_BITS, 0
    )


@by_blas(1, form="i8", why="rows expanded a run at a time", when=_is_i8)
def linear_i8_sgemm(part, parts, x_TK, w_NK, b_N, r_TN, y_TN, GEMM, INTEGER_BITS):
    expanded_product(expand_rows, x_TK, w_NK, b_N, r_TN, y_TN, part, parts, GEMM, INTEGER_BITS, 0)
