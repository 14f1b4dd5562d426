"""Config → GGUF metadata, for every architecture that `config.py` reads."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rung.errors import UsageError
from rung.formats.base import Checkpoint
from rung.formats.gguf.config import ARCHITECTURES
from rung.formats.gguf.pack import flags, integer, number, text
from rung.formats.rotation import with_layout
from rung.models.config import Config, Rope
from rung.models.rope import rope_frequencies, yarn_attention_factor

# Families that llama.cpp knows by the name of one that they are built like.
_BUILT_LIKE = {"mistral": "llama", "tinyllama": "llama", "smollm": "llama", "smollm2": "llama"}


def as_written(checkpoint: Checkpoint) -> Checkpoint:
    """The model as GGUF says it: its family's name there, its rotation's layout and factors.

    Raises UsageError for a family that GGUF has no architecture for.
    """
    config = checkpoint.config
    architecture = _BUILT_LIKE.get(config.family, config.family)
    if architecture not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise UsageError(
            f"{checkpoint.path} cannot be written as GGUF: its family is {config.family}, "
            f"which is none of {known}"
        )
    laid_out = with_layout(checkpoint, "interleaved" if architecture == "llama" else "half")
    config = replace(laid_out.config, family=architecture)
    if config.rope is not None and config.rope.scaling == "llama3":
        config = replace(config, rope=_with_factors(config.rope, config.context_length))
    return replace(laid_out, config=config)


def _with_factors(rope: Rope, context_length: int) -> Rope:
    """The same rotation with its frequencies as factors, as GGUF has those of Llama 3."""
    plain = Rope(base=rope.base, dims=rope.dims)
    factors = rope_frequencies(plain, context_length) / rope_frequencies(rope, context_length)
    return Rope(
        layout=rope.layout,
        base=rope.base,
        dims=rope.dims,
        attention_factor=rope.attention_factor,
        factors=tuple(float(str(np.float32(factor))) for factor in factors),
    )


def frequency_tensors(config: Config) -> dict[str, NDArray[np.float32]]:
    """The tensors that hold fields of a Rope, by name."""
    rope = config.rope
    if rope is None or rope.factors is None:
        return {}
    factors = np.array(rope.factors, np.float32)
    if rope.long_factors is None:
        return {"rope_freqs.weight": factors}
    long_factors = np.array(rope.long_factors, np.float32)
    return {"rope_factors_long.weight": long_factors, "rope_factors_short.weight": factors}


def describe(config: Config) -> dict[str, bytes]:
    """The metadata of the architecture, by key."""
    c = config
    values = {
        "context_length": integer(c.context_length),
        "embedding_length": integer(c.dim),
        "block_count": integer(c.n_layers),
        "feed_forward_length": integer(c.hidden_dim),
        "vocab_size": integer(c.vocab_size),
        "attention.head_count": integer(c.n_heads),
        "attention.head_count_kv": integer(c.n_kv_heads),
        "attention.key_length": integer(c.head_dim),
        "attention.value_length": integer(c.head_dim),
    }
    epsilon = "layer_norm_epsilon" if c.norm == "layer" else "layer_norm_rms_epsilon"
    values[f"attention.{epsilon}"] = number(c.norm_eps)
    if c.rope is not None:
        values |= _rotation(c.rope)
    values |= _attention(c)
    return {f"{c.family}.{key}": value for key, value in values.items()}


def _attention(c: Config) -> dict[str, bytes]:
    values = {}
    if c.attention_scale is not None:
        values["attention.scale"] = number(c.attention_scale)
    if c.sliding_window is not None:
        values["attention.sliding_window"] = integer(c.sliding_window)
    if c.sliding_layers:
        values["attention.sliding_window_pattern"] = flags(c.sliding_layers)
    if c.local_rope is not None:
        values["rope.freq_base_swa"] = number(c.local_rope.base)
    # 0 would say that there is none, but llama.cpp divides by it.
    if c.attention_softcap is not None:
        values["attn_logit_softcapping"] = number(c.attention_softcap)
    if c.output_softcap is not None:
        values["final_logit_softcapping"] = number(c.output_softcap)
    return values


def _rotation(rope: Rope) -> dict[str, bytes]:
    values = {
        "rope.dimension_count": integer(rope.dims),
        "rope.freq_base": number(rope.base),
    }
    if rope.scaling in ("linear", "yarn"):
        values["rope.scaling.type"] = text(rope.scaling)
        values["rope.scaling.factor"] = number(rope.factor)
    attention = rope.attention_factor
    if rope.scaling == "yarn":
        values["rope.scaling.yarn_beta_fast"] = number(rope.beta_fast)
        values["rope.scaling.yarn_beta_slow"] = number(rope.beta_slow)
        attention /= yarn_attention_factor(rope.factor)
    if rope.scaling == "yarn" or rope.long_factors is not None:
        values["rope.scaling.original_context_length"] = integer(rope.original_context)
    if rope.long_factors is not None:
        values["rope.scaling.type"] = text("longrope")
    if attention != 1:
        values["rope.scaling.attn_factor"] = number(attention)
    return values


def rounded(config: Config) -> Config:
    """The Config with its numbers to six digits, as many as float32 keeps on any way."""
    return replace(config, **{f.name: _six_digits(getattr(config, f.name)) for f in fields(Config)})


def _six_digits(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, tuple):
        return tuple(map(_six_digits, value))
    if isinstance(value, Rope):
        return replace(value, **{f.name: _six_digits(getattr(value, f.name)) for f in fields(Rope)})
    return value
