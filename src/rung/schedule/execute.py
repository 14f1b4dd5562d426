"""Executing a graph: memory for what it computes, a compiled program, runs with given inputs."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from rung.backends.base import Backend, Compiling
from rung.graph.ir import Graph, Tensor, concrete
from rung.schedule.memory import plan_memory
from rung.storage import U8, StoredTensor


class Executor:
    """A graph ready to run on a backend, for run-time sizes up to those it was planned for.

    resident: memory of every weight and state. most: the greatest size of each symbol.
    """

    def __init__(
        self,
        graph: Graph,
        backend: Backend,
        resident: Mapping[Tensor, StoredTensor],
        most: Mapping[str, int],
        *,
        on_compile: Compiling | None = None,
    ) -> None:
        self.graph = graph
        self.memory = plan_memory(graph, most)
        arena = backend.allocate(U8, (self.memory.size_bytes,)).planes[0].view(np.uint8)
        tensors = dict(resident) | self.memory.bind(arena, most)
        self._inputs: dict[str, NDArray[np.int32]] = {}
        for tensor in graph.of_role("input"):
            tensors[tensor] = backend.allocate(tensor.type, concrete(tensor.shape, most))
            self._inputs[tensor.name] = tensors[tensor].planes[0].view(np.int32)
        self._outputs = [
            (tensor.shape, tensors[tensor].planes[0].view(np.float32).reshape(-1))
            for tensor in graph.outputs
        ]
        self.program = backend.compile(graph, graph.nodes, tensors, on_compile=on_compile)

    def run(
        self, inputs: Mapping[str, NDArray[np.int32]], sizes: Mapping[str, int]
    ) -> list[NDArray[np.float32]]:
        """The outputs for these inputs: views of float32 memory that the next run overwrites."""
        for name, memory in self._inputs.items():
            memory[: len(inputs[name])] = inputs[name]
        self.program.submit(sizes)
        self.program.synchronize()
        results = []
        for symbolic, values in self._outputs:
            # Values of a smaller run lie packed at the beginning of the memory for the greatest.
            shape = concrete(symbolic, sizes)
            results.append(values[: math.prod(shape)].reshape(shape))
        return results
