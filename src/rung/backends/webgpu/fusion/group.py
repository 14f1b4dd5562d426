"""A group of nodes that become one, and how that one is put together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rung.graph.ir import Node, Tensor
from rung.registry import Op


@dataclass(frozen=True)
class Group:
    """Nodes and what takes their place."""

    members: tuple[Node, ...]
    node: Node


def norm_inputs(norm: Node) -> tuple[dict[str, Tensor | None], dict[str, Any]]:
    """Inputs and attributes that a fused op has in the place of a norm."""
    given = norm.inputs
    found = {"x_TK": given["x_TD"], "g_K": given["w_D"], "c_K": given.get("b_D")}
    return found, {"eps": norm.attributes["eps"]}


def make_node(
    op: Op,
    inputs: Mapping[str, Tensor | None],
    attributes: Mapping[str, Any],
    output: Tensor,
    name: str,
) -> Node:
    """A node whose inputs and attributes are in the order of the op."""
    return Node(
        op,
        {parameter: inputs.get(parameter) for parameter in op.inputs},
        {attribute: attributes[attribute] for attribute in op.attributes},
        output,
        name,
    )


def is_plain(product: Node) -> bool:
    """Whether it adds nothing but a bias."""
    return product.inputs["r_TN"] is None and product.inputs["tiles_TK"] is None
