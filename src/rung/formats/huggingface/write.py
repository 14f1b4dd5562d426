"""Write a Hugging Face folder that transformers loads: config.json, safetensors, the tokenizer."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from rung.errors import UsageError
from rung.formats.base import Checkpoint
from rung.formats.files import replacing_folder
from rung.formats.huggingface.config import CONFIG_FILE, read_config
from rung.formats.huggingface.weights import Names
from rung.formats.rotation import with_layout
from rung.formats.safetensors_file import Planned, pack_header
from rung.formats.writing import Progress, check_expressible, check_weights, converted
from rung.models.config import Config, Rope, weight_shapes
from rung.storage import Array, StorageType, storage_type
from rung.tokenizers import find_tokenizer
from rung.tokenizers.folder import SETTINGS

KINDS = {"f32": ("F32", "float32"), "f16": ("F16", "float16"), "bf16": ("BF16", "bfloat16")}
_WEIGHTS_FILE = "model.safetensors"
_TOKENIZERS = ("tokenizer.json", "tokenizer.model")
_FILES = (CONFIG_FILE, _WEIGHTS_FILE, *_TOKENIZERS, *SETTINGS)


def write(
    path: str | Path, checkpoint: Checkpoint, *, kind: str = "f32", progress: Progress | None = None
) -> None:
    """Write `checkpoint` to the folder `path`, all weights in "f32", "f16" or "bf16".

    Llama and GPT-2 models. A tokenizer.json or tokenizer.model beside the model comes along, with
    its settings. The folder appears, or takes the place of another, only when it is whole. Raises
    UsageError for a model that config.json of these families cannot say, FormatError for a weight
    that is not finite, RungError where the folder cannot be written.
    """
    path = Path(path)
    if kind not in KINDS:
        raise UsageError(f"a Hugging Face folder holds no {kind}; choose {', '.join(KINDS)}")
    model = with_layout(checkpoint, "half")
    fields = _fields(model) | {"torch_dtype": KINDS[kind][1]}
    check_weights(model, weight_shapes(model.config))
    with replacing_folder(path, replaced=_FILES) as folder:
        text = json.dumps(fields, indent=2) + "\n"
        (folder / CONFIG_FILE).write_text(text, encoding="utf-8", newline="\n")
        found = read_config(folder)
        unsaid = ("family",)
        check_expressible(model, found.config, "a Hugging Face folder", unsaid=unsaid)
        _write_weights(folder / _WEIGHTS_FILE, model, found.names, kind, progress)
        _copy_tokenizer(checkpoint, folder)


def _fields(model: Checkpoint) -> dict[str, Any]:
    """config.json. Raises UsageError for a model of another family."""
    c = model.config
    fields: dict[str, Any] = {"tie_word_embeddings": c.tied_output}
    if c.bos_id is not None:
        fields["bos_token_id"] = c.bos_id
    if c.eos_ids:
        fields["eos_token_id"] = c.eos_ids[0] if len(c.eos_ids) == 1 else list(c.eos_ids)
    if c.norm == "layer" and c.rope is None:
        return _gpt2(c) | fields
    if c.norm == "rms" and c.mlp == "swiglu" and c.rope is not None:
        return _llama(model, c, c.rope) | fields
    raise UsageError(
        f"{model.path} cannot be written as a Hugging Face folder: it is neither a Llama nor a "
        f"GPT-2 model, but of the family {c.family}"
    )


def _gpt2(c: Config) -> dict[str, Any]:
    return {
        "architectures": ["GPT2LMHeadModel"],
        "model_type": "gpt2",
        "n_embd": c.dim,
        "n_inner": c.hidden_dim,
        "n_layer": c.n_layers,
        "n_head": c.n_heads,
        "vocab_size": c.vocab_size,
        "n_positions": c.context_length,
        "n_ctx": c.context_length,
        "layer_norm_epsilon": c.norm_eps,
        "activation_function": "gelu_new",
    }


def _llama(model: Checkpoint, c: Config, rope: Rope) -> dict[str, Any]:
    if rope.scaling not in ("none", "llama3", "linear") or rope.factors or c.local_rope:
        raise UsageError(
            f"{model.path} cannot be written as a Hugging Face folder: its rotation is scaled in a "
            "way that config.json of a Llama has no words for"
        )
    fields = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": c.dim,
        "intermediate_size": c.hidden_dim,
        "num_hidden_layers": c.n_layers,
        "num_attention_heads": c.n_heads,
        "num_key_value_heads": c.n_kv_heads,
        "head_dim": c.head_dim,
        "vocab_size": c.vocab_size,
        "max_position_embeddings": c.context_length,
        "rms_norm_eps": c.norm_eps,
        "rope_theta": rope.base,
        "hidden_act": "silu",
        "attention_bias": c.qkv_bias,
        "mlp_bias": c.mlp_bias,
    }
    if rope.scaling != "none":
        scaling: dict[str, Any] = {"rope_type": rope.scaling, "factor": rope.factor}
        if rope.scaling == "llama3":
            scaling |= {
                "low_freq_factor": rope.low_freq_factor,
                "high_freq_factor": rope.high_freq_factor,
                "original_max_position_embeddings": rope.original_context,
            }
        fields["rope_scaling"] = scaling
    return fields


def _write_weights(
    path: Path, model: Checkpoint, names: Names, kind: str, progress: Progress | None
) -> None:
    """model.safetensors: each tensor of the file is one weight, or several that are fused."""
    target = storage_type(kind)
    fused: dict[str, list[str]] = {}
    for ours in weight_shapes(model.config):
        fused.setdefault(names.theirs(ours), []).append(ours)
    plan = [_planned(model, theirs, parts, names, kind) for theirs, parts in fused.items()]
    head = pack_header(plan, {"format": "pt"})
    total_bytes = len(head) + sum(tensor.size_bytes for tensor in plan)
    with path.open("wb") as file:
        file.write(head)
        for parts in fused.values():
            for values in _values(model, parts, names, target):
                file.write(np.ascontiguousarray(values).data)
                if progress is not None:
                    progress(file.tell(), total_bytes)


def _planned(model: Checkpoint, theirs: str, parts: list[str], names: Names, kind: str) -> Planned:
    shapes = [model.weights[part].shape for part in parts]
    shape = (sum(shape[0] for shape in shapes), *shapes[0][1:])
    if names.is_transposed(parts[0]):
        shape = shape[::-1]
    return Planned(theirs, KINDS[kind][0], shape)


def _values(
    model: Checkpoint, parts: list[str], names: Names, target: StorageType
) -> Iterator[Array]:
    """The values of a tensor of the file, in order; one that is transposed is whole in memory."""
    rows = (stored.planes[0] for part in parts for stored in converted(model, part, target))
    if not names.is_transposed(parts[0]):
        yield from rows
        return
    yield np.concatenate(list(rows)).T


def _copy_tokenizer(checkpoint: Checkpoint, folder: Path) -> None:
    """Copies a tokenizer that transformers knows, with its settings."""
    found = find_tokenizer(checkpoint.path, checkpoint.config.vocab_size)
    if found is None or found.name not in _TOKENIZERS:
        return
    for name in (*_TOKENIZERS, *SETTINGS):
        source = found.with_name(name)
        if source.is_file():
            shutil.copyfile(source, folder / name)
