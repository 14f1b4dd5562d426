"""Tiny models of every family that GGUF files hold, and hand-made GGUF files."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rung.formats.base import Checkpoint
from rung.formats.gguf.header import parse_header
from rung.formats.gguf.pack import ALIGNMENT, Planned, integer, pack_header, padding
from rung.formats.gguf.types import tensor_types
from rung.formats.gguf.write import write
from rung.models.config import Rope

HALF = Rope(layout="half", base=1e6, dims=4)

FAMILIES: dict[str, dict[str, Any]] = {
    "llama": {"tied_output": False},
    "llama with factors": {"rope": Rope(dims=4, base=500000.0, factors=(1.0, 8.0))},
    "llama, linear": {"rope": Rope(dims=4, scaling="linear", factor=4.0)},
    "llama with biases": {"qkv_bias": True, "output_bias": True, "mlp_bias": True},
    "llama, sliding": {"sliding_window": 8},
    "llama, part of a head turns": {"rope": Rope(dims=2)},
    "qwen2": {"family": "qwen2", "rope": HALF, "qkv_bias": True},
    "qwen2, yarn": {
        "family": "qwen2",
        "qkv_bias": True,
        "rope": Rope(
            layout="half",
            dims=4,
            scaling="yarn",
            factor=4.0,
            original_context=16,
            beta_fast=24.0,
            attention_factor=1.2,
        ),
    },
    "qwen3": {
        "family": "qwen3",
        "rope": Rope(layout="half", dims=8),
        "qk_norm": True,
        "head_dim": 8,
    },
    "phi3": {"family": "phi3", "rope": HALF, "sliding_window": 16, "tied_output": False},
    "phi3, longrope": {
        "family": "phi3",
        "rope": Rope(
            layout="half",
            dims=4,
            factors=(1.0, 1.5),
            long_factors=(2.0, 30.0),
            original_context=16,
            attention_factor=1.25,
        ),
    },
    "gemma": {
        "family": "gemma",
        "rope": Rope(layout="half", dims=8),
        "head_dim": 8,
        "mlp": "geglu",
        "embedding_scale": 4.0,
        "norm_eps": 1e-6,
    },
    "gemma2": {
        "family": "gemma2",
        "rope": HALF,
        "mlp": "geglu",
        "embedding_scale": 4.0,
        "post_norms": True,
        "attention_scale": 1 / math.sqrt(6),
        "attention_softcap": 50.0,
        "output_softcap": 30.0,
        "sliding_window": 8,
        "sliding_layers": (True, False),
    },
    "gemma3": {
        "family": "gemma3",
        "rope": Rope(layout="half", dims=4, base=1e6, scaling="linear", factor=8.0),
        "local_rope": Rope(layout="half", dims=4),
        "mlp": "geglu",
        "embedding_scale": 4.0,
        "post_norms": True,
        "qk_norm": True,
        "sliding_window": 8,
        "sliding_layers": (False, True),
    },
    "gpt2": {
        "family": "gpt2",
        "norm": "layer",
        "mlp": "gelu",
        "rope": None,
        "qkv_bias": True,
        "output_bias": True,
        "mlp_bias": True,
        "n_kv_heads": 4,
    },
}


def write_gguf(
    path: Path,
    metadata: Mapping[str, bytes],
    tensors: Mapping[str, tuple[str, tuple[int, ...], bytes]] = {},
) -> Path:
    """A GGUF file of these values and tensors (type name, shape, bytes)."""
    types = {kind.name: kind for kind in tensor_types().values()}
    plan = [Planned(name, types[kind], shape) for name, (kind, shape, _) in tensors.items()]
    given = metadata.get("general.alignment")
    alignment = ALIGNMENT if given is None else int.from_bytes(given[4:], "little")
    with path.open("wb") as file:
        file.write(pack_header(metadata, plan, alignment))
        for _, _, data in tensors.values():
            file.write(data + bytes(padding(len(data), alignment)))
    return path


def shards(folder: Path, model: Checkpoint, count: int) -> list[Path]:
    """The files of `model` split into `count`, named as llama.cpp names them."""
    whole = folder / "whole.gguf"
    write(whole, model)
    data = whole.read_bytes()
    header = parse_header(whole, memoryview(data))
    paths = []
    for number in range(count):
        metadata = {"split.no": integer(number), "split.count": integer(count)}
        metadata["split.tensors.count"] = integer(len(header.tensors))
        if number == 0:
            metadata |= {key: header.metadata.raw(key) for key in header.metadata}
        tensors = {
            info.name: (info.type.name, info.shape, data[info.start : info.start + info.size_bytes])
            for info in header.tensors[number::count]
        }
        path = folder / f"tiny-{number + 1:05}-of-{count:05}.gguf"
        paths.append(write_gguf(path, metadata, tensors))
    return paths
