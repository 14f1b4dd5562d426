"""Memory that maps a file: its pages can be let go, for they come again from the file."""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rung.storage.types import StoredTensor


def let_go(tensor: StoredTensor) -> None:
    """Frees the pages of a tensor that maps a file; whoever reads it again reads the file again.

    Nothing happens to memory that maps none, nor where the system has no such call.
    """
    for plane in tensor.planes:
        mapping = _mapping(plane)
        if mapping is None or not hasattr(mmap, "MADV_DONTNEED"):
            continue
        first = int(plane.ctypes.data) - int(np.frombuffer(mapping, np.uint8).ctypes.data)
        # Whole pages alone: those at the ends belong to others as well.
        start = -(-first // mmap.PAGESIZE) * mmap.PAGESIZE
        length = (first + plane.nbytes) // mmap.PAGESIZE * mmap.PAGESIZE - start
        if length > 0:
            mapping.madvise(mmap.MADV_DONTNEED, start, length)


def _mapping(array: NDArray[Any]) -> mmap.mmap | None:
    """The read-only mapping that an array lies in, whole or in part; None where it is no view."""
    if array.flags.writeable or not array.flags.c_contiguous:
        return None
    base: Any = array
    while isinstance(base, np.ndarray):
        base = base.base
    if isinstance(base, memoryview):
        base = base.obj
    return base if isinstance(base, mmap.mmap) else None
