"""Products by BLAS with GGUF's blocks and with int8 rows: activations float32, or q8_s expanded.

What is in integers elsewhere is in float32 here: the values are the same, the sums differ in their
rounding alone.
"""

# T tokens, K input width, N output width

from rung.ops.linear.blas.common import both_expanded_product, by_blas, expanded_product
from rung.ops.linear.blas.expand import expand_blocks, expand_groups, expand_rows
from rung.simd.blocks import FORMATS
from rung.storage import F32, I8, Q8_S


def _takes(activations, form):
    return lambda x_TK, w_NK: x_TK.type is activations and w_NK.type.name == form


def _each_format(activations, suffix, why):
    """Registers one kernel for every format of blocks, compiled for each."""

    def register(function):
        for form in FORMATS:
            by_blas(
                1,
                form=f"{form}{suffix}",
                why=why,
                when=_takes(activations, form),
                constants={"FORMAT": lambda w_NK: FORMATS[w_NK.type.name]},
                rate="f32",
            )(function)
        return function

    return register


@_each_format(F32, "", "blocks unpacked a run at a time")
def linear_blocks_sgemm(part, parts, x_TK, w_NK, b_N, r_TN, y_TN, GEMM, INTEGER_BITS, FORMAT):
    expanded_product(
        expand_blocks, x_TK, w_NK, b_N, r_TN, y_TN, part, parts, GEMM, INTEGER_BITS, FORMAT
    )


@_each_format(Q8_S, "_q8s", "both expanded a run at a time")
def linear_blocks_q8s_sgemm(part, parts, x_TK, w_NK, b_N, r_TN, y_TN, GEMM, INTEGER_BITS, FORMAT):
    q_TK, _, _ = x_TK
    both_expanded_product(
        expand_groups,
        expand_blocks,
        x_TK,
        w_NK,
        q_TK.shape[1],
        b_N,
        r_TN,
        y_TN,
        part,
        parts,
        GEMM,
        INTEGER_BITS,
        FORMAT,
    )


@by_blas(
    1,
    form="i8_q8s",
    why="both expanded a run at a time",
    when=_takes(Q8_S, I8.name),
    rate="f32",
)
def linear_i8_q8s_sgemm(part, parts, x_TK, w_NK, b_N, r_TN, y_TN, GEMM, INTEGER_BITS):
    q_TK, _, _ = x_TK
    both_expanded_product(
        expand_groups,
        expand_rows,
        x_TK,
        w_NK,
        q_TK.shape[1],
        b_N,
        r_TN,
        y_TN,
        part,
        parts,
        GEMM,
        INTEGER_BITS,
        0,
    )
