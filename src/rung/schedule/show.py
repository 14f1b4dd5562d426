"""A plan in words: splits, nodes, causes, bytes copied, predicted times."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rung.graph.ir import Node, Tensor
from rung.schedule.plan import Plan
from rung.schedule.split import Copy, Split, Stage
from rung.schedule.units import size_text, time_text


def lines(plan: Plan, *, nodes: bool = True) -> Iterator[str]:
    """The plan, a line a split and, with `nodes`, a line a node."""
    yield summary(plan)
    splits: list[tuple[Stage, Split]] = [(s, split) for s in plan.stages for split in s.splits]
    number = 0
    for index, (stage, split) in enumerate(splits):
        copies = stage.copies if split is stage.splits[0] else ()
        yield split_line(plan, index, split, copies)
        for node in split.nodes:
            if nodes:
                yield node_line(plan, number, split, node)
            number += 1
    if plan.outputs:
        yield f"## END # {_inputs(plan, plan.outputs)}"


def summary(plan: Plan) -> str:
    """Batch, splits, copies and predicted time in one line."""
    splits = sum(len(stage.splits) for stage in plan.stages)
    copies = len(plan.copies)
    moved = f", {size_text(plan.copied_bytes)} copied in {_many(copies, 'copy', 'copies')}"
    return (
        f"{plan.problem.graph.name}, batch of {_many(plan.problem.sizes['T'], 'token')}: "
        f"{_many(len(plan.placed), 'node')} in {_many(splits, 'split')}"
        f"{moved if copies else ', nothing copied'}, predicted {time_text(plan.seconds)}"
    )


def split_line(plan: Plan, index: int, split: Split, copies: tuple[Copy, ...]) -> str:
    """## SPLIT #3: blas # 1 inputs: [attn_norm-0 (8M)]"""
    seconds = sum(plan.problem.seconds(split.backend, node) for node in split.nodes)
    return (
        f"## SPLIT #{index}: {split.backend.name} # {_inputs(plan, copies)} # "
        f"{_many(len(split.nodes), 'node')}, {time_text(seconds)}"
    )


def node_line(plan: Plan, number: int, split: Split, node: Node) -> str:
    """node # 35 ( LINEAR): Qcur-0 (8M) [blas upgrade …] 1.2 ms: attn_norm-0 (8M) …"""
    sources = " ".join(_named(plan, tensor) for tensor in node.tensors)
    cause = plan.placed[node].cause
    seconds = time_text(plan.problem.seconds(split.backend, node))
    return (
        f"node #{number:3d} ({node.op.name.upper():>16s}): {_named(plan, node.output)} "
        f"[{split.backend.name} {cause}] {seconds}: {sources}"
    )


def _inputs(plan: Plan, copies: tuple[Copy, ...]) -> str:
    named = " ".join(f"[{_named(plan, copy.tensor)}]" for copy in copies)
    return _many(len(copies), "input") + (f": {named}" if copies else "")


def _named(plan: Plan, tensor: Tensor) -> str:
    return f"{tensor.root.name} ({size_text(plan.problem.size_bytes(tensor.root))})"


def _many(count: int, one: str, more: str = "") -> str:
    return f"{count} {one if count == 1 else more or one + 's'}"


def facts(plan: Plan) -> dict[str, Any]:
    """The plan as plain values, for JSON."""
    problem = plan.problem
    return {
        "tokens": problem.sizes["T"],
        "predicted_s": plan.seconds,
        "copied_bytes": plan.copied_bytes,
        "splits": [
            {
                "backend": split.backend.name,
                "copies": [
                    _copy_facts(plan, copy)
                    for copy in (stage.copies if split is stage.splits[0] else ())
                ],
                "nodes": [
                    {
                        "name": node.name,
                        "op": node.op.name,
                        "cause": plan.placed[node].cause,
                        "predicted_s": problem.seconds(split.backend, node),
                        "inputs": [tensor.root.name for tensor in node.tensors],
                    }
                    for node in split.nodes
                ],
            }
            for stage in plan.stages
            for split in stage.splits
        ],
        "final_copies": [_copy_facts(plan, copy) for copy in plan.outputs],
    }


def _copy_facts(plan: Plan, copy: Copy) -> dict[str, Any]:
    return {
        "tensor": copy.tensor.name,
        "from": copy.source.memory,
        "to": copy.target.memory,
        "bytes": plan.problem.size_bytes(copy.tensor),
    }
