"""Placing nodes on backends, in four passes, each of which says why.

pin       a node follows the state it updates or reads, or else its largest weight
expand    a node without either goes where its inputs come from, or where its output is read
upgrade   a backend of higher priority takes a node from another, where it reads the same memory and
          is predicted to be faster
offload   a device takes a node of a large batch from the host although its weights must be copied,
          where that is predicted to be faster

Tensors need no pass of their own: an activation is where it is made, a view where its base is, a
weight without a home wherever it is read.
"""

from __future__ import annotations

from rung.backends.base import Backend
from rung.errors import BackendError
from rung.graph.ir import Node, Tensor
from rung.registry import is_pinned
from rung.schedule.problem import Placement, Problem
from rung.schedule.units import time_text

Placements = dict[Node, Placement]

# A node moves for a gain of more than this: predictions are not exact, and results differ in their
# last bits between backends.
_WORTH_IT = 0.97


def place(problem: Problem) -> Placements:
    """A backend for every node. Raises BackendError where a state is out of reach."""
    placed = pin(problem)
    placed = expand(problem, placed)
    placed = upgrade(problem, placed)
    return offload(problem, placed)


def pin(problem: Problem) -> Placements:
    """Nodes with weights or states, on the backend that holds them.

    A backend without a kernel for such a node leaves it to the host, which can read every weight. A
    state cannot be read elsewhere: then it is an error.
    """
    placed: Placements = {}
    for node in problem.graph.nodes:
        tensor = _anchor(problem, node)
        if tensor is None:
            continue
        home = problem.homes[tensor]
        if home.backend is problem.host or problem.supports(home.backend, node):
            placed[node] = Placement(home.backend, f"{tensor.name}: {home.cause}")
        elif tensor.role == "state":
            raise BackendError(
                f"{tensor.name} is on {home.backend.name}, which has no kernel for {node.op.name}; "
                "keep the cache on the host (--cache-on host)"
            )
        else:
            cause = f"{home.backend.name} has no kernel for it"
            placed[node] = _on_host(problem, node, cause)
    return placed


def _anchor(problem: Problem, node: Node) -> Tensor | None:
    """The state, or else the largest weight with a home, that a node must follow.

    A weight of which a node looks up a few rows does not hold it.
    """
    roots = [
        tensor.root
        for name, tensor in node.inputs.items()
        if tensor is not None
        and tensor.root in problem.homes
        and not (tensor.role == "weight" and name in node.op.touched)
    ]
    states = [t for t in roots if t.role == "state"]
    return max(states or roots, key=problem.size_bytes, default=None)


def expand(problem: Problem, placed: Placements) -> Placements:
    """The other nodes: down from their inputs, up from their readers, and what is left on the host.

    Of several backends that one takes a node which holds the most bytes of its inputs, or which is
    the first to read its output.
    """
    result = dict(placed)
    for node in problem.graph.nodes:
        if node not in result:
            _follow(problem, result, node, _sources(problem, result, node))
    for node in reversed(problem.graph.nodes):
        if node not in result:
            _follow(problem, result, node, _targets(problem, result, node))
    for node in problem.graph.nodes:
        if node not in result:
            result[node] = _on_host(problem, node, "nothing else decides")
    return result


def _sources(problem: Problem, placed: Placements, node: Node) -> dict[Backend, tuple[int, Tensor]]:
    """Bytes of a node's inputs by the backend that makes them, and the largest of each."""
    found: dict[Backend, tuple[int, Tensor]] = {}
    for root in dict.fromkeys(tensor.root for tensor in node.tensors):
        maker = problem.makers.get(root)
        if maker is not None and maker in placed:
            backend, size = placed[maker].backend, problem.size_bytes(root)
            known, largest = found.get(backend, (0, root))
            if size > problem.size_bytes(largest):
                largest = root
            found[backend] = (known + size, largest)
    return found


def _targets(problem: Problem, placed: Placements, node: Node) -> dict[Backend, tuple[int, Tensor]]:
    """Backends that read a node's output; the one that reads it first weighs most.

    What is made where it is first read need not be waited for elsewhere.
    """
    found: dict[Backend, tuple[int, Tensor]] = {}
    for index, reader in enumerate(problem.readers.get(node.output.root, [])):
        if reader in placed:
            found.setdefault(placed[reader].backend, (-index, reader.output))
    return found


def _follow(
    problem: Problem,
    placed: Placements,
    node: Node,
    weights: dict[Backend, tuple[int, Tensor]],
) -> None:
    """Places a node on the heaviest backend that supports it, if there is any."""
    by_weight = sorted(weights, key=lambda b: (-weights[b][0], problem.priority(b)))
    for backend in by_weight:
        if problem.supports(backend, node) and problem.has_weights(backend, node):
            placed[node] = Placement(backend, f"with {weights[backend][1].name}")
            return


def upgrade(problem: Problem, placed: Placements) -> Placements:
    """Moves nodes to backends of higher priority that read the same memory and are faster.

    Times must be measured on both; what RUNG_PIN names, and what updates a state, stays.
    """
    result = dict(placed)
    for node, placement in placed.items():
        here = placement.backend
        if _holds_state(node) or is_pinned(node.op, here.name):
            continue
        for other in problem.backends[: problem.priority(here)]:
            if not (other.accepts(here.memory) and problem.supports(other, node)):
                continue
            if not other.wants_offload(node, problem.sizes):
                continue
            if not (problem.knows(other, node) and problem.knows(here, node)):
                continue
            there, stay = problem.seconds(other, node), problem.seconds(here, node)
            if there < stay * _WORTH_IT:
                cause = f"upgrade: {time_text(there)}, on {here.name} {time_text(stay)}"
                result[node] = Placement(other, cause)
                break
    return result


def offload(problem: Problem, placed: Placements) -> Placements:
    """Moves products with weights on the host to a device where that is faster, copies counted."""
    result = dict(placed)
    for node, placement in placed.items():
        here = placement.backend
        if not problem.is_on_host(here) or _holds_state(node):
            continue
        for other in problem.backends:
            if problem.is_on_host(other) or not other.wants_offload(node, problem.sizes):
                continue
            if not problem.supports(other, node):
                continue
            moved = sum(problem.size_bytes(t.root) for t in (*node.tensors, node.output))
            copying = problem.costs.copy_seconds(here, other, moved)
            there, stay = problem.seconds(other, node) + copying, problem.seconds(here, node)
            if there < stay:
                cause = f"offload: {time_text(there)} with copies, on {here.name} {time_text(stay)}"
                result[node] = Placement(other, cause)
                break
    return result


def _holds_state(node: Node) -> bool:
    return any(tensor.root.role == "state" for tensor in node.tensors)


def _on_host(problem: Problem, node: Node, cause: str) -> Placement:
    """The host, which has a kernel for everything; compiling says where it has not."""
    return Placement(problem.host, cause)
