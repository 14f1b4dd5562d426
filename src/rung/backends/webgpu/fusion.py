"""Fusion: neighbors in a program's list become one node, where the GPU has a kernel for it.

A start of a kernel that waits for the one before costs a GPU some 2 µs (H200), the time in which
it reads 8 MB of weights. Tensors between the fused nodes are then never written, so nothing else
may read them: neither another node, nor another program, nor whoever runs the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rung import env, ops
from rung.errors import UsageError
from rung.graph.ir import Node, Tensor
from rung.registry import Op

Accepts = Callable[[Node], bool]
"""Whether there is a kernel for a node and its weights, for the run at hand."""


@dataclass(frozen=True)
class Job:
    """A node to compute, in the place of so many steps; its time counts for the step `owner`."""

    node: Node
    owner: int
    steps: int = 1


@dataclass(frozen=True)
class _Group:
    """Nodes and what takes their place."""

    members: tuple[Node, ...]
    node: Node


class _Web:
    """Who makes and who reads what, in a list of nodes."""

    def __init__(self, nodes: Sequence[Node], kept: Collection[Tensor]) -> None:
        self._makers = {id(node.output): node for node in nodes}
        self._readers: dict[Tensor, list[Node]] = {}
        self._kept = kept
        for node in nodes:
            for root in dict.fromkeys(tensor.root for tensor in node.tensors):
                self._readers.setdefault(root, []).append(node)

    def maker(self, tensor: Tensor | None, *wanted: Op) -> Node | None:
        """The node that makes a tensor or what it is a view of, if it is one of these ops."""
        while tensor is not None and id(tensor) not in self._makers:
            tensor = tensor.base
        found = self._makers[id(tensor)] if tensor is not None else None
        return found if found is not None and found.op in wanted else None

    def readers(self, tensor: Tensor) -> list[Node]:
        """The nodes that read a tensor in whatever shape; none where others may read it, too."""
        root = tensor.root
        return [] if root in self._kept else self._readers.get(root, [])

    def before(self, tensor: Tensor | None, *wanted: Op) -> Node | None:
        """As maker, where a single node reads what it makes."""
        found = self.maker(tensor, *wanted)
        return found if found is not None and len(self.readers(found.output)) == 1 else None


def chosen() -> dict[str, Op]:
    """The fused ops that RUNG_GPU_FUSE leaves. Raises UsageError where it makes no sense."""
    text = env.GPU_FUSE.get().replace(" ", "")
    if text == "none":
        return {}
    left = dict(ops.FUSED)
    for word in filter(None, text.split(",")):
        if not word.startswith("-") or left.pop(word[1:], None) is None:
            known = ", ".join(f"-{name}" for name in ops.FUSED)
            raise UsageError(f"RUNG_GPU_FUSE: {word!r} is not one of {known} or none")
    return left


class Places:
    """What memory tensors lie in, and which of them shall have some of their own.

    of: what a tensor lies in; two that have something in common share it. free: roots that may be
    moved to other memory. moved: those that shall be.
    """

    def __init__(
        self, of: Callable[[Tensor], frozenset[int]], free: Collection[Tensor] = ()
    ) -> None:
        self._of = of
        self._free = free
        self.moved: set[Tensor] = set()

    def of(self, roots: Iterable[Tensor]) -> frozenset[int]:
        """The memory of all of these."""
        found = ((-id(root),) if root in self.moved else self._of(root) for root in roots)
        return frozenset(place for places in found for place in places)

    def separate(self, roots: Collection[Tensor]) -> bool:
        """Whether none of these shares memory with another, with some of them moved if need be."""
        if self._are_apart(roots):
            return True
        self.moved.update(root for root in roots if root in self._free)
        return self._are_apart(roots)

    def _are_apart(self, roots: Collection[Tensor]) -> bool:
        return sum(len(self.of([root])) for root in roots) == len(self.of(roots))


def fuse(
    nodes: Sequence[Node], kept: Collection[Tensor], accepts: Accepts, places: Places
) -> list[Job]:
    """The nodes with groups of them fused, in an order that is right.

    kept: roots that something outside of these nodes reads. What `places` has moved must get memory
    of its own for this list.
    """
    web = _Web(nodes, kept)
    index = {id(node): i for i, node in enumerate(nodes)}
    allowed = chosen()
    found: dict[int, _Group] = {}
    taken: dict[int, int] = {}
    # Backwards: what ends later holds what ends earlier, as norm, product and cap do.
    for node in reversed(nodes):
        for group in _groups(web, node):
            members = {index[id(member)] for member in group.members}
            if (
                group.node.op.name not in allowed
                or members & taken.keys()
                or not accepts(group.node)
            ):
                continue
            at = _position(nodes, members, taken, group.node, places)
            if at is not None:
                taken |= dict.fromkeys(members, at)
                found[at] = group
    jobs = []
    for i, node in enumerate(nodes):
        if i in found:
            members_here = found[i].members
            owner = next((m for m in members_here if m.op is ops.linear), members_here[-1])
            jobs.append(Job(found[i].node, index[id(owner)], len(members_here)))
        elif i not in taken:
            jobs.append(Job(node, i))
    return jobs


def _position(
    nodes: Sequence[Node],
    members: set[int],
    taken: Mapping[int, int],
    fused: Node,
    places: Places,
) -> int | None:
    """Where a fused node may run: in the place of its last member, of its first, or nowhere.

    taken: where nodes run that belong to other groups.

    Memory is shared by tensors whose lives do not meet, and lives change here: what the fused node
    reads must still be there, and what it writes must not lie on what others still need.
    """
    first, last = min(members), max(members)
    # What was fused to a node that runs before is not between any more.
    others = [i for i in range(first, last) if i not in members and taken.get(i, i) >= first]
    written = {tensor.root for tensor in fused.written}
    read = {tensor.root for tensor in fused.tensors} - written
    if any(i in taken for i in others) or not places.separate(read | written):
        return None
    made = {nodes[i].output.root for i in members}
    between = [nodes[i] for i in others]
    used, targets = places.of(read | written), places.of(written)

    def allows_late(node: Node) -> bool:
        root = node.output.root
        reads_made = any(tensor.root in made for tensor in node.tensors)
        return not reads_made and (root in read or not places.of([root]) & used)

    def allows_early(node: Node) -> bool:
        roots = {tensor.root for tensor in (*node.tensors, node.output)}
        return node.output.root not in read and not places.of(roots - written) & targets

    if all(allows_late(node) for node in between):
        return last
    return first if all(allows_early(node) for node in between) else None


def _groups(web: _Web, node: Node) -> Iterator[_Group]:
    """What a node could be the last but one or the last of, the best first."""
    if node.op is ops.attention:
        parts = _AttentionInputs.of(web, node)
        if parts is not None:
            yield from parts.groups(web)
    for op, rule in _RULES:
        if node.op is op:
            group = rule(web, node)
            if group is not None:
                yield group


def _normed(web: _Web, x: Tensor | None, readers: Collection[Node]) -> Node | None:
    """The norm that makes x, where these nodes and no others read it."""
    norm = web.maker(x, ops.rms_norm, ops.layer_norm)
    if norm is None or {id(n) for n in web.readers(norm.output)} != {id(n) for n in readers}:
        return None
    return norm


def _norm_inputs(norm: Node) -> tuple[dict[str, Tensor | None], dict[str, Any]]:
    """Inputs and attributes that a fused op has in the place of a norm."""
    given = norm.inputs
    found = {"x_TK": given["x_TD"], "g_K": given["w_D"], "c_K": given.get("b_D")}
    return found, {"eps": norm.attributes["eps"]}


def _node(
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


def _is_plain(product: Node) -> bool:
    """Whether it adds nothing but a bias."""
    return product.inputs["r_TN"] is None and product.inputs["tiles_TK"] is None


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
    def of(web: _Web, tensor: Tensor | None) -> _Stream:
        assert tensor is not None
        rope = web.before(tensor, ops.rope)
        tensor = rope.inputs["x_THD"] if rope is not None else tensor
        norm = web.before(tensor, ops.head_norm)
        tensor = norm.inputs["x_THD"] if norm is not None else tensor
        assert tensor is not None
        return _Stream(tensor, norm, rope)


@dataclass(frozen=True)
class _AttentionInputs:
    """What stands before an attention: queries, and writes of keys and values."""

    attention: Node
    queries: _Stream
    keys: _Stream
    write_keys: Node
    write_values: Node

    @staticmethod
    def of(web: _Web, attention: Node) -> _AttentionInputs | None:
        """Found from an attention backwards; None where it is not as decoders have it."""
        keys = web.maker(attention.inputs["k_SGPDL"], ops.cache_write_keys)
        values = web.maker(attention.inputs["v_SGCD"], ops.cache_write)
        if keys is None or values is None:
            return None
        q = _Stream.of(web, attention.inputs["q_THD"])
        k = _Stream.of(web, keys.inputs["x_TGD"])
        found = _AttentionInputs(attention, q, k, keys, values)
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

    def groups(self, web: _Web) -> Iterator[_Group]:
        """norm_qkv; where that cannot be, norm_products and rotate_write."""
        values = self.write_values.inputs["x_TGD"]
        found = [web.before(t, ops.linear) for t in (self.queries.values, self.keys.values, values)]
        products = [p for p in found if p is not None and _is_plain(p)]
        norm = _normed(web, products[0].inputs["x_TK"], products) if len(products) == 3 else None
        if norm is not None:
            yield from self._with_products(norm, products)
        yield from self._with_writes()

    def _with_products(self, norm: Node, products: Sequence[Node]) -> Iterator[_Group]:
        """From the norm of the stream on, to the caches or only to the products' own outputs."""
        weights, eps = _norm_inputs(norm)
        for letters, product in zip(("q_N", "k_M", "v_M"), products, strict=True):
            name, letter = letters.split("_")
            weights[f"w{name}_{letter}K"] = product.inputs["w_NK"]
            weights[f"b{name}_{letter}"] = product.inputs["b_N"]
        inputs, attributes = self._inputs()
        output = self.attention.inputs["q_THD"]
        if self.queries.norm is None and output is not None:
            op = ops.FUSED["norm_qkv"]
            ends = (*self.queries.members, *self.keys.members, self.write_keys, self.write_values)
            node = _node(op, inputs | weights, attributes | eps, output, self.write_values.name)
            yield _Group((norm, *products, *ends), node)
        q, k, v = (product.output for product in products)
        op = ops.FUSED["norm_products"]
        node = _node(op, weights | {"k_TM": k, "v_TM": v}, eps, q, products[-1].name)
        yield _Group((norm, *products), node)

    def _with_writes(self) -> Iterator[_Group]:
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
        yield _Group(
            (*self.queries.members, *self.keys.members, *ends),
            _node(ops.FUSED["rotate_write"], inputs, attributes, output, self.write_values.name),
        )


def _mlp(web: _Web, node: Node) -> _Group | None:
    """norm_mlp: the norm, one product or two, and the activation."""
    gated = node.op is not ops.gelu
    names = ("gate_TF", "up_TF") if gated else ("x_TF",)
    found = [web.before(node.inputs[name], ops.linear) for name in names]
    products = [p for p in found if p is not None and _is_plain(p)]
    if len(products) < len(names):
        return None
    norm = _normed(web, products[0].inputs["x_TK"], products)
    if norm is None:
        return None
    inputs, attributes = _norm_inputs(norm)
    for product, weight, bias in zip(products, ("w_FK", "up_FK"), ("b_F", "bup_F"), strict=False):
        inputs |= {weight: product.inputs["w_NK"], bias: product.inputs["b_N"]}
    attributes["activation"] = "silu" if node.op is ops.swiglu else "gelu"
    fused = _node(ops.FUSED["norm_mlp"], inputs, attributes, node.output, node.name)
    return _Group((norm, *products, node), fused)


def _product(web: _Web, node: Node) -> _Group | None:
    """norm_linear: a norm and the one product that reads it."""
    return _normed_product(web, node, node, 0.0)


def _capped(web: _Web, node: Node) -> _Group | None:
    """norm_linear with the cap of its output."""
    product = web.before(node.inputs["x_TD"], ops.linear)
    return _normed_product(web, product, node, node.attributes["cap"]) if product else None


def _normed_product(web: _Web, product: Node, end: Node, cap: float) -> _Group | None:
    if not _is_plain(product):
        return None
    norm = _normed(web, product.inputs["x_TK"], [product])
    if norm is None:
        return None
    inputs, attributes = _norm_inputs(norm)
    inputs |= {"w_NK": product.inputs["w_NK"], "b_N": product.inputs["b_N"]}
    attributes["cap"] = cap
    fused = _node(ops.FUSED["norm_linear"], inputs, attributes, end.output, end.name)
    return _Group(tuple(dict.fromkeys((norm, product, end))), fused)


def _normed_sum(web: _Web, node: Node) -> _Group | None:
    """norm_add: what a norm makes, added to the stream."""
    norm = web.before(node.inputs["a_TD"], ops.rms_norm)
    if norm is None or node.inputs["b_TD"] is norm.output:
        return None
    inputs = norm.inputs | {"r_TD": node.inputs["b_TD"]}
    fused = _node(ops.FUSED["norm_add"], inputs, norm.attributes, node.output, node.name)
    return _Group((norm, node), fused)


_RULES: tuple[tuple[Op, Callable[[_Web, Node], _Group | None]], ...] = (
    *((op, _mlp) for op in (ops.swiglu, ops.geglu, ops.gelu)),
    (ops.linear, _product),
    (ops.softcap, _capped),
    (ops.add, _normed_sum),
)
