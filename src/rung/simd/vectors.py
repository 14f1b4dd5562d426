"""Vector types for Numba: each value is one LLVM vector, held in registers."""

from __future__ import annotations

from functools import cache

from llvmlite import ir
from numba.core import types
from numba.extending import models, register_model

from rung.simd.emit import scalar_ir


class VectorType(types.Type):  # type: ignore[misc]
    """`lanes` elements of a scalar Numba type."""

    def __init__(self, element: types.Type, lanes: int) -> None:
        self.element = element
        self.lanes = lanes
        super().__init__(name=f"{element}x{lanes}")


@register_model(VectorType)
class _VectorModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, data_models: object, kind: VectorType) -> None:
        super().__init__(data_models, kind, vector_ir(kind))


def vector_ir(kind: VectorType) -> ir.VectorType:
    """The LLVM type of a vector type."""
    return ir.VectorType(scalar_ir(kind.element), kind.lanes)


@cache
def vector(element: types.Type, lanes: int) -> VectorType:
    """The vector type of these lanes."""
    return VectorType(element, lanes)


f32x4 = vector(types.float32, 4)
f32x16 = vector(types.float32, 16)
i8x64 = vector(types.int8, 64)
