"""The arithmetic of a step, to compare with what the machine can do at most."""

# T tokens of a sequence

from __future__ import annotations

from rung.models.config import Config, weight_shapes

_TABLES = ("token_embd.weight", "position_embd.weight")


def flops_per_token(config: Config, tokens: int) -> float:
    """Operations of forward and backward for each token of sequences of `tokens`.

    2 for each weight of a product and three products for each, forward and backward; attention
    likewise, where a token sees half of the sequence on average. Norms, activations and the
    optimizer are not counted, nor is what --recompute computes twice.
    """
    shapes = weight_shapes(config)
    matrices = sum(
        shape[0] * shape[1]
        for name, shape in shapes.items()
        if len(shape) == 2 and name not in _TABLES
    )
    if config.tied_output:
        matrices += config.vocab_size * config.dim
    attention = 2 * config.n_layers * config.n_heads * config.head_dim * tokens / 2
    return 6.0 * (matrices + attention)
