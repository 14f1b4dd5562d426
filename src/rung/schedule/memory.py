"""Memory plan: activations whose lifetimes do not meet share memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rung.graph.ir import Graph, Tensor, concrete
from rung.storage import StoredTensor

ALIGNMENT = 64


@dataclass(frozen=True)
class Lifetime:
    """A tensor's bytes, and the first and last node index at which they must be there."""

    tensor: Tensor
    size_bytes: int
    first: int
    last: int


@dataclass(frozen=True)
class MemoryPlan:
    """Where each activation lies in one arena."""

    offsets: Mapping[Tensor, int]
    size_bytes: int
    unshared_bytes: int  # what it would take without sharing

    def bind(
        self, arena: NDArray[np.uint8], sizes: Mapping[str, int]
    ) -> dict[Tensor, StoredTensor]:
        """Every activation as a stored tensor inside the arena, at its greatest sizes."""
        return {tensor: _place(tensor, arena, at, sizes) for tensor, at in self.offsets.items()}


def lifetimes(graph: Graph, sizes: Mapping[str, int]) -> list[Lifetime]:
    """When each activation is alive; an output of the graph lives to the end."""
    spans: dict[Tensor, list[int]] = {}
    for index, node in enumerate(graph.nodes):
        for tensor in (node.output, *node.tensors):
            if tensor.root.role == "activation":
                spans.setdefault(tensor.root, [index, index])[1] = index
    for output in graph.outputs:
        if output.root in spans:
            spans[output.root][1] = len(graph.nodes)
    return [
        Lifetime(tensor, _size(tensor, sizes), first, last)
        for tensor, (first, last) in spans.items()
    ]


def plan_memory(graph: Graph, sizes: Mapping[str, int]) -> MemoryPlan:
    """Greedy by size: the largest tensors first, each at the lowest offset that is free.

    Source: Pisarchyk and Lee, Efficient Memory Management for Deep Neural Net Inference, 2020.
    """
    offsets: dict[Tensor, int] = {}
    placed: list[tuple[int, int, Lifetime]] = []  # offset, end, lifetime
    every = lifetimes(graph, sizes)
    for life in sorted(every, key=lambda life: (-life.size_bytes, life.first)):
        meets = sorted(
            (start, end)
            for start, end, other in placed
            if other.first <= life.last and life.first <= other.last
        )
        offset = 0
        for start, end in meets:
            if offset + life.size_bytes <= start:
                break
            offset = max(offset, end)
        offsets[life.tensor] = offset
        placed.append((offset, offset + life.size_bytes, life))
    size = max((end for _, end, _ in placed), default=0)
    return MemoryPlan(offsets, size, sum(life.size_bytes for life in every))


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _size(tensor: Tensor, sizes: Mapping[str, int]) -> int:
    shape = concrete(tensor.shape, sizes)
    planes = zip(tensor.type.plane_shapes(shape), tensor.type.planes, strict=True)
    return sum(_aligned(int(np.prod(s, dtype=np.int64)) * p.dtype.itemsize) for s, p in planes)


def _place(
    tensor: Tensor, arena: NDArray[np.uint8], offset: int, sizes: Mapping[str, int]
) -> StoredTensor:
    shape = concrete(tensor.shape, sizes)
    planes = []
    for plane_shape, plane in zip(tensor.type.plane_shapes(shape), tensor.type.planes, strict=True):
        size = int(np.prod(plane_shape, dtype=np.int64)) * plane.dtype.itemsize
        planes.append(arena[offset : offset + size].view(plane.dtype).reshape(plane_shape))
        offset += _aligned(size)
    return StoredTensor(tensor.type, shape, tuple(planes))
