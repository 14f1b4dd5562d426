"""What a training step takes, told before anything is allocated."""

from __future__ import annotations

from rung import ops
from rung.graph.grad import differentiate
from rung.graph.ir import concrete
from rung.models.config import Config
from rung.models.trainable import CHUNK_ROWS, LOSS, TrainableDecoder, packed_weights
from rung.registry import Op
from rung.schedule.memory import plan_memory

CHEAP: tuple[Op, ...] = (ops.gelu, ops.swiglu_pair, ops.layer_norm, ops.rms_norm)
"""Ops that `recompute` computes twice: next to nothing beside a product of their output."""


def memory_bytes(
    config: Config,
    *,
    sequences: int,
    tokens: int,
    recompute: bool = False,
    chunk_rows: int = CHUNK_ROWS,
) -> dict[str, int]:
    """Bytes of a TrainStep with these options: parameters, gradients, moments, activations.

    For whoever looks for a batch that fits. Raises UsageError for a Config that cannot be trained.
    """
    decoder = TrainableDecoder(config, sequences=sequences, tokens=tokens, chunk_rows=chunk_rows)
    forward = decoder.build()
    names = packed_weights(config)
    again = CHEAP if recompute else ()
    graph = differentiate(forward, forward.tensors[LOSS], names, recompute=again).graph
    total = sum(
        t.type.size_bytes(concrete(t.shape, {})) for t in graph.of_role("state") if t.name in names
    )
    return {
        "parameters": total,
        "gradients": total,
        "moments": 2 * total,
        "activations": plan_memory(graph, {}).size_bytes,
    }
