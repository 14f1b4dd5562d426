"""Who makes and who reads what, in a list of nodes."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from rung import ops
from rung.graph.ir import Node, Tensor
from rung.registry import Op


class Web:
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

    def norm_before(self, x: Tensor | None, readers: Collection[Node]) -> Node | None:
        """The norm that makes x, where these nodes and no others read it."""
        norm = self.maker(x, ops.rms_norm, ops.layer_norm)
        if norm is None or {id(n) for n in self.readers(norm.output)} != {id(n) for n in readers}:
            return None
        return norm
