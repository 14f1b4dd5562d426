"""Weights to begin training with, as GPT-2 and Llama begin: the same for a seed on any machine.

Matrices and tables are normal with deviation 0.02; those that write into the residual stream
(attention's output, the feed-forward block's down projection) have 0.02 / √(2 · layers), so that
the stream's variance does not grow with depth. Norms begin as 1, biases as 0.
"""

from __future__ import annotations

import math
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rung.formats.base import Checkpoint
from rung.models.config import Config, weight_shapes
from rung.storage import stored

DEVIATION = 0.02
_RESIDUAL = (".attn_output.weight", ".ffn_down.weight")


def initial_weight(
    name: str, shape: tuple[int, ...], *, n_layers: int, seed: int
) -> NDArray[np.float32]:
    """One weight by its name; its values depend on the seed, the name and the shape alone."""
    if len(shape) == 1:
        return np.full(shape, 0 if name.endswith(".bias") else 1, np.float32)
    deviation = DEVIATION
    if name.endswith(_RESIDUAL):
        deviation /= math.sqrt(2 * n_layers)
    values = _stream(name, seed).standard_normal(shape, np.float32)
    values *= np.float32(deviation)
    return values


def initial_checkpoint(config: Config, *, seed: int) -> Checkpoint:
    """A model of this shape with fresh float32 weights, each in memory of its own."""
    weights = {
        name: stored(initial_weight(name, shape, n_layers=config.n_layers, seed=seed))
        for name, shape in weight_shapes(config).items()
    }
    return Checkpoint(Path("initial"), f"initial weights (seed {seed})", config, weights)


def _stream(name: str, seed: int) -> np.random.Generator:
    """Random numbers of their own for each name: no weight depends on the order of making them."""
    digest = blake2b(f"{seed}/{name}".encode(), digest_size=16).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest, "little")))
