"""The families that Hugging Face folders hold: where each differs from Llama, in one table.

A family's function gives the fields of Config in which it differs, from config.json and from the
sizes that all families share. docs/add-a-model.md walks through adding one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rung.formats.huggingface.rotation import read_ropes
from rung.formats.huggingface.weights import Names
from rung.formats.json_fields import Fields
from rung.formats.sizes import MOST_CONTEXT

Read = Callable[[Fields, dict[str, Any]], dict[str, Any]]

_KEYS = {
    "dim": "hidden_size",
    "hidden_dim": "intermediate_size",
    "n_layers": "num_hidden_layers",
    "n_heads": "num_attention_heads",
    "n_kv_heads": "num_key_value_heads",
    "head_dim": "head_dim",
    "vocab_size": "vocab_size",
    "context_length": "max_position_embeddings",
    "norm_eps": "rms_norm_eps",
}
_GPT2_KEYS = {
    "dim": "n_embd",
    "hidden_dim": "n_inner",
    "n_layers": "n_layer",
    "n_heads": "n_head",
    "n_kv_heads": "n_head",
    "head_dim": "head_dim",
    "vocab_size": "vocab_size",
    "context_length": "n_positions",
    "norm_eps": "layer_norm_epsilon",
}

_PARTS = {
    "token_embd": "embed_tokens",
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "output_norm": "norm",
    "output": "lm_head",
}
_FUSED = dict.fromkeys(("attn_q", "attn_k", "attn_v"), "self_attn.qkv_proj")
_FUSED |= dict.fromkeys(("ffn_gate", "ffn_up"), "mlp.gate_up_proj")
_SANDWICHED = {
    "post_attention_norm": "post_attention_layernorm",
    "ffn_norm": "pre_feedforward_layernorm",
    "post_ffw_norm": "post_feedforward_layernorm",
}
_GPT2_PARTS = {
    "token_embd": "wte",
    "position_embd": "wpe",
    "attn_norm": "ln_1",
    "attn_q": "attn.c_attn",
    "attn_k": "attn.c_attn",
    "attn_v": "attn.c_attn",
    "attn_output": "attn.c_proj",
    "ffn_norm": "ln_2",
    "ffn_up": "mlp.c_fc",
    "ffn_down": "mlp.c_proj",
    "output_norm": "ln_f",
    "output": "lm_head",
}
_GPT2_TRANSPOSED = frozenset({"attn_q", "attn_k", "attn_v", "attn_output", "ffn_up", "ffn_down"})


@dataclass(frozen=True, kw_only=True)
class Family:
    """How to read one architecture. `name` is GGUF's; values are those where a file is silent."""

    name: str
    read: Read
    names: Names = field(default_factory=lambda: Names(parts=_PARTS))
    keys: Mapping[str, str] = field(default_factory=lambda: _KEYS)
    tied: bool = False
    head_dim: int | None = None  # None: dim / heads
    hidden_ratio: int | None = None  # hidden_dim / dim; None: a file must say
    norm_eps: float = 1e-6


def _llama(fields: Fields, shared: dict[str, Any]) -> dict[str, Any]:
    bias = fields.flag("attention_bias", False)
    return _silu(fields) | {
        **_rotation(fields, shared),
        "qkv_bias": bias,
        "output_bias": bias,
        "mlp_bias": fields.flag("mlp_bias", False),
    }


def _mistral(fields: Fields, shared: dict[str, Any]) -> dict[str, Any]:
    window = _window(fields, shared, lambda layer: True, default=4096)
    return _silu(fields) | _rotation(fields, shared) | window


def _qwen2(fields: Fields, shared: dict[str, Any]) -> dict[str, Any]:
    extra = _silu(fields) | _rotation(fields, shared) | {"qkv_bias": True}
    if fields.flag("use_sliding_window", False):
        first = fields.integer("max_window_layers", most=1 << 16, default=28)
        extra |= _window(fields, shared, lambda layer: layer >= first, default=4096)
    return extra


def _qwen3(fields: Fields, shared: dict[str, Any]) -> dict[str, Any]:
    bias = fields.flag("attention_bias", False)
    own = {"qkv_bias": bias, "output_bias": bias, "qk_norm": True}
    return _qwen2(fields, shared) | own


def _phi3(fields: Fields, shared: dict[str, Any]) -> dict[str, Any]:
    window = _window(fields, shared, lambda layer: True)
    return _silu(fields) | _rotation(fields, shared) | window


def _gemma(fields: Fields, shared: dict[str, Any]) -> dict[str, Any]:
    # Files of the first Gemma say "gelu" for its tanh form, until hidden_activation set it right.
    key = "hidden_activation" if "hidden_activation" in fields else "hidden_act"
    _expect(fields, key, "gelu_pytorch_tanh", "gelu_pytorch_tanh", "gelu")
    bias = fields.flag("attention_bias", False)
    return {
        **_rotation(fields, shared),
        "mlp": "geglu",
        "embedding_scale": math.sqrt(shared["dim"]),
        "qkv_bias": bias,
        "output_bias": bias,
    }


def _gemma2(fields: Fields, shared: dict[str, Any]) -> dict[str, Any]:
    caps = {"attention_softcap": 50.0, "output_softcap": 30.0}
    window = _window(fields, shared, lambda layer: layer % 2 == 0, default=4096)
    return _gemma(fields, shared) | _sandwiched(fields) | window | _softcaps(fields, caps)


def _gemma3(fields: Fields, shared: dict[str, Any]) -> dict[str, Any]:
    _expect(fields, "use_bidirectional_attention", False, False)
    pattern = fields.integer("sliding_window_pattern", least=1, most=1 << 16, default=6)
    window = _window(fields, shared, lambda layer: (layer + 1) % pattern != 0, default=4096)
    own = {**_sandwiched(fields), **window, **_softcaps(fields, {}), "qk_norm": True}
    return _gemma(fields, shared) | _rotation(fields, shared, base=1e6, local_base=1e4) | own


def _gpt2(fields: Fields, shared: dict[str, Any]) -> dict[str, Any]:
    tanh_forms = ("gelu_new", "gelu_pytorch_tanh", "gelu_fast")
    _expect(fields, "activation_function", "gelu_new", *tanh_forms)
    _expect(fields, "scale_attn_weights", True, True)
    _expect(fields, "scale_attn_by_inverse_layer_idx", False, False)
    _expect(fields, "add_cross_attention", False, False)
    return {
        "norm": "layer",
        "mlp": "gelu",
        "rope": None,
        "qkv_bias": True,
        "output_bias": True,
        "mlp_bias": True,
    }


def _silu(fields: Fields) -> dict[str, Any]:
    """The gated SiLU of Llama. Raises FormatError where the file names another activation."""
    _expect(fields, "hidden_act", "silu", "silu", "swish")
    return {"mlp": "swiglu"}


def _sandwiched(fields: Fields) -> dict[str, Any]:
    """Norms before and after each part of a layer, and queries scaled by a number of their own."""
    width = fields.number("query_pre_attn_scalar", default=256.0)
    if not width > 0:
        raise fields.refuse("query_pre_attn_scalar", "a positive number")
    return {"post_norms": True, "attention_scale": 1 / math.sqrt(width)}


def _softcaps(fields: Fields, defaults: Mapping[str, float]) -> dict[str, Any]:
    """Soft-caps; null in a file is none, a missing field is the family's own."""
    keys = {
        "attention_softcap": "attn_logit_softcapping",
        "output_softcap": "final_logit_softcapping",
    }
    return {
        ours: fields.optional_number(key) if key in fields.values else defaults.get(ours)
        for ours, key in keys.items()
    }


def _rotation(
    fields: Fields, shared: dict[str, Any], *, base: float = 1e4, local_base: float | None = None
) -> dict[str, Any]:
    rope, local_rope = read_ropes(
        fields,
        head_dim=shared["head_dim"],
        context_length=shared["context_length"],
        base=base,
        local_base=local_base,
    )
    context_length = shared["context_length"]
    if rope.scaling == "yarn":
        # Files keep the length before the stretch, as their makers ask users to add YaRN by hand.
        stretched = min(int(rope.original_context * rope.factor), MOST_CONTEXT)
        context_length = max(context_length, stretched)
    return {"rope": rope, "local_rope": local_rope, "context_length": context_length}


def _window(
    fields: Fields,
    shared: dict[str, Any],
    slides: Callable[[int], bool],
    *,
    default: int | None = None,
) -> dict[str, Any]:
    """The sliding window and its layers: those that layer_types names, else those of `slides`.

    null in a file is no window, a missing field is `default`.
    """
    if "sliding_window" not in fields and ("sliding_window" in fields.values or default is None):
        return {}
    window = fields.integer("sliding_window", least=1, most=MOST_CONTEXT, default=default)
    layers = tuple(slides(layer) for layer in range(shared["n_layers"]))
    if "layer_types" in fields:
        kinds = fields.items("layer_types")
        if not all(kind in ("sliding_attention", "full_attention") for kind in kinds):
            raise fields.refuse("layer_types", "sliding_attention or full_attention for each layer")
        layers = tuple(kind == "sliding_attention" for kind in kinds)
    if not any(layers):
        return {}
    return {"sliding_window": window, "sliding_layers": () if all(layers) else layers}


def _expect(fields: Fields, name: str, default: object, *possible: object) -> None:
    """Raises FormatError where a field has a value that this decoder does not compute."""
    value = fields.values.get(name)
    if (default if value is None else value) not in possible:
        raise fields.refuse(name, " or ".join(str(value) for value in possible))


_GEMMA_NAMES = Names(parts=_PARTS, norms_less_one=True)
_SANDWICHED_NAMES = Names(parts=_PARTS | _SANDWICHED, norms_less_one=True)
_GPT2_NAMES = Names(
    parts=_GPT2_PARTS, root="transformer.", layers="h.", transposed=_GPT2_TRANSPOSED
)

FAMILIES: Mapping[str, Family] = {
    "LlamaForCausalLM": Family(name="llama", read=_llama),
    "MistralForCausalLM": Family(name="llama", read=_mistral),
    "Qwen2ForCausalLM": Family(name="qwen2", read=_qwen2),
    "Qwen3ForCausalLM": Family(name="qwen3", read=_qwen3, head_dim=128),
    "Phi3ForCausalLM": Family(
        name="phi3", read=_phi3, names=Names(parts=_PARTS | _FUSED), norm_eps=1e-5
    ),
    "GemmaForCausalLM": Family(
        name="gemma", read=_gemma, names=_GEMMA_NAMES, tied=True, head_dim=256
    ),
    "Gemma2ForCausalLM": Family(
        name="gemma2", read=_gemma2, names=_SANDWICHED_NAMES, tied=True, head_dim=256
    ),
    "Gemma3ForCausalLM": Family(
        name="gemma3", read=_gemma3, names=_SANDWICHED_NAMES, tied=True, head_dim=256
    ),
    "GPT2LMHeadModel": Family(
        name="gpt2",
        read=_gpt2,
        names=_GPT2_NAMES,
        keys=_GPT2_KEYS,
        tied=True,
        norm_eps=1e-5,
        hidden_ratio=4,
    ),
}
