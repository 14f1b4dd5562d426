"""The protocol of every backend: what it can run, where its memory is, how work starts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from rung.graph.ir import Graph, Node, Tensor
from rung.storage import StorageType, StoredTensor

Compiling = Callable[[int, int, str], None]
"""Told before a kernel is compiled for the first time: how many are done, of how many, its name."""


class Program(Protocol):
    """A compiled piece of a graph, bound to memory."""

    def submit(self, sizes: Mapping[str, int]) -> None:
        """Starts it for these run-time sizes (T tokens, R rows)."""
        ...

    def synchronize(self) -> None:
        """Waits until it has finished."""
        ...


class Backend(ABC):
    """A processor with its memory and kernels."""

    name: str

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """What was found: processor, threads, memory, libraries, for `rung devices`."""

    @abstractmethod
    def supports(self, node: Node) -> bool:
        """Whether it has a kernel for a node."""

    @abstractmethod
    def allocate(self, kind: StorageType, shape: tuple[int, ...]) -> StoredTensor:
        """New memory, zeroed when first touched. Raises BackendError when there is not enough."""

    @abstractmethod
    def compile(
        self,
        graph: Graph,
        nodes: Sequence[Node],
        memory: Mapping[Tensor, StoredTensor],
        *,
        on_compile: Compiling | None = None,
    ) -> Program:
        """Nodes as a program on tensors whose memory is given at its greatest sizes."""

    @abstractmethod
    def close(self) -> None:
        """Ends its threads and frees what it holds."""
