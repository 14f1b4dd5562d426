"""Predicted times: what the backend itself can tell, else rates of this machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rung.backends.base import Backend
from rung.graph.ir import Node
from rung.schedule.problem import Costs


@dataclass(frozen=True)
class AssumedCosts:
    """Times from plain assumptions, where nothing has been measured.

    gflops and gbs: 1e9 operations and bytes a second of the host's backends.
    """

    gflops: float = 100.0
    gbs: float = 20.0

    def seconds(self, backend: Backend, node: Node, sizes: Mapping[str, int]) -> float:
        """A node on a backend, its inputs being there."""
        known = backend.seconds(node, sizes)
        if known is not None:
            return known
        cost = node.cost(sizes)
        return 1e-6 + max(cost.flops / self.gflops, cost.bytes / self.gbs) / 1e9

    def copy_seconds(self, source: Backend, target: Backend, size_bytes: int) -> float:
        """Moving bytes from a backend's memory to another's, by way of the host."""
        return source.copy_seconds(size_bytes) + target.copy_seconds(size_bytes)


def machine_costs(backends: Sequence[Backend]) -> Costs:
    """What is known of this machine."""
    return AssumedCosts()
