"""From a forward graph with a scalar loss to one that also computes the gradients of its weights.

The rules stand with the ops (gradient.py of each family) and add nodes of ordinary ops. Gradients
of weights are states, which nodes update in place; those of activations are activations.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rung import ops
from rung.errors import GraphError
from rung.graph.ir import Graph, Node, Shape, Tensor
from rung.registry import Op

LOSS_GRADIENT = "loss_gradient"
"""The input by which every gradient is multiplied: 1, or less where batches are accumulated."""


@dataclass(frozen=True)
class Differentiated:
    """A graph with its backward pass, and the gradient's state by the name of each weight."""

    graph: Graph
    gradients: Mapping[str, Tensor]


class Backward:
    """The backward pass in the making: what rules call.

    Gradients of one tensor, from several nodes that read it, are added up: by the op that makes the
    next one where it can, by a node of its own where it cannot.
    """

    def __init__(self, graph: Graph, weights: Collection[str], *, accumulate: bool) -> None:
        self.graph = graph
        self.gradients: dict[str, Tensor] = {}
        self._weights = frozenset(weights)
        self._accumulate = accumulate
        self._of: dict[Tensor, Tensor] = {}  # by the tensor that owns the memory
        self._used: dict[str, int] = {}  # the last number of a name
        self._needed = self._reached()

    def _reached(self) -> set[Tensor]:
        """The tensors whose gradients matter: weights, and all that is computed from them."""
        reached = {t for t in self.graph.tensors.values() if t.name in self._weights}
        for node in self.graph.nodes:
            if any(tensor.root in reached for tensor in node.tensors):
                reached.add(node.output.root)
        return reached

    def add(self, op: Op, *inputs: Tensor | None, name: str, **attributes: Any) -> Tensor:
        """Appends a node of the backward pass and returns its output."""
        return self.graph.add(op, *inputs, name=name, **attributes)

    def give(self, x: Tensor, make: Callable[[Tensor | None, str], Tensor]) -> None:
        """A gradient of x from an op that adds another: make(gradient so far or None, name)."""
        if x.root not in self._needed:
            return
        known = self._of.get(x.root)
        so_far = None if known is None else self._as(known, x.shape)
        self._of[x.root] = make(so_far, self._name(x.root))

    def give_plain(self, x: Tensor, make: Callable[[str], Tensor]) -> None:
        """A gradient of x from an op that cannot add another: make(name)."""
        if x.root in self._needed:
            self.pass_on(x, make(self._name(x.root)))

    def pass_on(self, x: Tensor, gradient: Tensor) -> None:
        """A gradient of x that is there already."""
        if x.root not in self._needed:
            return
        known = self._of.get(x.root)
        if known is not None:
            rows = gradient.shape if len(gradient.shape) == 2 else (1, *_flat(gradient.shape))
            summands = (self._as(known, rows), self._as(gradient, rows))
            gradient = self.add(ops.add, *summands, name=self._name(x.root))
        self._of[x.root] = gradient

    def update(self, weight: Tensor, op: Op, *inputs: Tensor) -> None:
        """A weight's gradient by an op that writes it in place, and then adds to it."""
        if weight.name not in self._weights:
            if weight.root in self._needed:
                raise GraphError(f"{weight.name} is used as a weight, and is computed from weights")
            return
        add = self._accumulate or weight.name in self.gradients
        if weight.name not in self.gradients:
            name = f"{weight.name} gradient"
            state = self.graph.tensor(name, weight.shape, "state", weight.type)
            self.gradients[weight.name] = state
        gradient = self.gradients[weight.name]
        self.add(op, gradient, *inputs, name=self._free(f"d {weight.name}"), add=add)

    def of(self, tensor: Tensor) -> Tensor | None:
        """The gradient of a tensor, in its shape; None where nothing depends on it."""
        known = self._of.pop(tensor.root, None)
        return None if known is None else self._as(known, tensor.shape)

    def start(self, loss: Tensor) -> None:
        """The loss's own gradient, an input of the graph."""
        self._of[loss.root] = self.graph.tensor(LOSS_GRADIENT, loss.shape, "input")

    def _as(self, tensor: Tensor, shape: Shape) -> Tensor:
        """A tensor in another shape: itself, its base, or a view that may be there already."""
        if tensor.shape == shape:
            return tensor
        for view in self.graph.tensors.values():
            if view.base is tensor and view.shape == shape and view.type is tensor.type:
                return view
        return self.graph.view(tensor, shape)

    def _name(self, root: Tensor) -> str:
        return self._free(f"d {root.name}")

    def _free(self, name: str) -> str:
        """The name, with a number where there are several."""
        free = name
        while free in self.graph.tensors:
            self._used[name] = self._used.get(name, 1) + 1
            free = f"{name} ({self._used[name]})"
        return free


def _flat(shape: Shape) -> Shape:
    product = 1
    for size in shape:
        assert isinstance(size, int)
        product *= size
    return (product,)


def differentiate(
    forward: Graph,
    loss: Tensor,
    weights: Collection[str],
    *,
    accumulate: bool = False,
    recompute: Collection[Op] = (),
) -> Differentiated:
    """The graph with nodes for the gradients of the named weights after those of the loss.

    accumulate: gradients are added to what their states hold. recompute: ops whose outputs are
    computed once more where the backward pass reads them, and not kept until then. Raises
    GraphError for a node on the way whose op has no gradient.
    """
    graph = Graph(f"{forward.name} and back", list(forward.nodes), dict(forward.tensors))
    backward = Backward(graph, weights, accumulate=accumulate)
    backward.start(loss)
    for node in reversed(forward.nodes):
        dy = backward.of(node.output)
        if dy is None:
            continue
        if node.op.rule is None:
            raise GraphError(f"{graph.name}: {node.name}: {node.op.name} has no gradient")
        node.op.rule(backward, node, dy)
    missing = sorted(set(weights) - set(backward.gradients))
    if missing:
        raise GraphError(f"{graph.name}: the loss does not depend on {', '.join(missing)}")
    graph.outputs += [loss]
    count = len(forward.nodes)
    nodes = graph.nodes
    backwards = _recomputed(graph, nodes[:count], nodes[count:], recompute)
    graph.nodes = list(_by_demand(nodes[:count], backwards))
    used = {t for node in graph.nodes for t in (*node.tensors, node.output)}
    used |= {t.base for t in used if t.base is not None} | set(graph.outputs)
    graph.tensors = {name: t for name, t in graph.tensors.items() if t in used}
    graph.verify()
    return Differentiated(graph, backward.gradients)


def _recomputed(
    graph: Graph, forward: Sequence[Node], backwards: Sequence[Node], recompute: Collection[Op]
) -> list[Node]:
    """The backward nodes, with copies of forward nodes for what they read of these ops."""
    makers = {n.output: n for n in forward if n.op in recompute}
    again: dict[Tensor, Tensor] = {}
    result: list[Node] = []
    for node in backwards:
        inputs = dict(node.inputs)
        for name, tensor in node.inputs.items():
            maker = makers.get(tensor) if tensor is not None else None
            if maker is None or tensor is None:
                continue
            if tensor not in again:
                name_again = f"{maker.name} again"
                copy = graph.tensor(name_again, tensor.shape, "activation", tensor.type)
                result.append(Node(maker.op, maker.inputs, maker.attributes, copy, name_again))
                again[tensor] = copy
            inputs[name] = again[tensor]
        result.append(Node(node.op, inputs, node.attributes, node.output, node.name))
    return result


def _by_demand(forward: Sequence[Node], backwards: Sequence[Node]) -> Iterator[Node]:
    """Backward nodes in their order, each forward node where it is first needed.

    So the last chunk of logits is followed at once by its gradient, and the next one can take its
    memory. What is updated in place waits for all that read it before.
    """
    nodes = [*forward, *backwards]
    makers: dict[Tensor, int] = {}
    readers: dict[Tensor, list[int]] = {}
    needs: list[list[int]] = []
    for index, node in enumerate(nodes):
        roots = [tensor.root for tensor in node.tensors]
        needed = {makers[root] for root in roots if root in makers}
        for tensor in node.written:
            needed.update(readers.get(tensor.root, ()))
            makers[tensor.root] = index
        for root in roots:
            readers.setdefault(root, []).append(index)
        needs.append(sorted(needed - {index}))
    done = [False] * len(nodes)
    for wanted in [*range(len(forward), len(nodes)), *range(len(forward))]:
        waiting = [wanted]
        while waiting:
            index = waiting[-1]
            if done[index]:
                waiting.pop()
                continue
            missing = [need for need in reversed(needs[index]) if not done[need]]
            if missing:
                waiting += missing
                continue
            done[index] = True
            waiting.pop()
            yield nodes[index]
