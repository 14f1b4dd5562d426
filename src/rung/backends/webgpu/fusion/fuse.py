"""Which groups of a list of nodes become one node, and where that may run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from rung import env, ops
from rung.backends.webgpu.fusion.group import Group
from rung.backends.webgpu.fusion.patterns import groups_at
from rung.backends.webgpu.fusion.places import Places
from rung.backends.webgpu.fusion.web import Web
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


def fuse(
    nodes: Sequence[Node], kept: Collection[Tensor], accepts: Accepts, places: Places
) -> list[Job]:
    """The nodes with groups of them fused, in an order that is right.

    kept: roots that something outside of these nodes reads. What `places` has moved must get memory
    of its own for this list.
    """
    web = Web(nodes, kept)
    index = {id(node): i for i, node in enumerate(nodes)}
    allowed = chosen()
    found: dict[int, Group] = {}
    taken: dict[int, int] = {}
    # Backwards: what ends later holds what ends earlier, as norm, product and cap do.
    for node in reversed(nodes):
        for group in groups_at(web, node):
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
