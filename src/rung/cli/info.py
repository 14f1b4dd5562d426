"""`rung info`: what a model file holds and needs."""

from __future__ import annotations

import json as json_format
from collections import Counter
from typing import TYPE_CHECKING, Any

from rung.cli import options, show
from rung.errors import UsageError

if TYPE_CHECKING:
    from rung.formats.base import Checkpoint
    from rung.models.config import Config

_CACHE_VALUE_BYTES = 4  # the cache is float32


def info(
    model: options.OptionalModel = None,
    context: options.Context = None,
    json: options.Json = False,
) -> None:
    """Describe a model: its shape, its storage, and the memory it needs.

    Nothing is loaded but the file's header. Memory is for one sequence of --context tokens.
    """
    from rung.engine.model import built_in_model
    from rung.formats import open_checkpoint

    checkpoint = open_checkpoint(model or built_in_model())
    facts = describe(checkpoint, _checked_context(context, checkpoint.config))
    print(json_format.dumps(facts, indent=2) if json else _text(facts))


def describe(checkpoint: Checkpoint, context_length: int) -> dict[str, Any]:
    """The facts of a model; sizes in bytes."""
    from rung.tokenizers import find_tokenizer

    config = checkpoint.config
    tokenizer = find_tokenizer(checkpoint.path, config.vocab_size)
    cache_bytes = cache_size_bytes(config, context_length)
    return {
        "path": str(checkpoint.path),
        "format": checkpoint.format,
        "family": config.family,
        "parameters": config.n_parameters,
        "layers": config.n_layers,
        "dim": config.dim,
        "hidden_dim": config.hidden_dim,
        "heads": config.n_heads,
        "kv_heads": config.n_kv_heads,
        "head_dim": config.head_dim,
        "vocab_size": config.vocab_size,
        "tied_output": config.tied_output,
        "trained_context": config.context_length,
        "tokenizer": None if tokenizer is None else str(tokenizer),
        "file_bytes": checkpoint.file_bytes,
        "storage": _storage(checkpoint),
        "memory": {
            "context": context_length,
            "weights_bytes": checkpoint.size_bytes,
            "kv_cache_bytes": cache_bytes,
            "total_bytes": checkpoint.size_bytes + cache_bytes,
        },
    }


def cache_size_bytes(config: Config, context_length: int) -> int:
    """Bytes of keys and values of one sequence."""
    values = 2 * config.n_layers * context_length * config.n_kv_heads * config.head_dim
    return values * _CACHE_VALUE_BYTES


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
        "family": facts["family"],
        "parameters": f"{show.count(facts['parameters'])} ({facts['parameters']:,})",
        "shape": f"{facts['layers']} layers, dim {facts['dim']}, hidden {facts['hidden_dim']}",
        "heads": f"{facts['heads']} of {facts['head_dim']}, {facts['kv_heads']} of keys and values",
        "vocabulary": f"{facts['vocab_size']:,} tokens, "
        + ("tied output" if facts["tied_output"] else "untied output"),
        "context": f"{facts['trained_context']:,} tokens",
        "tokenizer": facts["tokenizer"] or "none beside the model: name one with --tokenizer",
        "file": show.size(facts["file_bytes"]),
        **{_storage_name(i): _storage_line(kind) for i, kind in enumerate(facts["storage"])},
        "memory": f"{show.size(memory['total_bytes'])} = {show.size(memory['weights_bytes'])} "
        f"weights + {show.size(memory['kv_cache_bytes'])} cache of {memory['context']:,} tokens",
    }
    return show.facts(shown)


def _storage_name(index: int) -> str:
    return "weights" if index == 0 else " " * index  # a name once, lines below it


def _storage_line(kind: dict[str, Any]) -> str:
    tensors = "tensor" if kind["tensors"] == 1 else "tensors"
    return (
        f"{kind['type']:<8} {kind['share']:>6.1%}  {show.size(kind['bytes'])} "
        f"in {kind['tensors']} {tensors}"
    )
