"""Layers of nodes, and names that stand for those of several layers."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from rung.graph.ir import Node

_NUMBER = re.compile(r"(?<=^blk\.)\d+(?=\.)|(?<=-)\d+(?=$| )")


def layer_of(node: Node) -> int | None:
    """The layer that a node belongs to, None for one that serves all of them.

    What is computed from the graph's inputs alone serves all, whatever number its name ends in.
    """
    roots = [tensor.root for tensor in node.tensors]
    if not any(t.role in ("activation", "state") or t.name.startswith("blk.") for t in roots):
        return None
    return number_in(node.name)


def number_in(name: str) -> int | None:
    """The layer in a name: 3 in Qcur-3, in blk.3.attn_q.weight, in `attn_norm-3 rounded`."""
    match = _NUMBER.search(name)
    return int(match[0]) if match else None


def renumbered(name: str, text: Callable[[int], str]) -> str:
    """A name with another text for the layer in it."""
    return _NUMBER.sub(lambda match: text(int(match[0])), name, count=1)


def bare(name: str) -> str:
    """A name without its layer: Qcur, attn_q.weight."""
    return renumbered(name, lambda _: "").replace("blk..", "").replace("- ", " ").removesuffix("-")


def ranges(numbers: Sequence[int]) -> str:
    """Ascending numbers in few letters: 0–2, 5."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] + 1 == number:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]}–{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)


def progression(numbers: Sequence[int]) -> str:
    """Numbers that grow by equal steps: 3, or 3…12."""
    return f"{numbers[0]}" if len(numbers) == 1 else f"{numbers[0]}…{numbers[-1]}"
