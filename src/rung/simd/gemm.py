"""A BLAS library's matrix product, called through its address from compiled code."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from rung.simd.emit import F32, I32, I64, literal

_ROW_MAJOR, _AS_IT_IS, _TRANSPOSED = 101, 111, 112  # CBLAS's words


@intrinsic(prefer_literal=True)
def gemm(
    context: Any,
    function: Any,
    INTEGER_BITS: Any,
    T: Any,
    N: Any,
    K: Any,
    x: Any,
    x_row: Any,
    w: Any,
    w_row: Any,
    beta: Any,
    y: Any,
    y_row: Any,
) -> Any:
    """y = x · wᵀ + β · y, by a function with cblas_sgemm's arguments.

    function: its address. INTEGER_BITS: of its sizes, a literal 32 or 64. x [T, K], w [N, K] and
    y [T, N] are addresses, and as many elements from one row to the next.
    """
    bits = literal(INTEGER_BITS, 1)
    whole = ir.IntType(bits)
    kind = ir.FunctionType(
        ir.VoidType(),
        [I32, I32, I32, whole, whole, whole, F32, I64, whole, I64, whole, F32, I64, whole],
    )

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        function, _, T, N, K, x, x_row, w, w_row, beta, y, y_row = arguments

        def size(value: Any) -> Any:
            return builder.trunc(value, whole) if bits < 64 else value

        order = [ir.Constant(I32, word) for word in (_ROW_MAJOR, _AS_IT_IS, _TRANSPOSED)]
        matrices = [x, size(x_row), w, size(w_row), beta, y, size(y_row)]
        builder.call(
            builder.inttoptr(function, kind.as_pointer()),
            [*order, size(T), size(N), size(K), ir.Constant(F32, 1.0), *matrices],
        )
        return target.get_dummy_value()

    i64, f32 = types.int64, types.float32
    sizes = (i64, i64, i64, i64, i64, i64, i64)
    return types.void(i64, INTEGER_BITS, *sizes, f32, i64, i64), emit
