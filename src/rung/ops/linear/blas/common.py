"""What the kernels of linear by a BLAS library share: how work is cut, and the calls.

A part is some chunks of outputs. The library gets one chunk and one run of K at a time, always the
same whatever the number of threads, so that its sums are the same bits. It multiplies float32;
other types are expanded into memory of the thread that needs them.
"""

# T tokens, N output width, K input width

import numpy as np
from numba.extending import register_jitable

from rung.ops.linear.op import linear
from rung.registry import Split
from rung.simd.finish import finish
from rung.simd.gemm import gemm
from rung.simd.spans import span

# Outputs of one call. One thread with OpenBLAS, 2048×2048 and 128 tokens: 72 GFLOP/s with 32, 77
# with 64, 81 with 128, 83 with 256, 85 with 512; MKL 79, 87, 91, 92, 95 (Zen 4). Few outputs leave
# work for many threads.
CHUNK = 128
OUTPUTS = Split("N", CHUNK)

# Values of a row that are expanded at a time: 128 rows of 512 are 256 kB, half of a small
# second-level cache. A multiple of every block.
DEPTH = 512

_LARGEST = 2**31 - 1  # what sizes of 32 bits hold


def fits(x_TK, w_NK):
    """Whether the library's integers hold the sizes, and there is something to multiply."""
    return 0 < x_TK.shape[1] <= _LARGEST and w_NK.shape[0] <= _LARGEST


def by_blas(version, *, form, why, when, function="sgemm", **options):
    """Registers a kernel that calls the library's product of this name.

    Its parameter GEMM is the address of that, INTEGER_BITS what its sizes have; the backend knows.
    """
    return linear.kernel(
        *("blas", version),
        form=form,
        why=why,
        # Tiles are for products in bfloat16, of which these libraries' float32 is none.
        when=lambda x_TK, w_NK, tiles_TK: (
            tiles_TK is None and fits(x_TK, w_NK) and when(x_TK, w_NK)
        ),
        calls={"GEMM": function},
        split=OUTPUTS,
        **options,
    )


@register_jitable
def whole_product(x_TK, w_NK, b_N, r_TN, y_TN, part, parts, GEMM, INTEGER_BITS):
    """y = x · wᵀ + b + r for a part of the outputs; x and w as the library takes them."""
    T, K = x_TK.shape
    N = y_TN.shape[1]
    start, stop = span(part, parts, N, CHUNK)
    if T == 0:
        return
    x, w, y = x_TK.ctypes.data, w_NK.ctypes.data, y_TN.ctypes.data
    row = K * w_NK.itemsize
    for n in range(start, stop, CHUNK):
        count = min(CHUNK, stop - n)
        w_n, y_n = w + n * row, y + 4 * n
        gemm(GEMM, INTEGER_BITS, T, count, K, x, K, w_n, K, np.float32(0), y_n, N)
    finish(y_TN, b_N, r_TN, start, stop)


@register_jitable
def expanded_product(
    expand_w, x_TK, w_NK, b_N, r_TN, y_TN, part, parts, GEMM, INTEGER_BITS, FORMAT
):
    """y = x · wᵀ + b + r for a part of the outputs; x float32.

    expand_w(rows, w, n, count, k, depth, FORMAT) writes w[n : n+count, k : k+depth].
    """
    T, K = x_TK.shape
    N = y_TN.shape[1]
    start, stop = span(part, parts, N, CHUNK)
    if T == 0:
        return
    w = np.empty((CHUNK, DEPTH), np.float32)
    x, w_at, y = x_TK.ctypes.data, w.ctypes.data, y_TN.ctypes.data
    for n in range(start, stop, CHUNK):
        count = min(CHUNK, stop - n)
        for k in range(0, K, DEPTH):
            depth = min(DEPTH, K - k)
            expand_w(w, w_NK, n, count, k, depth, FORMAT)
            beta = np.float32(0 if k == 0 else 1)
            x_k, y_n = x + 4 * k, y + 4 * n
            gemm(GEMM, INTEGER_BITS, T, count, depth, x_k, K, w_at, DEPTH, beta, y_n, N)
    finish(y_TN, b_N, r_TN, start, stop)


@register_jitable
def both_expanded_product(
    expand_x, expand_w, x_TK, w_NK, K, b_N, r_TN, y_TN, part, parts, GEMM, INTEGER_BITS, FORMAT
):
    """The same with x expanded as well: a run of K of all tokens, then all chunks with it."""
    T, N = y_TN.shape
    start, stop = span(part, parts, N, CHUNK)
    if T == 0:
        return
    w = np.empty((CHUNK, DEPTH), np.float32)
    x = np.empty((T, DEPTH), np.float32)
    x_at, w_at, y = x.ctypes.data, w.ctypes.data, y_TN.ctypes.data
    for k in range(0, K, DEPTH):
        depth = min(DEPTH, K - k)
        expand_x(x, x_TK, 0, T, k, depth, 0)
        beta = np.float32(0 if k == 0 else 1)
        for n in range(start, stop, CHUNK):
            count = min(CHUNK, stop - n)
            expand_w(w, w_NK, n, count, k, depth, FORMAT)
            y_n = y + 4 * n
            gemm(GEMM, INTEGER_BITS, T, count, depth, x_at, DEPTH, w_at, DEPTH, beta, y_n, N)
    finish(y_TN, b_N, r_TN, start, stop)
