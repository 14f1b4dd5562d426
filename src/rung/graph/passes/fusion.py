"""Fusion: an op whose output is only rounded becomes one op with the rounding."""

from __future__ import annotations

from rung import ops
from rung.graph.ir import Graph, Node
from rung.registry import Op

_ROUNDED: dict[Op, Op] = {
    ops.rms_norm: ops.rms_norm_rounded,
    ops.layer_norm: ops.layer_norm_rounded,
    ops.swiglu: ops.swiglu_rounded,
    ops.geglu: ops.geglu_rounded,
    ops.gelu: ops.gelu_rounded,
}


def fuse_rounding(graph: Graph) -> Graph:
    """Joins quantize_blocks with the op before it, where nothing else reads that op's output.

    The op before stays, without readers, for drop_dead_nodes to take away.
    """
    result = Graph(graph.name, [], dict(graph.tensors), list(graph.outputs))
    makers = {id(node.output): node for node in graph.nodes}
    for node in graph.nodes:
        x = node.inputs.get("x_TK")
        before = makers.get(id(x)) if node.op is ops.quantize_blocks else None
        if before is None or before.op not in _ROUNDED or not _read_once(graph, before):
            result.nodes.append(node)
            continue
        fused = _ROUNDED[before.op]
        result.nodes.append(
            Node(fused, before.inputs, before.attributes, node.output, node.output.name)
        )
    result.verify()
    return result


def _read_once(graph: Graph, node: Node) -> bool:
    """Whether one node, and no view or output of the graph, reads what a node makes."""
    readers = [n for n in graph.nodes if any(t.root is node.output.root for t in n.tensors)]
    kept = any(tensor.root is node.output.root for tensor in graph.outputs)
    return len(readers) == 1 and not kept
