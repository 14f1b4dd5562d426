"""`rung info`: what a model file holds and needs."""

from __future__ import annotations

import json as json_format
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rung.cli import options, show
from rung.cli.info.training import training_facts, training_text
from rung.errors import RungError, UsageError

if TYPE_CHECKING:
    from rung.engine.options import Activations, CacheType
    from rung.formats.base import Checkpoint
    from rung.models.config import Config, Rope
    from rung.tokenizers import Tokenizer

# What tells the common chat templates apart; the first that a template holds names it.
_TEMPLATE_MARKS = {
    "<|im_start|>": "chatml",
    "<|start_header_id|>": "llama3",
    "<start_of_turn>": "gemma",
    "[INST]": "llama2 or mistral",
    "<|user|>": "phi3 or zephyr",
}


def info(
    model: options.OptionalModel = None,
    context: options.Context = None,
    cache_type: options.CacheType = None,
    activations: options.Activations = None,
    json: options.Json = False,
) -> None:
    """Describe a model: its shape, its storage, its tokenizer, and the memory it needs.

    Nothing is loaded but the file's header. Memory is for one sequence of --context tokens. Of
    token shards, and of what rung data wrote, it tells what there is to train with.
    """
    if model is not None and (found := training_facts(model)) is not None:
        print(json_format.dumps(found, indent=2) if json else training_text(found))
        return
    from rung.engine.model import built_in_model
    from rung.engine.options import check_activations, check_cache_type
    from rung.formats import open_checkpoint

    cache = check_cache_type(cache_type)
    checkpoint = open_checkpoint(model or built_in_model())
    facts = describe(
        checkpoint,
        _checked_context(context, checkpoint.config),
        cache,
        check_activations(activations),
    )
    print(json_format.dumps(facts, indent=2) if json else _text(facts))


def describe(
    checkpoint: Checkpoint,
    context_length: int,
    cache_type: CacheType | None = None,
    activations: Activations | None = None,
) -> dict[str, Any]:
    """The facts of a model; sizes in bytes."""
    from rung.engine.need import memory_need
    from rung.engine.runner import choose_activations, default_cache_type

    config = checkpoint.config
    cache = cache_type or default_cache_type(checkpoint)
    taken = choose_activations(checkpoint, activations)
    need = memory_need(
        checkpoint, context_length=context_length, cache_type=cache, activations=taken
    )
    return {
        "path": str(checkpoint.path),
        "format": checkpoint.format,
        "family": config.family,
        "parameters": config.n_parameters,
        "layers": config.n_layers,
        "dim": config.dim,
        "hidden_dim": config.hidden_dim,
        "mlp": config.mlp,
        "norm": config.norm,
        "heads": config.n_heads,
        "kv_heads": config.n_kv_heads,
        "head_dim": config.head_dim,
        "rope": _rope(config.rope),
        "local_rope": _rope(config.local_rope),
        "sliding_window": config.sliding_window,
        "sliding_layers": sum(config.slides(layer) for layer in range(config.n_layers)),
        "vocab_size": config.vocab_size,
        "bos_id": config.bos_id,
        "eos_ids": list(config.eos_ids),
        "tied_output": config.tied_output,
        "trained_context": config.context_length,
        **_tokenizer(checkpoint),
        "file_bytes": checkpoint.file_bytes,
        "storage": _storage(checkpoint),
        "memory": {
            "context": context_length,
            "cache_type": cache,
            "activations": taken,
            **need._asdict(),
            "total_bytes": need.total_bytes,
        },
        "notes": list(checkpoint.notes),
    }


def _rope(rope: Rope | None) -> dict[str, Any] | None:
    """A rotation's fields; long lists of factors are left out, for they say nothing to a reader."""
    if rope is None:
        return None
    fields = asdict(rope)
    return fields | {
        name: None if factors is None else len(factors)
        for name, factors in fields.items()
        if name in ("factors", "long_factors")
    }


def _tokenizer(checkpoint: Checkpoint) -> dict[str, Any]:
    """Where the tokenizer is, its kind and size, and the chat template that came with it."""
    from rung.tokenizers import find_tokenizer, open_tokenizer

    facts: dict[str, Any] = {
        "tokenizer": None,
        "tokenizer_kind": None,
        "tokenizer_tokens": None,
        "chat_template": None,
    }
    path = find_tokenizer(checkpoint.path, checkpoint.config.vocab_size)
    if path is None:
        return facts
    facts["tokenizer"] = str(path)
    try:
        tokenizer = open_tokenizer(path, checkpoint.config.vocab_size)
    except RungError as error:  # a model can be described without it
        return facts | {"tokenizer_kind": f"cannot be used: {error}"}
    facts["tokenizer_kind"] = tokenizer.kind
    facts["tokenizer_tokens"] = tokenizer.vocab_size
    facts["chat_template"] = _template_name(tokenizer)
    return facts


def _template_name(tokenizer: Tokenizer) -> str | None:
    """What `rung chat` would take by itself: the file's template, or its format's."""
    if tokenizer.chat_template is None:
        return tokenizer.default_template
    marks = (name for mark, name in _TEMPLATE_MARKS.items() if mark in tokenizer.chat_template)
    return next(marks, "of no common kind")


def _checked_context(context: int | None, config: Config) -> int:
    if context is None:
        return config.context_length
    if not 1 <= context <= config.context_length:
        raise UsageError(
            f"--context is {context}, expected 1 to {config.context_length}, "
            "the length that the model was trained for"
        )
    return context


def _storage(checkpoint: Checkpoint) -> list[dict[str, Any]]:
    """Each storage type's tensors, bytes, and share of all bytes; the largest first."""
    size_bytes: Counter[str] = Counter()
    tensors: Counter[str] = Counter()
    for weight in checkpoint.weights.values():
        size_bytes[weight.type.name] += weight.size_bytes
        tensors[weight.type.name] += 1
    return [
        {
            "type": name,
            "tensors": tensors[name],
            "bytes": n_bytes,
            "share": n_bytes / checkpoint.size_bytes,
        }
        for name, n_bytes in size_bytes.most_common()
    ]


def _text(facts: dict[str, Any]) -> str:
    memory = facts["memory"]
    shown = {
        "model": facts["path"],
        "format": facts["format"],
        "family": f"{facts['family']}, {facts['norm']} norm, {facts['mlp']}",
        "parameters": f"{show.count(facts['parameters'])} ({facts['parameters']:,})",
        "shape": f"{facts['layers']} layers, dim {facts['dim']}, hidden {facts['hidden_dim']}",
        "heads": f"{facts['heads']} of {facts['head_dim']}, {facts['kv_heads']} of keys and values",
        "positions": _positions(facts),
        "vocabulary": f"{facts['vocab_size']:,} tokens, "
        + ("tied output" if facts["tied_output"] else "untied output"),
        "context": f"{facts['trained_context']:,} tokens",
        "tokenizer": facts["tokenizer"] or "none beside the model: name one with --tokenizer",
        **_tokenizer_lines(facts),
        "file": show.size(facts["file_bytes"]),
        **{_storage_name(i): _storage_line(kind) for i, kind in enumerate(facts["storage"])},
        "memory": f"{show.size(memory['total_bytes'])} = {show.size(memory['weights_bytes'])} "
        f"weights + {show.size(memory['kv_cache_bytes'])} {memory['cache_type']} cache of "
        f"{memory['context']:,} tokens "
        f"+ {show.size(memory['activations_bytes'])} {memory['activations']} activations",
        **{f"note {i}": note for i, note in enumerate(facts["notes"], start=1)},
    }
    return show.facts(shown)


def _positions(facts: dict[str, Any]) -> str:
    """How positions are told, and how far a token sees."""
    if facts["rope"] is None:
        return "a learned table"
    parts = [_rotation(facts["rope"])]
    if facts["local_rope"] is not None:
        parts.append(f"{_rotation(facts['local_rope'])} in layers with a window")
    if facts["sliding_window"] is not None and facts["sliding_layers"]:
        layers = f"{facts['sliding_layers']} of {facts['layers']} layers"
        parts.append(f"a window of {facts['sliding_window']:,} tokens in {layers}")
    return "; ".join(parts)


def _rotation(rope: dict[str, Any]) -> str:
    parts = [f"rope {rope['layout']}, base {rope['base']:g}, {rope['dims']} values a head"]
    if rope["scaling"] != "none":
        parts.append(f"scaled by {rope['scaling']} × {rope['factor']:g}")
    if rope["factors"] is not None or rope["long_factors"] is not None:
        parts.append("with factors of its own")
    return ", ".join(parts)


def _tokenizer_lines(facts: dict[str, Any]) -> dict[str, str]:
    if facts["tokenizer"] is None:
        return {}
    if facts["tokenizer_tokens"] is None:
        return {"": facts["tokenizer_kind"]}
    return {
        "": f"{facts['tokenizer_kind']}, {facts['tokenizer_tokens']:,} tokens",
        "chat template": facts["chat_template"] or "none",
    }


def _storage_name(index: int) -> str:
    return "weights" if index == 0 else " " * index  # a name once, lines below it


def _storage_line(kind: dict[str, Any]) -> str:
    tensors = "tensor" if kind["tensors"] == 1 else "tensors"
    return (
        f"{kind['type']:<8} {kind['share']:>6.1%}  {show.size(kind['bytes'])} "
        f"in {kind['tensors']} {tensors}"
    )
