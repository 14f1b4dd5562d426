"""Products by BLAS with int8 weights in groups, activations float32 or int8 in the same groups."""

# T tokens, K input width, N output width

from rung.ops.linear.blas.common import both_expanded_product, by_blas, expanded_product
from rung.ops.linear.blas.expand import expand_groups
from rung.storage import F32


def _grouped(spec):
    return spec.type.name.startswith("i8_g")


def _is_i8g(x_TK, w_NK):
    return x_TK.type is F32 and _grouped(w_NK)


def _is_i8g_i8g(x_TK, w_NK):
    return _grouped(x_TK) and x_TK.type is w_NK.type


@by_blas(1, form="i8g", why="rows expanded a run at a time", when=_is_i8g)
def linear_i8g_sgemm(part, parts, x_TK, w_NK, b_N, r_TN, y_TN, GEMM, INTEGER_BITS):
    expanded_product(expand_groups, x_TK, w_NK, b_N, r_TN, y_TN, part, parts, GEMM, INTEGER_BITS, 0)


@by_blas(1, form="i8g_i8g", why="both expanded a run at a time", when=_is_i8g_i8g, rate="f32")
def linear_i8g_i8g_sgemm(part, parts, x_TK, w_NK, b_N, r_TN, y_TN, GEMM, INTEGER_BITS):
    q_TK, _ = x_TK
    both_expanded_product(
        expand_groups,
        expand_groups,
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
