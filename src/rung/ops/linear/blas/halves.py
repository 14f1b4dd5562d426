"""Products by BLAS with bfloat16 weights.

bf16        float32 activations: weights expanded to float32.
bf16_bf16   activations in bfloat16 too: 1 both expanded; 2 the library's product of bfloat16, which
            processors with AVX512-BF16 or AMX take in twice to sixteen times the values at a time.
"""

# T tokens, K input width, N output width

from rung.ops.linear.blas.common import (
    both_expanded_product,
    by_blas,
    expanded_product,
    whole_product,
)
from rung.ops.linear.blas.expand import expand_elements
from rung.storage import BF16, F32


def _is_bf16(x_TK, w_NK):
    return x_TK.type is F32 and w_NK.type is BF16


def _is_bf16_bf16(x_TK, w_NK):
    return x_TK.type is BF16 and w_NK.type is BF16


@by_blas(1, form="bf16", why="rows expanded a run at a time", when=_is_bf16)
def linear_bf16_sgemm(part, parts, x_TK, w_NK, b_N, r_TN, y_TN, GEMM, INTEGER_BITS):
    expanded_product(
        expand_elements, x_TK, w_NK, b_N, r_TN, y_TN, part, parts, GEMM, INTEGER_BITS, 0
    )


@by_blas(1, form="bf16_bf16", why="both expanded a run at a time", when=_is_bf16_bf16)
def linear_bf16_bf16_sgemm(part, parts, x_TK, w_NK, b_N, r_TN, y_TN, GEMM, INTEGER_BITS):
    both_expanded_product(
        expand_elements,
        expand_elements,
        x_TK,
        w_NK,
        x_TK.shape[1],
        b_N,
        r_TN,
        y_TN,
        part,
        parts,
        GEMM,
        INTEGER_BITS,
        0,
    )


@by_blas(
    2,
    form="bf16_bf16",
    why="the library's product of bfloat16",
    when=_is_bf16_bf16,
    function="sbgemm",
    rate="bf16",
)
def linear_bf16_bf16_sbgemm(part, parts, x_TK, w_NK, b_N, r_TN, y_TN, GEMM, INTEGER_BITS):
    whole_product(x_TK, w_NK, b_N, r_TN, y_TN, part, parts, GEMM, INTEGER_BITS)
