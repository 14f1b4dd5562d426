"""Layers in detail, as they are drawn: ops, the tensors between them, weights at the side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rung.backends.base import Backend
from rung.draw.fold import numbered_splits
from rung.draw.names import bare, layer_of, ranges
from rung.draw.overview import color_of
from rung.graph.ir import Node, Tensor
from rung.schedule.plan import Plan
from rung.schedule.units import size_text, time_text


@dataclass(frozen=True)
class Side:
    """What an op reads that no op of the layer makes. kind: weight, state or input."""

    kind: str
    lines: tuple[str, ...]
    copied: bool


@dataclass(frozen=True)
class OpBox:
    """An op, or where the layer is entered or left.

    output: name and size of what it makes. color: number of a backend's color, None for an end.
    """

    key: str
    lines: tuple[str, ...]
    output: str
    color: int | None = None
    cause: str = ""
    sides: tuple[Side, ...] = ()


@dataclass(frozen=True)
class Link:
    """A tensor from the box that makes it to one that reads it, perhaps by way of a copy."""

    source: str
    target: str
    copied: bool


@dataclass(frozen=True)
class LayerDrawing:
    """One layer, which stands for all of its kind."""

    title: str
    boxes: tuple[OpBox, ...]
    links: tuple[Link, ...]


def layer_drawings(plan: Plan) -> list[LayerDrawing]:
    """A drawing for each kind of layer: those of one kind have equal ops, backends and types."""
    by_layer: dict[int, list[Node]] = {}
    for node in plan.problem.graph.nodes:
        if (layer := layer_of(node)) is not None:
            by_layer.setdefault(layer, []).append(node)
    kinds: dict[object, list[int]] = {}
    for layer in sorted(by_layer):
        kinds.setdefault(_kind(plan, by_layer[layer]), []).append(layer)
    # The last layer of a kind is drawn: the first may take over from other backends.
    return [_Drawing(plan, layers, by_layer[layers[-1]]).drawn() for layers in kinds.values()]


def _kind(plan: Plan, nodes: Sequence[Node]) -> object:
    return tuple(
        (
            bare(node.name),
            node.op.name,
            plan.placed[node].backend.name,
            tuple((tensor.shape, tensor.type.name) for tensor in node.tensors),
        )
        for node in nodes
    )


class _Drawing:
    """Boxes and links of one layer."""

    def __init__(self, plan: Plan, layers: Sequence[int], nodes: Sequence[Node]) -> None:
        self._plan = plan
        self._layers = layers
        self._nodes = nodes
        self._keys = {node.output: f"op{index}" for index, node in enumerate(nodes)}
        # What the first node reads of others is the stream that the layer is entered by.
        self._entries = {
            tensor.root: f"enter{index}"
            for index, tensor in enumerate(nodes[0].tensors)
            if tensor.root.role == "activation"
        }
        self._copied = {(copy.tensor, copy.target.memory) for copy in plan.copies}
        self._splits = {
            node: numbered.number
            for numbered in numbered_splits(plan)
            for node in numbered.split.nodes
        }

    def drawn(self) -> LayerDrawing:
        boxes = [
            OpBox(key, (self._origin(tensor),), self._named(tensor))
            for tensor, key in self._entries.items()
        ]
        links: list[Link] = []
        for node in self._nodes:
            boxes.append(self._box(node))
            backend = self._plan.placed[node].backend
            for source in dict.fromkeys(self._source(tensor) for tensor in node.tensors):
                if source is not None:
                    key, root = source
                    links.append(Link(key, self._keys[node.output], self._is_copied(root, backend)))
        for node in self._nodes:
            if readers := self._readers_beyond(node):
                key = f"leave{self._keys[node.output]}"
                boxes.append(OpBox(key, (self._destination(readers),), ""))
                copied = any(
                    self._is_copied(node.output.root, self._plan.placed[reader].backend)
                    for reader in readers
                )
                links.append(Link(self._keys[node.output], key, copied))
        return LayerDrawing(self._title(), tuple(boxes), tuple(links))

    def _title(self) -> str:
        backends = dict.fromkeys(self._plan.placed[node].backend.name for node in self._nodes)
        text = f"layer{'s' if len(self._layers) > 1 else ''} {ranges(self._layers)}"
        drawn = f"; drawn is layer {self._layers[-1]}" if len(self._layers) > 1 else ""
        return f"{text} on {', '.join(backends)}{drawn}"

    def _box(self, node: Node) -> OpBox:
        placement = self._plan.placed[node]
        seconds = time_text(self._plan.problem.seconds(placement.backend, node))
        sides = [t for t in node.tensors if self._source(t) is None]
        return OpBox(
            self._keys[node.output],
            (node.op.name.upper(), f"{seconds}, split #{self._splits[node]}"),
            self._named(node.output),
            color_of(self._plan, placement.backend),
            f"{node.name}: {placement.backend.name}, {placement.cause}",
            self._sides(sides, placement.backend),
        )

    def _sides(self, tensors: Sequence[Tensor], backend: Backend) -> tuple[Side, ...]:
        """A box for each weight and state; what is small and read by all layers shares one."""
        sides, shared, copied = [], [], False
        for root in dict.fromkeys(tensor.root for tensor in tensors):
            is_copied = self._is_copied(root, backend)
            if root.role in ("weight", "state"):
                size = size_text(self._plan.problem.size_bytes(root))
                name = bare(root.name) if root.role == "weight" else root.name
                sides.append(Side(root.role, (name, f"{root.type.name}, {size}"), is_copied))
            else:
                shared.append(self._named(root))
                copied = copied or is_copied
        return (*sides, *([Side("input", tuple(shared), copied)] if shared else []))

    def _source(self, tensor: Tensor) -> tuple[str, Tensor] | None:
        """The box that makes a tensor, or what it is a view of; None for what is at the side."""
        here: Tensor | None = tensor
        while here is not None:
            if here in self._keys:
                return self._keys[here], here.root
            here = here.base
        return (self._entries[tensor.root], tensor.root) if tensor.root in self._entries else None

    def _is_copied(self, root: Tensor, backend: Backend) -> bool:
        return (root, backend.memory) in self._copied

    def _readers_beyond(self, node: Node) -> list[Node]:
        """Nodes of other layers, or of none, that read what a node makes."""
        if node.output.root.role != "activation":
            return []
        inside = set(self._nodes)
        readers = self._plan.problem.readers.get(node.output.root, [])
        return [reader for reader in readers if reader not in inside]

    def _origin(self, tensor: Tensor) -> str:
        maker = self._plan.problem.makers[tensor]
        layer = layer_of(maker)
        return f"from {maker.name}" if layer is None else f"from layer {layer}"

    def _destination(self, readers: Sequence[Node]) -> str:
        layers = sorted({layer for node in readers if (layer := layer_of(node)) is not None})
        names = [f"layer {ranges(layers)}"] if layers else []
        names += [node.name for node in readers if layer_of(node) is None]
        return f"to {', '.join(names)}"

    def _named(self, tensor: Tensor) -> str:
        root = tensor.root
        return f"{root.name} ({size_text(self._plan.problem.size_bytes(root))})"
