"""Passes: each takes a graph and returns a better one that means the same, verified."""

from __future__ import annotations

from rung import ops
from rung.graph.ir import Graph, Node, Tensor


def drop_dead_nodes(graph: Graph) -> Graph:
    """Removes nodes whose output nothing reads, unless it is an output or updates a state."""
    wanted = {id(tensor.root) for tensor in graph.outputs}
    kept: list[Node] = []
    for node in reversed(graph.nodes):
        if node.op.inplace is not None or id(node.output.root) in wanted:
            kept.append(node)
            wanted |= {id(tensor.root) for tensor in node.tensors}
    alive = {id(t) for node in kept for t in (*node.tensors, node.output)}
    alive |= {id(t) for t in graph.outputs}
    alive |= {id(t.base) for t in graph.tensors.values() if id(t) in alive and t.base is not None}
    tensors = {name: t for name, t in graph.tensors.items() if id(t) in alive}
    result = Graph(graph.name, kept[::-1], tensors, list(graph.outputs))
    result.verify()
    return result


def _activation_group(weight: Tensor | None) -> int | None:
    """Values that share a scale in int8 activations for this weight; None to leave them float32."""
    if weight is None:
        return None
    if weight.type.name.startswith("i8_g") or weight.type.name in ("q8_0", "q4_0"):
        return weight.type.block
    return None


def quantize_activations(graph: Graph) -> Graph:
    """Rounds the input of products with i8_gN, q8_0 and q4_0 weights to the groups of the weight.

    Products then run in integers. An input that several products share is rounded once.
    """
    result = Graph(graph.name, [], dict(graph.tensors), list(graph.outputs))
    rounded: dict[tuple[int, int], Tensor] = {}
    for node in graph.nodes:
        weight = node.inputs.get("w_NK")
        group = _activation_group(weight) if node.op is ops.linear else None
        if group is None:
            result.nodes.append(node)
            continue
        x_TK = node.inputs["x_TK"]
        assert x_TK is not None
        key = (id(x_TK), group)
        if key not in rounded:
            name = f"{x_TK.name} rounded"
            rounded[key] = result.add(ops.quantize, x_TK, name=name, group=group)
        inputs = node.inputs | {"x_TK": rounded[key]}
        result.nodes.append(Node(node.op, inputs, node.attributes, node.output, node.name))
    result.verify()
    return result
