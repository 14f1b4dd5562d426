"""Choosing the next token where the logits are, and making the inputs of the step that reads it.

With these ops a device generates without the host: each chooses token ids from logits, and moves
the positions of the tokens that gave the logits on to those of the new ones.
"""

# T rows of logits, V vocabulary, C positions, P settings

from __future__ import annotations

from typing import Any

import numpy as np

from rung.registry import op
from rung.storage import I32

MOST_K = 64
"""The most candidates that `drawn_token` draws from."""

NOT_FINITE, TOO_MANY = -1, -2
"""Instead of an id: where a value is not finite, where there are more candidates than MOST_K."""

SETTINGS = 4
"""Temperature, top-k, top-p and min-p, in this order."""


def _make_greedy(rng: np.random.Generator, *, T: int, V: int, **case: Any) -> dict[str, Any]:
    x_TV = rng.standard_normal((T, V)).astype(np.float32) * 4
    if case.get("ties"):
        x_TV = np.round(x_TV)
    for t, wrong in case.get("wrong", ()):
        x_TV[t, rng.integers(V)] = wrong
    return {"x_TV": x_TV, "pos_T": rng.integers(0, case.get("C", 99), T).astype(np.int32)}


_SHAPES = (
    {"T": 1, "V": 1},
    {"T": 1, "V": 32000},
    {"T": 3, "V": 511},
    {"T": 2, "V": 5000, "ties": True},
    {"T": 3, "V": 70, "wrong": ((0, np.inf), (2, np.nan))},
    {"T": 0, "V": 8},
)


@op(
    out="ids_T",
    out_type=lambda attributes: I32,
    types={"pos_T": I32},
    writes=("pos_T",),
    make=_make_greedy,
    flops=lambda T, V: T * V,
    cases=_SHAPES,
)
def greedy_token(x_TV: Any, pos_T: Any) -> Any:
    """id_t = argmax_V(x_t), the lowest of equals; pos_t + 1

    −1 where a value is not finite.
    """
    found = np.argmax(x_TV, axis=-1) if len(x_TV) else np.zeros(0, np.int64)
    return np.where(np.isfinite(x_TV).all(axis=-1), found, NOT_FINITE), pos_T + 1


def _make_drawn(
    rng: np.random.Generator, *, C: int, settings: tuple[float, ...], **case: Any
) -> dict[str, Any]:
    return {
        **_make_greedy(rng, C=C, **case),
        "uniform_C": rng.random(C).astype(np.float32),
        "settings_P": np.array(settings, np.float32),
    }


@op(
    out="ids_T",
    out_type=lambda attributes: I32,
    types={"pos_T": I32},
    writes=("pos_T",),
    touched={"uniform_C": "T"},
    make=_make_drawn,
    flops=lambda T, V: T * V,
    cases=[
        *({**shape, "C": 7, "P": SETTINGS, "settings": (0.8, 40, 1.0, 0.0)} for shape in _SHAPES),
        {"T": 9, "V": 3000, "C": 64, "P": SETTINGS, "settings": (1.5, MOST_K, 0.9, 0.0)},
        {"T": 9, "V": 1025, "C": 64, "P": SETTINGS, "settings": (1.0, 50, 1.0, 0.05)},
        {"T": 9, "V": 2048, "C": 64, "P": SETTINGS, "settings": (2.0, 17, 0.7, 0.1), "ties": True},
        {"T": 9, "V": 20, "C": 64, "P": SETTINGS, "settings": (3.0, MOST_K, 1.0, 0.0)},
        {"T": 2, "V": 300, "C": 3, "P": SETTINGS, "settings": (0.5, 1, 0.5, 0.0)},
        # Some of these rows have more than MOST_K candidates.
        {"T": 9, "V": 3000, "C": 64, "P": SETTINGS, "settings": (1.0, 0, 0.9, 0.0)},
        {"T": 9, "V": 5000, "C": 64, "P": SETTINGS, "settings": (1.4, 0, 0.5, 0.01)},
        {"T": 9, "V": 5000, "C": 64, "P": SETTINGS, "settings": (1.0, 0, 1.0, 0.02)},
        {"T": 3, "V": 50, "C": 64, "P": SETTINGS, "settings": (1.0, 0, 0.99, 0.0)},
        {"T": 2, "V": 70, "C": 64, "P": SETTINGS, "settings": (1.0, 0, 1.0, 0.0)},
    ],
)
def drawn_token(x_TV: Any, pos_T: Any, uniform_C: Any, settings_P: Any) -> Any:
    """id_t ~ softmax(x_t / temperature) within top-k, top-p, min-p, by uniform[pos_t]; pos_t + 1

    top-k keeps the k largest, the lowest ids of equals, and 0 all; top-p the fewest of these,
    largest first, that make up so much of their probability; min-p those at least min-p times as
    likely as the likeliest. The draw goes through them by id, with top-p below 1 by size: as
    rung.engine.sampling does, of which this is the part that needs no history.

    −1 where a value is not finite. −2 where top-k is 0 and more than 64 are left.
    """
    temperature, k, top_p, min_p = settings_P[0], int(settings_P[1]), settings_P[2], settings_P[3]
    ids_T = np.full(len(x_TV), NOT_FINITE)
    for t, x_V in enumerate(x_TV):
        if not np.isfinite(x_V).all():
            continue
        kept = np.argsort(-x_V, kind="stable")[: k or len(x_V)]
        weights = np.exp((x_V[kept] - x_V[kept[0]]) / temperature)
        if top_p < 1:
            count = np.searchsorted(np.cumsum(weights), top_p * weights.sum()) + 1
            kept, weights = kept[:count], weights[:count]
        kept, weights = kept[weights >= min_p], weights[weights >= min_p]
        if len(kept) > MOST_K:
            ids_T[t] = TOO_MANY
            continue
        if top_p >= 1:
            order = np.argsort(kept)
            kept, weights = kept[order], weights[order]
        sums = np.cumsum(weights)
        drawn = np.searchsorted(sums, uniform_C[pos_T[t]] * sums[-1], side="right")
        ids_T[t] = kept[min(drawn, len(kept) - 1)]
    return ids_T, pos_T + 1
