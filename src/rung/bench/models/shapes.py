"""Shapes of published models by name, so that a benchmark needs no file of theirs.

Dimensions, vocabulary, context and rotation are those that the makers publish. Pairs of values that
turn together lie as in GGUF files of the same models.
"""

from __future__ import annotations

from typing import Any

from rung.errors import UsageError
from rung.models.config import Config, Rope


def _llama(
    dim: int,
    hidden_dim: int,
    n_layers: int,
    heads: tuple[int, int],
    vocab_size: int,
    context_length: int,
    *,
    base: float = 10000.0,
    rope: dict[str, Any] | None = None,
    **fields: Any,
) -> Config:
    """A Config of the Llama kind; `heads` are those of queries and of keys and values."""
    n_heads, n_kv_heads = heads
    head_dim = fields.pop("head_dim", dim // n_heads)
    return Config(
        dim=dim,
        hidden_dim=hidden_dim,
        n_layers=n_layers,
        n_heads=n_heads,
        n_kv_heads=n_kv_heads,
        head_dim=head_dim,
        vocab_size=vocab_size,
        context_length=context_length,
        rope=Rope(dims=head_dim, base=base, **(rope or {})),
        **fields,
    )


def _llama3(*sizes: Any, **fields: Any) -> Config:
    fields |= {"base": 500000.0, "bos_id": 128000, "eos_ids": (128001,)}
    return _llama(*sizes, **fields)


def _qwen(family: str, *sizes: Any, **fields: Any) -> Config:
    fields |= {"family": family, "bos_id": None, "eos_ids": (151645,)}
    return _llama(*sizes, base=1e6, rope={"layout": "half"}, norm_eps=1e-6, **fields)


def _gpt2(dim: int, n_layers: int, n_heads: int) -> Config:
    return Config(
        family="gpt2",
        dim=dim,
        hidden_dim=4 * dim,
        n_layers=n_layers,
        n_heads=n_heads,
        n_kv_heads=n_heads,
        head_dim=dim // n_heads,
        vocab_size=50257,
        context_length=1024,
        norm="layer",
        mlp="gelu",
        rope=None,
        qkv_bias=True,
        output_bias=True,
        mlp_bias=True,
        bos_id=50256,
        eos_ids=(50256,),
    )


def _stretched(factor: float) -> dict[str, Any]:
    """The rotation of Llama 3.1 and 3.2, stretched for long contexts."""
    return {
        "scaling": "llama3",
        "factor": factor,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_context": 8192,
    }


SHAPES: dict[str, Config] = {
    "stories260K": _llama(64, 172, 5, (8, 4), 512, 512),
    "stories15M": _llama(288, 768, 6, (6, 6), 32000, 256),
    "stories42M": _llama(512, 1376, 8, (8, 8), 32000, 1024),
    "stories110M": _llama(768, 2048, 12, (12, 12), 32000, 1024),
    "gpt2-124m": _gpt2(768, 12, 12),
    "gpt2-355m": _gpt2(1024, 24, 16),
    "gpt2-774m": _gpt2(1280, 36, 20),
    "gpt2-1558m": _gpt2(1600, 48, 25),
    "smollm2-135m": _llama(
        576, 1536, 30, (9, 3), 49152, 8192, base=100000.0, bos_id=1, eos_ids=(2,)
    ),
    "qwen2.5-0.5b": _qwen("qwen2", 896, 4864, 24, (14, 2), 151936, 32768, qkv_bias=True),
    "qwen2.5-1.5b": _qwen("qwen2", 1536, 8960, 28, (12, 2), 151936, 32768, qkv_bias=True),
    "qwen2.5-7b": _qwen(
        "qwen2", 3584, 18944, 28, (28, 4), 152064, 32768, qkv_bias=True, tied_output=False
    ),
    "qwen3-0.6b": _qwen(
        "qwen3", 1024, 3072, 28, (16, 8), 151936, 40960, head_dim=128, qk_norm=True
    ),
    "tinyllama-1.1b": _llama(2048, 5632, 22, (32, 4), 32000, 2048, tied_output=False),
    "llama2-7b": _llama(4096, 11008, 32, (32, 32), 32000, 4096, tied_output=False),
    "llama2-13b": _llama(5120, 13824, 40, (40, 40), 32000, 4096, tied_output=False),
    "llama3-8b": _llama3(4096, 14336, 32, (32, 8), 128256, 8192, tied_output=False),
    "llama3.1-8b": _llama3(
        4096, 14336, 32, (32, 8), 128256, 131072, tied_output=False, rope=_stretched(8.0)
    ),
    "llama3.2-1b": _llama3(2048, 8192, 16, (32, 8), 128256, 131072, rope=_stretched(32.0)),
    "llama3.2-3b": _llama3(3072, 8192, 28, (24, 8), 128256, 131072, rope=_stretched(32.0)),
    # Version 0.3: no sliding window.
    "mistral-7b": _llama(
        4096, 14336, 32, (32, 8), 32768, 32768, base=1e6, tied_output=False
    ),
}  # fmt: skip


def shape_named(name: str) -> Config:
    """The shape of this name. Raises UsageError for an unknown one, with the known ones."""
    if name not in SHAPES:
        raise UsageError(f"--shape is {name!r}, expected one of {', '.join(SHAPES)}")
    return SHAPES[name]
