"""The memory that a model needs to run, known from its graph before anything is allocated."""

from __future__ import annotations

from typing import NamedTuple

from rung.engine.options import Activations, CacheType
from rung.engine.runner import (
    MAX_TOKENS,
    build_decoder,
    build_graph,
    choose_activations,
)
from rung.formats.base import Checkpoint
from rung.graph.ir import concrete
from rung.schedule.memory import plan_memory


class MemoryNeed(NamedTuple):
    """Bytes of weights (mapped from the file), of keys and values, and of activations."""

    weights_bytes: int
    kv_cache_bytes: int
    activations_bytes: int

    @property
    def total_bytes(self) -> int:
        """All of them."""
        return sum(self)


def memory_need(
    checkpoint: Checkpoint,
    *,
    context_length: int,
    n_slots: int = 1,
    cache_type: CacheType | None = None,
    activations: Activations | None = None,
    max_tokens: int = MAX_TOKENS,
) -> MemoryNeed:
    """What `plan_model` with these numbers takes.

    Activations are those of a batch of `max_tokens` (or of all positions, if those are fewer).
    """
    decoder = build_decoder(
        checkpoint,
        n_slots=n_slots,
        context_length=context_length,
        cache_type=cache_type,
    )
    graph = build_graph(decoder, choose_activations(checkpoint, activations))
    tokens = min(max_tokens, n_slots * context_length)
    states = sum(
        tensor.type.size_bytes(concrete(tensor.shape, {})) for tensor in graph.of_role("state")
    )
    working = plan_memory(graph, {"T": tokens, "R": tokens}).size_bytes
    return MemoryNeed(checkpoint.size_bytes, states, working)
