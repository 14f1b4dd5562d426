"""Hugging Face folders written by hand, to be read, damaged and served by tests."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rung.formats.base import Checkpoint
from rung.formats.huggingface.families import FAMILIES
from rung.models.config import Rope
from support import tiny_checkpoint

_TYPES = {"float32": "F32", "float16": "F16", "uint16": "BF16", "int8": "I8"}


def llama(**changes: Any) -> Checkpoint:
    """A tiny checkpoint that a folder can hold."""
    return tiny_checkpoint(**({"rope": Rope(layout="half", dims=4)} | changes))


def config_of(checkpoint: Checkpoint) -> dict[str, Any]:
    """config.json of a Llama."""
    c = checkpoint.config
    assert c.rope is not None
    return {
        "architectures": ["LlamaForCausalLM"],
        "hidden_size": c.dim,
        "intermediate_size": c.hidden_dim,
        "num_hidden_layers": c.n_layers,
        "num_attention_heads": c.n_heads,
        "num_key_value_heads": c.n_kv_heads,
        "vocab_size": c.vocab_size,
        "max_position_embeddings": c.context_length,
        "rms_norm_eps": c.norm_eps,
        "rope_theta": c.rope.base,
        "tie_word_embeddings": c.tied_output,
        "bos_token_id": 1,
        "eos_token_id": 2,
    }


def tensors_of(checkpoint: Checkpoint) -> dict[str, np.ndarray]:
    """The weights by the names of Hugging Face."""
    names = FAMILIES["LlamaForCausalLM"].names
    return {names.theirs(ours): w.planes[0] for ours, w in checkpoint.weights.items()}


def safetensors_bytes(tensors: Mapping[str, np.ndarray], **header: Any) -> bytes:
    """A safetensors file; uint16 stands for bfloat16. `header` replaces entries of the table."""
    table: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, values in tensors.items():
        table[name] = {
            "dtype": _TYPES[values.dtype.name],
            "shape": list(values.shape),
            "data_offsets": [offset, offset + values.nbytes],
        }
        offset += values.nbytes
    text = json.dumps(table | header).encode()
    body = b"".join(np.ascontiguousarray(values).tobytes() for values in tensors.values())
    return struct.pack("<Q", len(text)) + text + body


def write_folder(
    folder: Path,
    checkpoint: Checkpoint,
    *,
    tensors: Mapping[str, np.ndarray] | None = None,
    shards: int = 1,
    **config: Any,
) -> Path:
    """A folder that holds `checkpoint`, or these tensors; `config` changes its config.json."""
    folder.mkdir(exist_ok=True)
    fields = {k: v for k, v in (config_of(checkpoint) | config).items() if v is not ...}
    (folder / "config.json").write_text(json.dumps(fields))
    tensors = tensors_of(checkpoint) if tensors is None else tensors
    if shards == 1:
        (folder / "model.safetensors").write_bytes(safetensors_bytes(tensors))
        return folder
    weight_map = {}
    for shard in range(shards):
        name = f"model-{shard + 1:05d}-of-{shards:05d}.safetensors"
        part = dict(list(tensors.items())[shard::shards])
        (folder / name).write_bytes(safetensors_bytes(part))
        weight_map |= dict.fromkeys(part, name)
    index = {"metadata": {}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return folder
