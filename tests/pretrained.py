"""Small random models of `transformers`, one for every family and option that Rung reads.

Import it only where transformers and torch are there: `pytest.importorskip` first.
"""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import transformers
from numpy.typing import NDArray

SIZES: dict[str, Any] = {
    "vocab_size": 131,
    "hidden_size": 48,
    "intermediate_size": 70,
    "num_hidden_layers": 3,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
_LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
_LLAMA3 |= {"original_max_position_embeddings": 16}
_YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16}
_LONGROPE = {
    "type": "longrope",
    "short_factor": [1.0, 1.1, 1.3],
    "long_factor": [1.2, 2.5, 4.5],
}
_PHI3 = {"partial_rotary_factor": 0.75, "original_max_position_embeddings": 32}
_GEMMA = {"head_dim": 10, "hidden_activation": "gelu_pytorch_tanh"}


class Case(NamedTuple):
    """An architecture, the fields in which its config differs from SIZES, and how long to run."""

    architecture: str
    changes: dict[str, Any]
    length: int = 24


CASES = {
    "llama": Case("LlamaForCausalLM", {}),
    "llama, tied, biases, odd sizes": Case(
        "LlamaForCausalLM",
        {
            "hidden_size": 33,
            "intermediate_size": 37,
            "num_attention_heads": 3,
            "num_key_value_heads": 1,
            "head_dim": 14,
            "tie_word_embeddings": True,
            "attention_bias": True,
            "mlp_bias": True,
            "rope_theta": 777.0,
        },
    ),
    "llama 3 scaling": Case("LlamaForCausalLM", {"rope_scaling": _LLAMA3}, 60),
    "llama, linear scaling": Case(
        "LlamaForCausalLM", {"rope_scaling": {"type": "linear", "factor": 3.0}}, 40
    ),
    "llama, yarn": Case("LlamaForCausalLM", {"rope_scaling": _YARN, "head_dim": 16}, 60),
    "llama, yarn with its options": Case(
        "LlamaForCausalLM",
        {
            "rope_scaling": _YARN | {"beta_fast": 8, "beta_slow": 2, "attention_factor": 1.3},
            "head_dim": 32,
            "rope_theta": 500.0,
        },
        60,
    ),
    "mistral, sliding": Case("MistralForCausalLM", {"sliding_window": 7, "head_dim": 12}, 40),
    "mistral, no window": Case("MistralForCausalLM", {"sliding_window": None}),
    "qwen2": Case("Qwen2ForCausalLM", {"tie_word_embeddings": True}),
    "qwen2, upper layers slide": Case(
        "Qwen2ForCausalLM",
        {"use_sliding_window": True, "sliding_window": 5, "max_window_layers": 1},
        40,
    ),
    "qwen3": Case("Qwen3ForCausalLM", {"head_dim": 20}),
    "phi3": Case("Phi3ForCausalLM", {"sliding_window": 9}, 40),
    "phi3, longrope, short": Case(
        "Phi3ForCausalLM",
        _PHI3 | {"rope_scaling": _LONGROPE, "max_position_embeddings": 32},
        32,
    ),
    "phi3, longrope, long": Case("Phi3ForCausalLM", _PHI3 | {"rope_scaling": _LONGROPE}, 60),
    "gemma": Case("GemmaForCausalLM", _GEMMA),
    "gemma 2": Case("Gemma2ForCausalLM", _GEMMA | {"sliding_window": 6}, 40),
    "gemma 2, tight caps": Case(
        "Gemma2ForCausalLM",
        _GEMMA
        | {
            "sliding_window": 6,
            "attn_logit_softcapping": 1.5,
            "final_logit_softcapping": 2.0,
            "query_pre_attn_scalar": 17,
        },
        40,
    ),
    "gemma 3": Case(
        "Gemma3ForCausalLM",
        _GEMMA
        | {
            "sliding_window": 6,
            "sliding_window_pattern": 3,
            "rope_theta": 2000.0,
            "rope_local_base_freq": 50.0,
            "rope_scaling": {"rope_type": "linear", "factor": 8.0},
        },
        40,
    ),
    "gpt2": Case(
        "GPT2LMHeadModel",
        {"n_embd": 36, "n_layer": 2, "n_head": 3, "n_positions": 64, "n_inner": 50},
    ),
}
_CONFIGS = {"GPT2LMHeadModel": "GPT2Config", "Gemma3ForCausalLM": "Gemma3TextConfig"}


def make(case: Case) -> Any:
    """A model of a case: weights of usual size, so that every part of it shows in the logits."""
    torch.manual_seed(7)
    name = _CONFIGS.get(case.architecture, case.architecture.replace("ForCausalLM", "Config"))
    config = getattr(transformers, name)(**deepcopy(SIZES | case.changes))
    config._attn_implementation = "eager"  # the only one that has soft-caps
    model = getattr(transformers, case.architecture)(config).eval()
    for parameter in model.parameters():
        if parameter.ndim == 2:
            torch.nn.init.normal_(parameter, std=parameter.shape[1] ** -0.5)
        else:
            parameter.data += 0.2 * torch.randn_like(parameter)
    return model


def ids(case: Case) -> list[int]:
    """A prompt of the case's length."""
    generator = np.random.default_rng(3)
    return [int(i) for i in generator.integers(0, SIZES["vocab_size"], case.length)]


def logits(model: Any, ids: list[int]) -> NDArray[np.float32]:
    """Logits [T, V] of the whole prompt."""
    with torch.no_grad():
        result: NDArray[np.float32] = model(torch.tensor([ids])).logits[0].float().numpy()
    return result


def load(case: Case, folder: Path) -> Any:
    """The model that a folder holds, computing in float32."""
    kind = getattr(transformers, case.architecture)
    return kind.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
