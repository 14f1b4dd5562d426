"""Groups before an attention: the norm, products, rotations and writes to the cache."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rung import ops
from rung.backends.webgpu.fusion.group import Group, is_plain, make_node, norm_inputs
from rung.backends.webgpu.fusion.web import Web
from rung.graph.ir import Node, Tensor


@dataclass(frozen=True)
class _Stream:
    """How queries or keys come to be: values, normed or not, turned or not."""

    values: Tensor
    norm: Node | None
    rope: Node | None

    @property
    def members(self) -> tuple[Node, ...]:
        return tuple(node for node in (self.norm, self.rope) if node is not None)

    @staticmethod
    def of(web: Web, tensor: Tensor | None) -> _Stream:
        assert tensor is not None
        rope = web.before(tensor, ops.rope)
        tensor = rope.inputs["x_THD"] if rope is not None else tensor
        norm = web.before(tensor, ops.head_norm)
        tensor = norm.inputs["x_THD"] if norm is not None else tensor
        assert tensor is not None
        return _Stream(tensor, norm, rope)


@dataclass(frozen=True)
class AttentionInputs:
    """What stands before an attention: queries, and writes of keys and values."""

    attention: Node
    queries: _Stream
    keys: _Stream
    write_keys: Node
    write_values: Node

    @staticmethod
    def of(web: Web, attention: Node) -> AttentionInputs | None:
        """Found from an attention backwards; None where it is not as decoders have it."""
        keys = web.maker(attention.inputs["k_SGPDL"], ops.cache_write_keys)
        values = web.maker(attention.inputs["v_SGCD"], ops.cache_write)
        if keys is None or values is None:
            return None
        q = _Stream.of(web, attention.inputs["q_THD"])
        k = _Stream.of(web, keys.inputs["x_TGD"])
        found = AttentionInputs(attention, q, k, keys, values)
        return found if found._alike else None

    @property
    def _alike(self) -> bool:
        """Whether queries and keys are treated alike, and keys and values go to one place."""
        q, k = self.queries, self.keys
        same: list[tuple[Any, Any]] = [
            (q.norm is None, k.norm is None),
            (q.rope is None, k.rope is None),
        ]
        for a, b in ((q.norm, k.norm), (q.rope, k.rope)):
            if a is not None and b is not None:
                same.append((a.attributes, b.attributes))
        if q.rope is not None and k.rope is not None:
            same.append((q.rope.inputs["angles_TF"], k.rope.inputs["angles_TF"]))
        same += [
            (self.write_keys.inputs[name], self.write_values.inputs[name])
            for name in ("pos_T", "slot_T")
        ]
        return all(a == b for a, b in same)

    def _inputs(self) -> tuple[dict[str, Tensor | None], dict[str, Any]]:
        """What all fused ops take of it."""
        rope, norm = self.queries.rope, self.queries.norm
        inputs = {
            "pos_T": self.write_keys.inputs["pos_T"],
            "slot_T": self.write_keys.inputs["slot_T"],
            "cache_SGPDL": self.write_keys.inputs["cache_SGPDL"],
            "cache_SGCD": self.write_values.inputs["cache_SGCD"],
            "angles_TA": rope.inputs["angles_TF"] if rope is not None else None,
        }
        layout = rope.attributes["layout"] if rope is not None else "interleaved"
        return inputs, {"layout": layout, "eps": norm.attributes["eps"] if norm else 0.0}

    def groups(self, web: Web) -> Iterator[Group]:
        """norm_qkv; where that cannot be, norm_products and rotate_write."""
        values = self.write_values.inputs["x_TGD"]
        found = [web.before(t, ops.linear) for t in (self.queries.values, self.keys.values, values)]
        products = [p for p in found if p is not None and is_plain(p)]
        norm = web.norm_before(products[0].inputs["x_TK"], products) if len(products) == 3 else None
        if norm is not None:
            yield from self._with_products(norm, products)
        yield from self._with_writes()

    def _with_products(self, norm: Node, products: Sequence[Node]) -> Iterator[Group]:
        """From the norm of the stream on, to the caches or only to the products' own outputs."""
        weights, eps = norm_inputs(norm)
        for letters, product in zip(("q_N", "k_M", "v_M"), products, strict=True):
            name, letter = letters.split("_")
            weights[f"w{name}_{letter}K"] = product.inputs["w_NK"]
            weights[f"b{name}_{letter}"] = product.inputs["b_N"]
        inputs, attributes = self._inputs()
        output = self.attention.inputs["q_THD"]
        if self.queries.norm is None and output is not None:
            op = ops.FUSED["norm_qkv"]
            ends = (*self.queries.members, *self.keys.members, self.write_keys, self.write_values)
            node = make_node(op, inputs | weights, attributes | eps, output, self.write_values.name)
            yield Group((norm, *products, *ends), node)
        q, k, v = (product.output for product in products)
        op = ops.FUSED["norm_products"]
        node = make_node(op, weights | {"k_TM": k, "v_TM": v}, eps, q, products[-1].name)
        yield Group((norm, *products), node)

    def _with_writes(self) -> Iterator[Group]:
        """rotate_write: what comes after the products; where only the writes are left, none."""
        output = self.attention.inputs["q_THD"]
        if not self.queries.members or output is None:
            return
        inputs, attributes = self._inputs()
        inputs |= {
            "x_THD": self.queries.values,
            "k_TGD": self.keys.values,
            "v_TGD": self.write_values.inputs["x_TGD"],
            "gq_D": self.queries.norm.inputs["w_D"] if self.queries.norm else None,
            "gk_D": self.keys.norm.inputs["w_D"] if self.keys.norm else None,
        }
        ends = (self.write_keys, self.write_values)
        yield Group(
            (*self.queries.members, *self.keys.members, *ends),
            make_node(
                ops.FUSED["rotate_write"], inputs, attributes, output, self.write_values.name
            ),
        )
