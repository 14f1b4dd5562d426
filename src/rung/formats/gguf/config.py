"""GGUF metadata → Config, for each architecture that Rung runs.

Keys are those of gguf.constants.Keys. What a file leaves out is what llama.cpp takes then.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rung.errors import FormatError
from rung.formats.gguf.fields import Fields
from rung.formats.gguf.header import TensorInfo
from rung.formats.gguf.tensors import FREQUENCY_TENSORS
from rung.models.config import Config, Rope
from rung.models.rope import yarn_attention_factor

Tensors = Mapping[str, TensorInfo]
ReadVector = Callable[[str], np.ndarray[Any, np.dtype[np.float32]]]
"""A function of a tensor's name that gives its values, one axis of them."""

_LOCAL_BASE = 10000.0  # of Gemma 3's sliding layers, which older files do not say
_GEMMA_WINDOW = 4096  # of Gemma 2, likewise
_GEMMA_27B_LAYERS = {"gemma2": 46, "gemma3": 62}


@dataclass(frozen=True)
class Source:
    """A file's metadata and tensors, to be asked for a Config."""

    fields: Fields
    tensors: Tensors
    vector: ReadVector

    def has(self, *names: str) -> bool:
        """Whether the file has a tensor of any of these names."""
        return any(name in self.tensors for name in names)


def config_of(
    path: Path, metadata: Mapping[str, Any], tensors: Tensors, vector: ReadVector
) -> Config:
    """The Config that a GGUF file describes.

    Raises FormatError for an architecture that is not supported, and for metadata that is
    missing, wrong or contradicts itself.
    """
    architecture = metadata.get("general.architecture")
    family = ARCHITECTURES.get(architecture) if isinstance(architecture, str) else None
    if family is None:
        expected = f"one of {', '.join(ARCHITECTURES)}"
        raise FormatError(path, "general.architecture", repr(architecture)[:80], expected)
    source = Source(Fields(path, metadata, str(architecture)), tensors, vector)
    shape = _shape(source)
    try:
        return Config(**{**shape, **_tokens(source), **family(source, shape)})
    except ValueError as error:
        raise FormatError(path, "metadata", f"impossible ({error})", "a model") from None


def _shape(source: Source) -> dict[str, Any]:
    """The fields of Config that every architecture says in the same way."""
    fields = source.fields
    if fields.has("expert_count") and fields.integer("expert_count", least=0):
        key = f"{fields.architecture}.expert_count"
        raise FormatError(fields.path, key, "not 0", "0, mixtures of experts are not supported")
    n_layers = fields.integer("block_count")
    if n_layers > len(source.tensors):  # told here, before a list is made of so many layers
        expected = f"at most {len(source.tensors)}, the number of tensors"
        raise FormatError(fields.path, f"{fields.architecture}.block_count", n_layers, expected)
    dim, n_heads = fields.integer("embedding_length"), fields.integer("attention.head_count")
    embedding = source.tensors.get("token_embd.weight")
    if embedding is None:
        raise FormatError(fields.path, "token_embd.weight", "missing", "among the tensors")
    return {
        "family": fields.architecture,
        "dim": dim,
        "hidden_dim": fields.integer("feed_forward_length"),
        "n_layers": n_layers,
        "n_heads": n_heads,
        "n_kv_heads": fields.integer("attention.head_count_kv", n_heads),
        "head_dim": _head_dim(fields, dim, n_heads),
        "vocab_size": embedding.shape[0],
        "context_length": fields.integer("context_length"),
        "tied_output": not source.has("output.weight"),
        "qkv_bias": source.has("blk.0.attn_q.bias", "blk.0.attn_qkv.bias"),
        "output_bias": source.has("blk.0.attn_output.bias"),
        "mlp_bias": source.has("blk.0.ffn_up.bias"),
    }


def _head_dim(fields: Fields, dim: int, n_heads: int) -> int:
    if not fields.has("attention.key_length") and dim % n_heads:
        key = f"{fields.architecture}.embedding_length"
        raise FormatError(fields.path, key, dim, f"a multiple of attention.head_count {n_heads}")
    key_length = fields.integer("attention.key_length", dim // n_heads or None)
    value_length = fields.integer("attention.value_length", key_length)
    if value_length != key_length:
        key = f"{fields.architecture}.attention.value_length"
        raise FormatError(fields.path, key, value_length, f"{key_length}, the length of keys")
    return key_length


def _tokens(source: Source) -> dict[str, Any]:
    token = source.fields.token
    ends = (token(name) for name in ("eos", "eot", "eom"))
    return {
        "bos_id": token("bos"),
        "eos_ids": tuple(dict.fromkeys(end for end in ends if end is not None)),
    }


def _rms(source: Source) -> dict[str, Any]:
    return {"norm": "rms", "norm_eps": source.fields.number("attention.layer_norm_rms_epsilon")}


def _llama(source: Source, shape: dict[str, Any]) -> dict[str, Any]:
    rope = _rope(source, shape, layout="interleaved")
    return {**_rms(source), "rope": rope, "mlp": "swiglu", **_window(source, shape)}


def _half(source: Source, shape: dict[str, Any]) -> dict[str, Any]:
    rope = _rope(source, shape, layout="half")
    return {**_rms(source), "rope": rope, "mlp": "swiglu", **_window(source, shape)}


def _qwen3(source: Source, shape: dict[str, Any]) -> dict[str, Any]:
    return {**_half(source, shape), "qk_norm": True}


def _gemma(source: Source, shape: dict[str, Any]) -> dict[str, Any]:
    # Norm weights have their 1 added in the file already.
    return {
        **_rms(source),
        "rope": _rope(source, shape, layout="half"),
        "mlp": "geglu",
        "embedding_scale": math.sqrt(shape["dim"]),
        "attention_scale": source.fields.optional_number("attention.scale"),
    }


def _gemma2(source: Source, shape: dict[str, Any]) -> dict[str, Any]:
    fields = source.fields
    return {
        **_gemma(source, shape),
        "post_norms": True,
        "attention_scale": _gemma_attention_scale(source, shape),
        "attention_softcap": fields.optional_number("attn_logit_softcapping", 50.0),
        "output_softcap": fields.optional_number("final_logit_softcapping", 30.0),
        **_window(source, shape, window=_GEMMA_WINDOW, period=2),
    }


def _gemma3(source: Source, shape: dict[str, Any]) -> dict[str, Any]:
    fields = source.fields
    window = _window(source, shape, period=6)
    if window:
        base = fields.number("rope.freq_base_swa", _LOCAL_BASE)
        window["local_rope"] = _made(fields, layout="half", base=base, dims=shape["head_dim"])
    return {
        **_gemma(source, shape),
        **window,
        "post_norms": True,
        "qk_norm": True,
        "attention_scale": _gemma_attention_scale(source, shape),
        "attention_softcap": fields.optional_number("attn_logit_softcapping"),
        "output_softcap": fields.optional_number("final_logit_softcapping"),
    }


def _gpt2(source: Source, shape: dict[str, Any]) -> dict[str, Any]:
    return {
        "norm": "layer",
        "norm_eps": source.fields.number("attention.layer_norm_epsilon"),
        "rope": None,
        "mlp": "gelu",
    }


def _gemma_attention_scale(source: Source, shape: dict[str, Any]) -> float | None:
    """The 27B models divide by sqrt(D / H), not by sqrt(head_dim); only their depth tells."""
    fields = source.fields
    if fields.has("attention.scale"):
        return fields.optional_number("attention.scale")
    if shape["n_layers"] != _GEMMA_27B_LAYERS[fields.architecture]:
        return None
    return math.sqrt(int(shape["n_heads"]) / int(shape["dim"]))


def _window(
    source: Source, shape: dict[str, Any], *, window: int = 0, period: int = 0
) -> dict[str, Any]:
    """The sliding window of a file, or `window`, and the layers that have it where not all do.

    All layers slide but every `period`-th one; a file may give the period, or say it of each layer.
    """
    fields = source.fields
    window = fields.integer("attention.sliding_window", window, least=0)
    if not window:
        return {}
    key = "attention.sliding_window_pattern"
    given = fields.metadata.get(f"{fields.architecture}.{key}")
    if isinstance(given, np.ndarray):
        if given.dtype != np.bool_ or given.size != shape["n_layers"]:
            expected = f"{shape['n_layers']} of yes or no, one for each layer"
            found = f"{given.size} of {given.dtype}"
            raise FormatError(fields.path, f"{fields.architecture}.{key}", found, expected)
        layers = tuple(bool(slides) for slides in given)
    else:
        period = fields.integer(key, period, least=0)
        count = shape["n_layers"] if period else 0
        layers = tuple((layer + 1) % period != 0 for layer in range(count))
    return {"sliding_window": window, "sliding_layers": layers}


def _rope(source: Source, shape: dict[str, Any], *, layout: str) -> Rope:
    """The rotation of an architecture whose pairs lie in `layout`."""
    fields = source.fields
    turned: dict[str, Any] = {
        "layout": layout,
        "base": fields.number("rope.freq_base", 10000.0),
        "dims": fields.integer("rope.dimension_count", shape["head_dim"]),
    }
    turned |= _scaling(source, shape)
    for name, field in FREQUENCY_TENSORS.items():
        if name in source.tensors:
            turned[field] = _factors(source, name, turned["dims"])
    if "long_factors" in turned:
        key = "rope.scaling.original_context_length"
        turned["original_context"] = fields.integer(key, shape["context_length"])
    return _made(fields, **turned)


def _made(fields: Fields, **values: Any) -> Rope:
    try:
        return Rope(**values)
    except ValueError as error:
        raise FormatError(fields.path, "rope", f"impossible ({error})", "a rotation") from None


def _scaling(source: Source, shape: dict[str, Any]) -> dict[str, Any]:
    fields = source.fields
    kind = fields.text("rope.scaling.type", "none")
    factor = fields.number("rope.scaling.factor", fields.optional_number("rope.scale_linear") or 1)
    attention = fields.number("rope.scaling.attn_factor", 1.0)
    if kind == "linear" or (kind == "none" and factor != 1 and fields.has("rope.scale_linear")):
        scaling: dict[str, Any] = {"scaling": "linear", "factor": factor}
    elif kind == "yarn":
        scaling = {
            "scaling": "yarn",
            "factor": factor,
            "original_context": fields.integer(
                "rope.scaling.original_context_length", shape["context_length"]
            ),
            "beta_fast": fields.number("rope.scaling.yarn_beta_fast", 32.0),
            "beta_slow": fields.number("rope.scaling.yarn_beta_slow", 1.0),
            "attention_factor": attention * yarn_attention_factor(factor),
        }
    elif kind in ("none", "longrope"):
        scaling = {"attention_factor": attention}
    else:
        key = f"{fields.architecture}.rope.scaling.type"
        raise FormatError(fields.path, key, repr(kind)[:80], "none, linear, yarn or longrope")
    return scaling


def _factors(source: Source, name: str, dims: int) -> tuple[float, ...]:
    """Divisors of the frequencies, from a tensor that holds one for each pair."""
    if (shape := source.tensors[name].shape) != (dims // 2,):
        raise FormatError(source.fields.path, f"shape of {name}", list(shape), [dims // 2])
    return tuple(float(str(value)) for value in source.vector(name))


ARCHITECTURES: dict[str, Callable[[Source, dict[str, Any]], dict[str, Any]]] = {
    "llama": _llama,
    "qwen2": _half,
    "qwen3": _qwen3,
    "phi3": _half,
    "gemma": _gemma,
    "gemma2": _gemma2,
    "gemma3": _gemma3,
    "gpt2": _gpt2,
}
