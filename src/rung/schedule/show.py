"""A plan in words: splits, nodes, causes, bytes copied, predicted times."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rung.backends.base import Launch
from rung.graph.ir import Node, Tensor
from rung.schedule.outline import Outline
from rung.schedule.plan import Plan
from rung.schedule.split import Copy, Split, Stage
from rung.schedule.units import size_text, time_text


def lines(plan: Plan, *, nodes: bool = True, outline: Outline | None = None) -> Iterator[str]:
    """The plan, a line a split and, with `nodes`, a line a node.

    outline: what devices start; a line is then a launch, where neighboring nodes may be one.
    """
    yield summary(plan, outline)
    launches = outline.stages if outline is not None else ((),) * len(plan.stages)
    splits: list[tuple[Stage, Split, tuple[Launch, ...]]] = [
        (stage, split, started)
        for stage, started in zip(plan.stages, launches, strict=True)
        for split in stage.splits
    ]
    number = 0
    for index, (stage, split, started) in enumerate(splits):
        copies = stage.copies if split is stage.splits[0] else ()
        if outline is not None and started:
            yield _launches_line(outline, index, split, copies, started)
            if nodes:
                yield from (_launch_line(outline, number, split, each) for each in started)
        else:
            yield split_line(plan, index, split, copies)
            if nodes:
                for place, node in enumerate(split.nodes, number):
                    yield node_line(plan, place, split, node)
        number += len(split.nodes)
    if plan.outputs:
        yield f"## END # {_inputs(plan, plan.outputs)}"


def summary(plan: Plan, outline: Outline | None = None) -> str:
    """Batch, splits, copies and predicted time in one line; with an outline dispatches, too."""
    splits = sum(len(stage.splits) for stage in plan.stages)
    seconds = plan.seconds if outline is None else outline.seconds
    started = outline.dispatches if outline is not None else 0
    dispatches = f", {_many(started, 'dispatch', 'dispatches')}" if started else ""
    copies = len(plan.copies)
    moved = f", {size_text(plan.copied_bytes)} copied in {_many(copies, 'copy', 'copies')}"
    return (
        f"{plan.problem.graph.name}, batch of {_many(plan.problem.sizes['T'], 'token')}: "
        f"{_many(len(plan.placed), 'node')} in {_many(splits, 'split')}"
        f"{dispatches}{moved if copies else ', nothing copied'}, predicted {time_text(seconds)}"
    )


def split_line(plan: Plan, index: int, split: Split, copies: tuple[Copy, ...]) -> str:
    """## SPLIT #3: blas # 1 inputs: [attn_norm-0 (8M)]"""
    seconds = sum(plan.problem.seconds(split.backend, node) for node in split.nodes)
    return (
        f"## SPLIT #{index}: {split.backend.name} # {_inputs(plan, copies)} # "
        f"{_many(len(split.nodes), 'node')}, {time_text(seconds)}"
    )


def _launches_line(
    outline: Outline,
    index: int,
    split: Split,
    copies: tuple[Copy, ...],
    launches: tuple[Launch, ...],
) -> str:
    """As split_line, with the dispatches that its nodes become."""
    seconds = sum(outline.launch_seconds(split.backend, launch) for launch in launches)
    dispatches = sum(launch.dispatches for launch in launches)
    return (
        f"## SPLIT #{index}: {split.backend.name} # {_inputs(outline.plan, copies)} # "
        f"{_many(len(split.nodes), 'node')}, {_many(dispatches, 'dispatch', 'dispatches')}, "
        f"{time_text(seconds)}"
    )


def _launch_line(outline: Outline, first: int, split: Split, launch: Launch) -> str:
    """node # 7 (NORM_QKV): Qrope-0 (8K) [webgpu cause; norm_qkv:f16/webgpu=1 for 9 nodes] …"""
    plan, node = outline.plan, launch.node
    sources = " ".join(_named(plan, tensor) for tensor in node.tensors)
    cause = plan.placed[split.nodes[launch.owner]].cause
    nodes = f" for {launch.steps} nodes" if launch.steps > 1 else ""
    starts = f" in {launch.dispatches} dispatches" if launch.dispatches != 1 else ""
    seconds = time_text(outline.launch_seconds(split.backend, launch))
    return (
        f"node #{first + launch.owner:3d} ({node.op.name.upper():>16s}): "
        f"{_named(plan, node.output)} [{split.backend.name} {cause}; {launch.kernel}{nodes}"
        f"{starts}] {seconds}: {sources}"
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


def facts(outline: Outline) -> dict[str, Any]:
    """The plan as plain values, for JSON."""
    plan = outline.plan
    problem = plan.problem
    return {
        "tokens": problem.sizes["T"],
        "predicted_s": outline.seconds,
        "dispatches": outline.dispatches,
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
                "launches": [
                    {
                        "node": split.nodes[launch.owner].name,
                        "op": launch.node.op.name,
                        "kernel": launch.kernel,
                        "nodes": launch.steps,
                        "dispatches": launch.dispatches,
                        "predicted_s": outline.launch_seconds(split.backend, launch),
                    }
                    for launch in launches
                ],
            }
            for stage, launches in zip(plan.stages, outline.stages, strict=True)
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
