"""A plan without running it: what would be where, copied and predicted; no weight is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Unpack

from rung.backends.base import Backend, Compiling
from rung.backends.choose import DeviceOptions, Devices, open_backends
from rung.engine.options import CacheType
from rung.engine.runner import (
    MAX_TOKENS,
    NO_WISHES,
    build_decoder,
    build_graph,
    checked_context,
    choose_activations,
    default_cache_type,
    most_tokens,
    multiplies_floats,
)
from rung.errors import UsageError
from rung.formats.base import Checkpoint
from rung.graph.ir import Graph, Tensor, concrete
from rung.schedule.costs import batch_sizes
from rung.schedule.homes import Wishes, find_homes, layer_count, wanted_layers
from rung.schedule.outline import Outline
from rung.schedule.plan import Plan, make_plan
from rung.schedule.problem import Home, Problem
from rung.tuning.file import apply_rates
from rung.tuning.probe import machine_costs


@dataclass(frozen=True)
class MemoryUse:
    """Bytes of one memory: weights, keys and values, activations and copies; how many there are.

    limit_bytes: None where that is not known, or there is no limit.
    """

    weights_bytes: int = 0
    cache_bytes: int = 0
    activations_bytes: int = 0
    limit_bytes: int | None = None

    @property
    def total_bytes(self) -> int:
        """All of them."""
        return self.weights_bytes + self.cache_bytes + self.activations_bytes


@dataclass(frozen=True)
class Draft:
    """Plans for some batch sizes, and what every memory would hold.

    outlines: the plans with what devices start. most_tokens: of one batch; longer prompts go in
    several.
    """

    plans: Mapping[int, Plan]
    outlines: Mapping[int, Outline]
    most_tokens: int
    memory: Mapping[str, MemoryUse]
    layers: int  # on the device
    all_layers: int


def draft(
    checkpoint: Checkpoint,
    batches: Sequence[int] = (),
    *,
    depth: int = 0,
    context_length: int | None = None,
    activations: str | None = None,
    cache_type: CacheType | None = None,
    wishes: Wishes = NO_WISHES,
    on_compile: Compiling | None = None,
    **devices: Unpack[DeviceOptions],
) -> Draft:
    """Plans for batches of so many tokens of one sequence, after `depth` others.

    batches: without any, one token and as many as there can be.
    Raises UsageError for batches that the model could not have, and for wishes that cannot be met.
    """
    context = checked_context(checkpoint, context_length)
    if not 0 <= depth < context:
        raise UsageError(f"depth is {depth}, expected 0 to {context - 1}")
    chosen_devices = Devices(**devices)
    on_gpu = chosen_devices.has_gpu
    taken = choose_activations(checkpoint, activations, on_gpu=on_gpu)
    floats = multiplies_floats(taken, wishes, checkpoint, on_gpu=on_gpu)
    backends = open_backends(chosen_devices, with_blas=floats)
    try:
        cache = cache_type or default_cache_type(checkpoint, backends)
        decoder = build_decoder(checkpoint, n_slots=1, context_length=context, cache_type=cache)
        graph = build_graph(decoder, taken)
        most = most_tokens(graph, backends, min(MAX_TOKENS, context))
        full = min(most, context - depth)
        for tokens in batches:
            if not 1 <= tokens <= full:
                raise UsageError(
                    f"a batch of {tokens} tokens, expected 1 to {full}: longer prompts go in "
                    "several batches"
                )
        constants = frozenset(decoder.constants)
        apply_rates(backends, chosen_devices)
        costs = machine_costs(backends, graph, on_compile=on_compile)
        layers = wanted_layers(graph, backends, wishes, constants)
        homes = find_homes(graph, backends, wishes, constants)
        plans = {
            tokens: make_plan(
                Problem(graph, backends, homes, batch_sizes(tokens, depth=depth), costs)
            )
            for tokens in batches or dict.fromkeys((1, full))
        }
        sizes = {"T": most, "R": most}
        outlines = {tokens: Outline.of(plan, sizes) for tokens, plan in plans.items()}
        for outline in outlines.values():
            # A device measures itself when first asked, while it is open.
            _ = outline.plan.seconds, outline.seconds
        memory = _memory(graph, backends, homes, plans, sizes)
    finally:
        for backend in backends:
            backend.close()
    return Draft(plans, outlines, most, memory, layers, layer_count(graph))


def _memory(
    graph: Graph,
    backends: Sequence[Backend],
    homes: Mapping[Tensor, Home],
    plans: Mapping[int, Plan],
    sizes: Mapping[str, int],
) -> dict[str, MemoryUse]:
    found: dict[str, list[int]] = {backend.memory: [0, 0, 0] for backend in backends}
    for kind, role in enumerate(("weight", "state")):
        for tensor in graph.of_role(role):  # type: ignore[arg-type]
            home = homes[tensor].backend if tensor in homes else backends[-1]
            found[home.memory][kind] += tensor.type.size_bytes(concrete(tensor.shape, sizes))
    for plan in plans.values():
        for memory, shared in plan.memory(sizes).items():
            found[memory][2] = max(found[memory][2], shared.size_bytes)
    limits = {backend.memory: backend.free_bytes() for backend in backends}
    return {
        memory: MemoryUse(weights, cache, activations, limits[memory])
        for memory, (weights, cache, activations) in found.items()
    }
