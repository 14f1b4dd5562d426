"""Dead nodes: what nothing reads is not computed."""

from __future__ import annotations

from rung.graph.ir import Graph, Node


def drop_dead_nodes(graph: Graph) -> Graph:
    """Removes nodes whose output nothing reads, unless it is an output or updates a state."""
    wanted = {id(tensor.root) for tensor in graph.outputs}
    kept: list[Node] = []
    for node in reversed(graph.nodes):
        updates = node.op.inplace is not None or node.op.writes
        if updates or id(node.output.root) in wanted:
            kept.append(node)
            wanted |= {id(tensor.root) for tensor in node.tensors}
    alive = {id(t) for node in kept for t in (*node.tensors, node.output)}
    alive |= {id(t) for t in graph.outputs}
    alive |= {id(t.base) for t in graph.tensors.values() if id(t) in alive and t.base is not None}
    tensors = {name: t for name, t in graph.tensors.items() if id(t) in alive}
    result = Graph(graph.name, kept[::-1], tensors, list(graph.outputs))
    result.verify()
    return result
