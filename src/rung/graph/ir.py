"""Graph: nodes in order, each an op on tensors; verify and print.

T tokens and R rows that need logits are symbols: their sizes are known only when a batch runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from rung.errors import GraphError
from rung.registry import Cost, Op, TensorSpec
from rung.storage import F32, StorageType


@dataclass(frozen=True)
class Symbol:
    """A size that is known only at run time."""

    name: str

    def __repr__(self) -> str:
        return self.name


T = Symbol("T")
R = Symbol("R")

Size = int | Symbol
Shape = tuple[Size, ...]
Role = Literal["weight", "input", "state", "activation"]


def concrete(shape: Shape, sizes: Mapping[str, int]) -> tuple[int, ...]:
    """A shape with its symbols replaced by sizes."""
    return tuple(sizes[size.name] if isinstance(size, Symbol) else size for size in shape)


@dataclass(eq=False)
class Tensor:
    """A value in a graph. A view has a `base`, whose memory it shares from the start on."""

    name: str
    shape: Shape
    type: StorageType
    role: Role
    base: Tensor | None = None

    @property
    def root(self) -> Tensor:
        """The tensor whose memory this one uses."""
        return self if self.base is None else self.base.root

    @property
    def spec(self) -> TensorSpec:
        """Shape and type, for kernels to accept or refuse."""
        return TensorSpec(self.shape, self.type)

    def __str__(self) -> str:
        sizes = "×".join(str(size) for size in self.shape)
        return f"{self.name} {self.type.name}[{sizes}]"


@dataclass(eq=False)
class Node:
    """One op: inputs by parameter name (None for an optional one), attributes, its output."""

    op: Op
    inputs: dict[str, Tensor | None]
    attributes: dict[str, Any]
    output: Tensor
    name: str

    @property
    def tensors(self) -> list[Tensor]:
        """The inputs that are there."""
        return [tensor for tensor in self.inputs.values() if tensor is not None]

    @property
    def written(self) -> list[Tensor]:
        """What it writes: its output, and inputs that it updates besides."""
        updated = (self.inputs[name] for name in self.op.writes)
        return [self.output, *(tensor for tensor in updated if tensor is not None)]

    @property
    def specs(self) -> dict[str, TensorSpec | None]:
        """Input specs by parameter name."""
        return {name: t.spec if t is not None else None for name, t in self.inputs.items()}

    def cost(self, sizes: Mapping[str, int]) -> Cost:
        """Operations and bytes of a run of these sizes."""
        shapes = {name: concrete(t.shape, sizes) for name, t in self.inputs.items() if t}
        return self.op.cost(shapes, self.specs, self.attributes)

    @property
    def signature(self) -> tuple[object, ...]:
        """Equal for nodes that any kernel treats alike: op, shapes, types and attributes."""
        inputs = tuple(
            (t.shape, t.type.name) if t is not None else None for t in self.inputs.values()
        )
        return (self.op.name, inputs, tuple(self.attributes.items()))

    def __str__(self) -> str:
        arguments = ", ".join(t.name if t is not None else "-" for t in self.inputs.values())
        extra = "".join(f", {key}={value}" for key, value in self.attributes.items())
        update = " (in place)" if self.op.inplace else ""
        return f"{self.output} = {self.op.name}({arguments}{extra}){update}"


@dataclass
class Graph:
    """Nodes in execution order, and the tensors that enter and leave."""

    name: str
    nodes: list[Node] = field(default_factory=list)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    outputs: list[Tensor] = field(default_factory=list)

    def tensor(
        self,
        name: str,
        shape: Shape,
        role: Role,
        kind: StorageType = F32,
        base: Tensor | None = None,
    ) -> Tensor:
        """A new tensor; its name must be new."""
        if name in self.tensors:
            raise GraphError(f"{self.name}: tensor {name} exists already")
        created = Tensor(name, shape, kind, role, base)
        self.tensors[name] = created
        return created

    def view(self, tensor: Tensor, shape: Shape) -> Tensor:
        """The same values in another shape."""
        sizes = "×".join(str(size) for size in shape)
        return self.tensor(f"{tensor.name} as {sizes}", shape, tensor.role, tensor.type, tensor)

    def add(self, op: Op, *inputs: Tensor | None, name: str, **attributes: Any) -> Tensor:
        """Appends a node and returns its output, named after the node."""
        given = dict(zip(op.inputs, inputs, strict=False))
        for parameter in op.inputs[len(inputs) :]:
            given[parameter] = None
        shapes = {key: t.shape if t is not None else None for key, t in given.items()}
        try:
            shape = op.infer(shapes)
        except ValueError as error:
            raise GraphError(f"{self.name}: node {name}: {error}") from None
        if op.inplace is not None:
            updated = given[op.inplace]
            assert updated is not None
            output = self.tensor(name, shape, updated.role, updated.type, updated)
        else:
            output = self.tensor(name, shape, "activation", op.out_type(attributes))
        self.nodes.append(Node(op, given, attributes, output, name))
        return output

    def of_role(self, role: Role) -> list[Tensor]:
        """Tensors of a role that own their memory."""
        return [t for t in self.tensors.values() if t.role == role and t.base is None]

    def verify(self) -> None:
        """Raises GraphError unless shapes, types, order and names are all consistent."""
        made: set[int] = {id(t) for t in self.tensors.values() if t.role != "activation"}
        made -= {id(node.output) for node in self.nodes}
        for node in self.nodes:
            self._verify_node(node, made)
            made.add(id(node.output))
        for output in self.outputs:
            if id(output.root if output.base is not None else output) not in made:
                raise GraphError(f"{self.name}: output {output.name} is never computed")
        used = {id(t) for node in self.nodes for t in (*node.tensors, node.output)}
        used |= {id(t) for t in self.outputs} | {id(t.root) for t in self.outputs}
        used |= {id(t.base) for t in self.tensors.values() if t.base is not None}
        for tensor in self.tensors.values():
            if id(tensor) not in used:
                raise GraphError(f"{self.name}: tensor {tensor.name} dangles")

    def _verify_node(self, node: Node, made: set[int]) -> None:
        where = f"{self.name}: node {node.name} ({node.op.name})"
        for tensor in (*node.tensors, node.output):
            if self.tensors.get(tensor.name) is not tensor:
                raise GraphError(f"{where}: {tensor.name} is not a tensor of this graph")
        present = ((name, t) for name, t in node.inputs.items() if t is not None)
        for parameter, tensor in present:
            source = tensor
            while id(source) not in made and source.base is not None:
                source = source.base
            if id(source) not in made:
                raise GraphError(f"{where}: {tensor.name} is read before it is computed")
            expected = node.op.types.get(parameter)
            if expected is not None and tensor.type is not expected:
                raise GraphError(f"{where}: {parameter} is {tensor.type}, expected {expected}")
            if tensor.base is not None and _count(tensor) != _count(tensor.base):
                raise GraphError(f"{where}: view {tensor.name} is not as large as its base")
        for tensor in node.written:
            if tensor.root.role in ("weight", "input"):
                raise GraphError(
                    f"{where}: updates {tensor.root.name}, which is neither state nor activation"
                )
        if set(node.attributes) != set(node.op.attributes):
            raise GraphError(
                f"{where}: attributes {sorted(node.attributes)}, "
                f"expected {sorted(node.op.attributes)}"
            )
        try:
            shape = node.op.infer({k: t.shape if t else None for k, t in node.inputs.items()})
        except ValueError as error:
            raise GraphError(f"{where}: {error}") from None
        if shape != node.output.shape:
            raise GraphError(f"{where}: output is {node.output.shape}, expected {shape}")

    def __str__(self) -> str:
        lines = [f"graph {self.name}: {len(self.nodes)} nodes"]
        lines += [f"  {index:4d}  {node}" for index, node in enumerate(self.nodes)]
        lines.append("  outputs: " + ", ".join(str(output) for output in self.outputs))
        return "\n".join(lines)


def _count(tensor: Tensor) -> tuple[int, list[str]]:
    """Number of values: the product of the known sizes, and the symbols."""
    product, symbols = 1, []
    for size in tensor.shape:
        if isinstance(size, Symbol):
            symbols.append(size.name)
        else:
            product *= size
    return product, sorted(symbols)
