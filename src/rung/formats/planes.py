"""The planes of a stored tensor as views of a mapped file."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rung.storage import F32, Array, StorageType, StoredTensor, stored


def tensor_in(data: NDArray[np.uint8], kind: StorageType, shape: tuple[int, ...]) -> StoredTensor:
    """A tensor whose planes lie one after the other in `data`, which is as long as they are.

    A plane is copied only where `data` holds it at an address its elements cannot have.
    """
    planes: list[Array] = []
    offset = 0
    for plane, plane_shape in zip(kind.planes, kind.plane_shapes(shape), strict=True):
        stop = offset + int(np.prod(plane_shape, dtype=np.int64)) * plane.dtype.itemsize
        planes.append(aligned(data[offset:stop].view(plane.dtype).reshape(plane_shape)))
        offset = stop
    return StoredTensor(kind, shape, tuple(planes))


def aligned(array: Array) -> Array:
    """The array itself, or a copy where its elements lie across their natural addresses.

    Kernels load whole elements.
    """
    if array.flags.aligned:
        return array
    copy = array.copy()
    copy.flags.writeable = False
    return copy


def vector_as_float32(tensor: StoredTensor) -> StoredTensor:
    """A vector (a norm or a bias) as float32, which is what kernels take; a matrix as it is.

    Vectors are a small part of a file, so the copy costs next to nothing.
    """
    if len(tensor.shape) != 1 or tensor.type is F32:
        return tensor
    with np.errstate(invalid="ignore"):  # of a signalling NaN, which the check of values will name
        values = tensor.float32()
    values.flags.writeable = False
    return stored(values)
