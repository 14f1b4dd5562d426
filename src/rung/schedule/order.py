"""The order of nodes: as the graph has them, but with few changes of engine."""

from __future__ import annotations

from heapq import heappop, heappush

from rung.graph.ir import Node, Tensor
from rung.schedule.place import Placements
from rung.schedule.problem import Problem


def order(problem: Problem, placed: Placements) -> list[Node]:
    """Nodes in an order that is right and stays on an engine while it has something to do.

    Among nodes that could run next, one of the current engine is taken first, then the one that is
    first in the graph. Where all nodes have one engine, the order stays as it is.
    """
    nodes = problem.graph.nodes
    before = _dependencies(nodes)
    waiting = [len(needed) for needed in before]
    after: list[list[int]] = [[] for _ in nodes]
    for index, needed in enumerate(before):
        for earlier in needed:
            after[earlier].append(index)
    engines = [placed[node].backend.engine.name for node in nodes]
    ready: dict[str, list[int]] = {name: [] for name in engines}
    for index, count in enumerate(waiting):
        if count == 0:
            heappush(ready[engines[index]], index)
    result: list[Node] = []
    current = ""
    while len(result) < len(nodes):
        if not ready.get(current):
            current = min((heap[0], name) for name, heap in ready.items() if heap)[1]
        index = heappop(ready[current])
        result.append(nodes[index])
        for later in after[index]:
            waiting[later] -= 1
            if waiting[later] == 0:
                heappush(ready[engines[later]], later)
    return result


def _dependencies(nodes: list[Node]) -> list[set[int]]:
    """For each node the earlier ones that make what it reads, or touch a state that it touches.

    Nodes that only read a state need not wait for each other.
    """
    made: dict[Tensor, int] = {}
    written: dict[Tensor, int] = {}
    read: dict[Tensor, list[int]] = {}
    result = []
    # What some node updates in place: mostly states.
    shared = {t.root for node in nodes for t in node.tensors if t.root.role == "state"}
    shared |= {node.output.root for node in nodes if node.op.inplace is not None}
    for index, node in enumerate(nodes):
        needed = {made[t.root] for t in node.tensors if t.root in made}
        writes = [tensor.root for tensor in node.written]
        for root in dict.fromkeys(t.root for t in node.tensors if t.root in shared):
            if root in written:
                needed.add(written[root])
            if root in writes:
                needed.update(read.pop(root, []))
                written[root] = index
            else:
                read.setdefault(root, []).append(index)
        made.update(dict.fromkeys(writes, index))
        result.append(needed - {index})
    return result
