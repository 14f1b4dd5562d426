"""Tiles: inputs of products are packed in bfloat16 beside what they are, for many tokens."""

from __future__ import annotations

from rung import ops
from rung.graph.ir import Graph, Node, Tensor
from rung.storage import BF16_TILES, F32, Q8_S

# Weights that are expanded to bfloat16, by the type that few tokens have at their products.
EXPANDED = {
    Q8_S: frozenset(("i8", "q8_0", "q4_0", "q4_k", "q5_k", "q6_k")),
    F32: frozenset(("f16", "bf16")),
}


def _takes_tiles(node: Node) -> bool:
    x_TK, w_NK = node.inputs.get("x_TK"), node.inputs.get("w_NK")
    if node.op is not ops.linear or x_TK is None or w_NK is None:
        return False
    width = w_NK.shape[-1]
    assert isinstance(width, int)
    assert BF16_TILES.block is not None
    return w_NK.type.name in EXPANDED.get(x_TK.type, ()) and width % BF16_TILES.block == 0


def pack_activations(graph: Graph) -> Graph:
    """Gives products the tiles of their input as well; an input that several share once.

    Their kernels take those for many tokens, and the input itself for few.
    """
    result = Graph(graph.name, [], dict(graph.tensors), list(graph.outputs))
    packed: dict[int, Tensor] = {}
    for node in graph.nodes:
        if not _takes_tiles(node):
            result.nodes.append(node)
            continue
        x_TK = node.inputs["x_TK"]
        assert x_TK is not None
        if id(x_TK) not in packed:
            packed[id(x_TK)] = result.add(ops.pack_tiles, x_TK, name=f"{x_TK.name} in tiles")
        inputs = node.inputs | {"tiles_TK": packed[id(x_TK)]}
        result.nodes.append(Node(node.op, inputs, node.attributes, node.output, node.name))
    result.verify()
    return result
