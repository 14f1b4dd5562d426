"""The two layouts of rotated heads: the same model, with rows of queries and keys in another order.

Formats differ in which values of a head turn together: "interleaved" ones turn 2i with 2i + 1,
"half" ones i with i + dims/2. To move the rows that make them is all that it takes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rung.errors import UsageError
from rung.formats.base import Checkpoint
from rung.models.config import Config
from rung.storage import StoredTensor


def with_layout(checkpoint: Checkpoint, layout: Literal["interleaved", "half"]) -> Checkpoint:
    """The same model with its heads in `layout`; rows are moved when a weight is asked for.

    The norm of a head weighs value by value, so that a model with such norms raises UsageError.
    """
    config = checkpoint.config
    if config.rope is None or config.rope.layout == layout:
        return checkpoint
    if config.qk_norm or config.local_rope is not None:
        raise UsageError(f"{checkpoint.path}: heads that are normed cannot be laid out anew")
    weights = _Moved(checkpoint.weights, config)
    config = replace(config, rope=replace(config.rope, layout=layout))
    return replace(checkpoint, config=config, weights=weights)


class _Moved(Mapping[str, StoredTensor]):
    """Weights with the rows of queries and keys in the other layout than `config` has."""

    def __init__(self, weights: Mapping[str, StoredTensor], config: Config) -> None:
        self._weights = weights
        self._config = config

    def __getitem__(self, name: str) -> StoredTensor:
        weight = self._weights[name]
        if ".attn_q." in name:
            return _moved(weight, self._config, self._config.n_heads)
        if ".attn_k." in name:
            return _moved(weight, self._config, self._config.n_kv_heads)
        return weight

    def __iter__(self) -> Iterator[str]:
        return iter(self._weights)

    def __len__(self) -> int:
        return len(self._weights)


def _moved(weight: StoredTensor, config: Config, n_heads: int) -> StoredTensor:
    rows = np.arange(n_heads * config.head_dim).reshape(n_heads, config.head_dim)
    order = rows[:, _order(config)].reshape(-1)
    return StoredTensor(weight.type, weight.shape, tuple(p[order] for p in weight.planes))


def _order(config: Config) -> NDArray[np.intp]:
    """For each row of a head in the new layout, its place in the old one."""
    assert config.rope is not None
    order, dims = np.arange(config.head_dim), config.rope.dims
    pairs = np.arange(dims)
    if config.rope.layout == "half":
        order[:dims] = pairs.reshape(2, -1).T.reshape(-1)
    else:
        order[:dims] = pairs.reshape(-1, 2).T.reshape(-1)
    return order
