"""Judging a model without sampling: the logits of given tokens, and perplexity.

Shapes: T tokens, V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from rung.engine.batch import Batch
from rung.engine.generate import Engine
from rung.engine.sampling import refuse_nonfinite
from rung.engine.sequence import check_ids
from rung.errors import UsageError


def logits(engine: Engine, ids: Sequence[int]) -> NDArray[np.float32]:
    """Logits [T, V] after each of `ids`, read from an empty cache.

    Raises ContextError for more ids than the context holds, UsageError for unknown ids or where no
    slot is free.
    """
    config = engine.runner.config
    check_ids(ids, config.vocab_size, engine.runner.context_length)
    result_TV = np.empty((len(ids), config.vocab_size), np.float32)
    start = 0
    with engine.borrowed_slot() as slot:
        for chunk_TV in _chunks(engine, slot, ids):
            result_TV[start : start + len(chunk_TV)] = chunk_TV
            start += len(chunk_TV)
    return result_TV


def perplexity(engine: Engine, ids: Sequence[int]) -> float:
    """exp of the mean of -log p(ids[t] | the ids before it), over t = 1 … T-1, in float64.

    Longer texts than the context are cut into windows of the context's length. A window begins with
    an empty cache and overlaps the last by one token, so that each token but the first is predicted
    once. Figures compare only at the same context length.

    Raises UsageError for fewer than two ids, unknown ids, or where no slot is free.
    """
    if len(ids) < 2:
        raise UsageError(f"perplexity needs at least 2 tokens to predict one, got {len(ids)}")
    C = engine.runner.context_length
    check_ids(ids, engine.runner.config.vocab_size, len(ids))
    total = 0.0
    with engine.borrowed_slot() as slot:
        for start in range(0, len(ids) - 1, C):
            targets = ids[start + 1 : start + C + 1]
            total += _surprise(engine, slot, ids[start : start + len(targets)], targets)
    return math.exp(total / (len(ids) - 1))


def _surprise(engine: Engine, slot: int, ids: Sequence[int], targets: Sequence[int]) -> float:
    """Sum of -log p(targets[t] | ids[: t + 1]), in nats."""
    rows = (row_V for chunk_TV in _chunks(engine, slot, ids) for row_V in chunk_TV)
    return sum(_cross_entropy(row_V, token) for row_V, token in zip(rows, targets, strict=True))


def _cross_entropy(logits_V: NDArray[np.float32], token: int) -> float:
    """-log softmax(logits_V)[token], in nats."""
    refuse_nonfinite(logits_V)
    shifted_V = logits_V.astype(np.float64)
    shifted_V -= shifted_V.max()
    return math.log(np.exp(shifted_V).sum()) - float(shifted_V[token])


def _chunks(engine: Engine, slot: int, ids: Sequence[int]) -> Iterator[NDArray[np.float32]]:
    """Logits of all ids, in chunks of the runner's max_tokens."""
    size = engine.runner.max_tokens
    for start in range(0, len(ids), size):
        chunk = list(ids[start : start + size])
        yield engine.forward(Batch.one(chunk, start=start, slot=slot, rows="all"))
