"""Rounding activations: products with weights of few bits run in integers."""

from __future__ import annotations

from rung import ops
from rung.graph.ir import Graph, Node, Tensor
from rung.registry import Op

# Weights whose products run in integers with activations in blocks of 32.
_IN_BLOCKS = frozenset(("i8", "q8_0", "q4_0", "q4_k", "q5_k", "q6_k"))


def _rounding(weight: Tensor | None) -> tuple[Op, dict[str, int]] | None:
    """The op, with its attributes, that rounds inputs for this weight; None to leave them."""
    if weight is None:
        return None
    if weight.type.name.startswith("i8_g"):
        assert weight.type.block is not None
        return ops.quantize, {"group": weight.type.block}
    width = weight.shape[-1]
    assert isinstance(width, int)
    if weight.type.name in _IN_BLOCKS and width % 32 == 0:
        return ops.quantize_blocks, {}
    return None


def quantize_activations(graph: Graph) -> Graph:
    """Rounds the input of products with int8 weights and with weights in blocks to int8.

    Products then run in integers. An input that several products share is rounded once.
    """
    result = Graph(graph.name, [], dict(graph.tensors), list(graph.outputs))
    rounded: dict[tuple[int, int], Tensor] = {}
    for node in graph.nodes:
        weight = node.inputs.get("w_NK")
        rounding = _rounding(weight) if node.op is ops.linear else None
        if rounding is None:
            result.nodes.append(node)
            continue
        op, attributes = rounding
        x_TK = node.inputs["x_TK"]
        assert x_TK is not None
        key = (id(x_TK), attributes.get("group", 0))
        if key not in rounded:
            rounded[key] = result.add(op, x_TK, name=f"{x_TK.name} rounded", **attributes)
        inputs = node.inputs | {"x_TK": rounded[key]}
        result.nodes.append(Node(node.op, inputs, node.attributes, node.output, node.name))
    result.verify()
    return result
