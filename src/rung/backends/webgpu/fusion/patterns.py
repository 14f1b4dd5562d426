"""Groups that decoders have: a norm, the products that read it, and what follows them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rung import ops
from rung.backends.webgpu.fusion.attention import AttentionInputs
from rung.backends.webgpu.fusion.group import Group, is_plain, make_node, norm_inputs
from rung.backends.webgpu.fusion.web import Web
from rung.graph.ir import Node
from rung.registry import Op


def groups_at(web: Web, node: Node) -> Iterator[Group]:
    """What a node could be the last but one or the last of, the best first."""
    if node.op is ops.attention:
        parts = AttentionInputs.of(web, node)
        if parts is not None:
            yield from parts.groups(web)
    for op, rule in _RULES:
        if node.op is op:
            group = rule(web, node)
            if group is not None:
                yield group


def _mlp(web: Web, node: Node) -> Group | None:
    """norm_mlp: the norm, one product or two, and the activation."""
    gated = node.op is not ops.gelu
    names = ("gate_TF", "up_TF") if gated else ("x_TF",)
    found = [web.before(node.inputs[name], ops.linear) for name in names]
    products = [p for p in found if p is not None and is_plain(p)]
    if len(products) < len(names):
        return None
    norm = web.norm_before(products[0].inputs["x_TK"], products)
    if norm is None:
        return None
    inputs, attributes = norm_inputs(norm)
    for product, weight, bias in zip(products, ("w_FK", "up_FK"), ("b_F", "bup_F"), strict=False):
        inputs |= {weight: product.inputs["w_NK"], bias: product.inputs["b_N"]}
    attributes["activation"] = "silu" if node.op is ops.swiglu else "gelu"
    fused = make_node(ops.FUSED["norm_mlp"], inputs, attributes, node.output, node.name)
    return Group((norm, *products, node), fused)


def _product(web: Web, node: Node) -> Group | None:
    """norm_linear: a norm and the one product that reads it."""
    return _normed_product(web, node, node, 0.0)


def _capped(web: Web, node: Node) -> Group | None:
    """norm_linear with the cap of its output."""
    product = web.before(node.inputs["x_TD"], ops.linear)
    return _normed_product(web, product, node, node.attributes["cap"]) if product else None


def _normed_product(web: Web, product: Node, end: Node, cap: float) -> Group | None:
    if not is_plain(product):
        return None
    norm = web.norm_before(product.inputs["x_TK"], [product])
    if norm is None:
        return None
    inputs, attributes = norm_inputs(norm)
    inputs |= {"w_NK": product.inputs["w_NK"], "b_N": product.inputs["b_N"]}
    attributes["cap"] = cap
    fused = make_node(ops.FUSED["norm_linear"], inputs, attributes, end.output, end.name)
    return Group(tuple(dict.fromkeys((norm, product, end))), fused)


def _normed_sum(web: Web, node: Node) -> Group | None:
    """norm_add: what a norm makes, added to the stream."""
    norm = web.before(node.inputs["a_TD"], ops.rms_norm)
    if norm is None or node.inputs["b_TD"] is norm.output:
        return None
    inputs = norm.inputs | {"r_TD": node.inputs["b_TD"]}
    fused = make_node(ops.FUSED["norm_add"], inputs, norm.attributes, node.output, node.name)
    return Group((norm, node), fused)


_RULES: tuple[tuple[Op, Callable[[Web, Node], Group | None]], ...] = (
    *((op, _mlp) for op in (ops.swiglu, ops.geglu, ops.gelu)),
    (ops.linear, _product),
    (ops.softcap, _capped),
    (ops.add, _normed_sum),
)
