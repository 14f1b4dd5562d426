"""What is to be scheduled: a graph, backends by priority, where weights live, what things cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

from rung.backends.base import HOST, Backend
from rung.graph.ir import Graph, Node, Tensor, concrete


class Costs(Protocol):
    """How long things are predicted to take."""

    def seconds(self, backend: Backend, node: Node, sizes: Mapping[str, int]) -> float:
        """A node on a backend, its inputs being there."""
        ...

    def knows(self, backend: Backend, node: Node) -> bool:
        """Whether that time is measured or told, and not assumed."""
        ...

    def copy_seconds(self, source: Backend, target: Backend, size_bytes: int) -> float:
        """Moving bytes from a backend's memory to another's."""
        ...


@dataclass(frozen=True)
class Home:
    """The backend that holds a weight or state, and who says so."""

    backend: Backend
    cause: str


@dataclass(frozen=True)
class Placement:
    """The backend that computes a node, and why."""

    backend: Backend
    cause: str


@dataclass(frozen=True)
class Problem:
    """A graph to be placed for run-time sizes.

    backends: greatest priority first; the last one reads host memory and supports every node.
    homes: where weights and states live. A weight without one is wherever it is needed.
    """

    graph: Graph
    backends: Sequence[Backend]
    homes: Mapping[Tensor, Home]
    sizes: Mapping[str, int]
    costs: Costs
    _known: dict[object, object] = field(default_factory=dict, repr=False, compare=False)

    @property
    def host(self) -> Backend:
        """The backend that supports every node."""
        return self.backends[-1]

    def priority(self, backend: Backend) -> int:
        """0 for the first."""
        return self.backends.index(backend)

    def supports(self, backend: Backend, node: Node) -> bool:
        """Whether a backend has a kernel for a node; asked once for nodes that are alike."""
        key = ("supports", backend.name, node.signature)
        if key not in self._known:
            self._known[key] = backend.supports(node)
        return bool(self._known[key])

    def has_weights(self, backend: Backend, node: Node) -> bool:
        """Whether a backend can read all weights of a node without a copy."""
        for tensor in node.tensors:
            home = self.homes.get(tensor.root)
            if home is None or tensor.role != "weight":
                continue
            if not (backend.accepts(HOST) or backend.accepts(home.backend.memory)):
                return False
        return True

    def knows(self, backend: Backend, node: Node) -> bool:
        """Whether a node's time is more than an assumption; asked once for nodes that are alike."""
        key = ("knows", backend.name, node.signature)
        if key not in self._known:
            self._known[key] = self.costs.knows(backend, node)
        return bool(self._known[key])

    def seconds(self, backend: Backend, node: Node) -> float:
        """Predicted time of a node; asked once for nodes that are alike."""
        key = ("seconds", backend.name, node.signature)
        if key not in self._known:
            self._known[key] = self.costs.seconds(backend, node, self.sizes)
        seconds = self._known[key]
        assert isinstance(seconds, float)
        return seconds

    def size_bytes(self, tensor: Tensor) -> int:
        """Bytes of a tensor at these sizes."""
        return tensor.type.size_bytes(concrete(tensor.shape, self.sizes))

    @cached_property
    def makers(self) -> dict[Tensor, Node]:
        """The first node that computes each activation, by the tensor that owns the memory."""
        outputs = ((n.output.root, n) for n in reversed(self.graph.nodes))
        return {root: node for root, node in outputs if root.role == "activation"}

    @cached_property
    def readers(self) -> dict[Tensor, list[Node]]:
        """The nodes that read each tensor, by the tensor that owns the memory."""
        found: dict[Tensor, list[Node]] = {}
        for node in self.graph.nodes:
            for root in dict.fromkeys(tensor.root for tensor in node.tensors):
                found.setdefault(root, []).append(node)
        return found

    def is_on_host(self, backend: Backend) -> bool:
        """Whether a backend works in host memory."""
        return backend.memory == HOST
