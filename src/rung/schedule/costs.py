"""Predicted times: what a backend can tell of a node, else measured rates, else its limits.

Where nothing of that is known, plain assumptions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rung.backends.base import HOST, Backend
from rung.graph.ir import Node, concrete
from rung.registry import Cost
from rung.schedule.rates import Rates

_PRODUCTS = (
    *("linear", "linear_backward_x", "linear_backward_w"),
    *("linear_bf16", "linear_bf16_backward_x", "linear_bf16_backward_w"),
)
_ATTENTION = ("attention", "causal_attention", "causal_attention_backward")
BY_OPERATIONS = frozenset((*_PRODUCTS, *_ATTENTION))
"""Ops whose time goes with their operations; that of others goes with bytes."""

KEYS = "keys"
"""Name of the run-time size that says how many keys a token sees on average."""


def batch_sizes(tokens: int, *, depth: int = 0, rows: int = 1) -> dict[str, int]:
    """Run-time sizes of a batch of one sequence that comes after `depth` tokens."""
    return {"T": tokens, "R": rows, KEYS: depth + (tokens + 1) // 2}


def node_cost(node: Node, sizes: Mapping[str, int]) -> Cost:
    """Operations and bytes of a node; attention over as many keys as there are, not as could be."""
    shapes = {name: concrete(t.shape, sizes) for name, t in node.inputs.items() if t is not None}
    if node.op.name == "attention" and KEYS in sizes:
        (_, G, C, D), L = shapes["v_SGCD"], shapes["k_SGPDL"][-1]
        C = min(C, sizes[KEYS])
        shapes |= {"v_SGCD": (1, G, C, D), "k_SGPDL": (1, G, -(-C // L), D, L)}
    return node.op.cost(shapes, node.specs, node.attributes)


def rates_key(backend: Backend, node: Node) -> str | None:
    """Under what a node's rates are kept: its kernel and the types of its inputs."""
    kernel = backend.kernel_name(node)
    if kernel is None:
        return None
    fixed = node.op.optional | set(node.op.types)
    types = [t.type.name for n, t in node.inputs.items() if t is not None and n not in fixed]
    return f"{kernel} {','.join(types)}"


def rows_of(node: Node, sizes: Mapping[str, int]) -> int:
    """Rows that a node works on: tokens of the batch, or those whose logits are wanted."""
    if node.op.inplace is not None:
        return sizes["T"]
    return concrete(node.output.shape[:1], sizes)[0]


def work_of(op: str, cost: Cost, tokens: int) -> float:
    """What one token needs, in the unit that a kernel's rates count."""
    return (cost.flops if op in BY_OPERATIONS else cost.bytes) / max(tokens, 1)


@dataclass(frozen=True)
class MachineCosts:
    """Times on this machine.

    rates: what has been measured. weights_bytes: of the model; they are read from memory where they
    do not fit the last cache. gflops and gbs: assumed, 1e9 operations and bytes a second, of
    kernels that were not measured.
    """

    rates: Rates = field(default_factory=Rates)
    weights_bytes: int = 0
    gflops: float = 100.0
    gbs: float = 20.0

    def seconds(self, backend: Backend, node: Node, sizes: Mapping[str, int]) -> float:
        """A node on a backend, its inputs being there."""
        known = backend.seconds(node, sizes)
        if known is not None:
            return known
        cost = node_cost(node, sizes)
        key = rates_key(backend, node)
        rates = self.rates.kernels.get(key) if key is not None else None
        if rates is None and (at_limits := backend.cost_seconds(cost)) is not None:
            return at_limits
        if rates is None:
            return 1e-6 + max(cost.flops / self.gflops, cost.bytes / self.gbs) / 1e9
        tokens = rows_of(node, sizes)
        work = work_of(node.op.name, cost, tokens)
        return rates.seconds(tokens, work, far=self.weights_bytes > self.rates.cache_bytes)

    def knows(self, backend: Backend, node: Node) -> bool:
        """Whether a node's time is measured, or told by its backend."""
        if backend.seconds(node, batch_sizes(1)) is not None:
            return True
        return rates_key(backend, node) in self.rates.kernels

    def copy_seconds(self, source: Backend, target: Backend, size_bytes: int) -> float:
        """Moving bytes from a backend's memory to another's, by way of the host."""
        told = (
            backend.copy_seconds(size_bytes, to_host=backend is source)
            for backend in (source, target)
            if backend.memory != HOST
        )
        here = size_bytes / (self.rates.copy_gbs or self.gbs) / 1e9
        return sum(here if seconds is None else seconds for seconds in told)
