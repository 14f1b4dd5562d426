"""Read the checkpoints of gpt-fast: model.pth (floats) and model_int8.pth (int8, a scale a row).

wqkv holds the rows of query, key and value, each turned as pairs of neighbours (interleaved).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

import numpy as np

from rung.errors import FormatError
from rung.formats.base import Checkpoint
from rung.formats.finite import check_loaded
from rung.formats.gptfast.known import Sizes, find_config
from rung.formats.planes import vector_as_float32
from rung.formats.torch_file import RawTensor, read_tensors, recognises
from rung.models.config import Config, weight_shapes
from rung.storage import StoredTensor, storage_type

__all__ = ["read", "recognises"]

_FLOATS = {"float32": "f32", "float16": "f16", "bfloat16": "bf16"}
_SCALES = "scales"
_MOST_LAYERS = 1 << 10

_QKV = "attention.wqkv"
_PARTS = {
    "attention_norm": "attn_norm",
    "attention.wo": "attn_output",
    "ffn_norm": "ffn_norm",
    "feed_forward.w1": "ffn_gate",
    "feed_forward.w2": "ffn_down",
    "feed_forward.w3": "ffn_up",
}
_OUTSIDE = {"tok_embeddings": "token_embd", "norm": "output_norm", "output": "output"}
_LAYER = re.compile(r"layers\.(\d{1,4})\.(.+)")


def read(path: str | Path, *, check: bool = True) -> Checkpoint:
    """The model in the file at `path`, its matrices read-only views of the mapped file.

    Norms become float32, and so do the scales of int8. What the file does not say comes from
    beside it, or from a table of known models (`known.py`). Raises FormatError for a file that
    is damaged, not gpt-fast's, or of a model that nothing tells; RungError where torch is missing.
    """
    path = Path(path)
    raw = read_tensors(path)
    for name in raw:
        if name.endswith((".scales_and_zeros", ".zeros")):
            raise FormatError(path, name, "of int4", "float or int8 (model.pth, model_int8.pth)")
    sizes = _sizes(path, raw)
    config = find_config(path, sizes)
    weights = _weights(path, raw, config)
    kinds = dict.fromkeys(w.type.name for w in weights.values() if len(w.shape) > 1)
    checkpoint = Checkpoint(path, f"gpt-fast ({', '.join(kinds)})", config, weights)
    check_loaded(checkpoint, size_bytes=path.stat().st_size, matrices=check)
    return checkpoint


def _sizes(path: Path, raw: Mapping[str, RawTensor]) -> Sizes:
    """The sizes that the tensors tell."""

    def shape(name: str) -> tuple[int, ...]:
        if name not in raw:
            raise FormatError(path, name, "missing", "a tensor that gpt-fast's files have")
        found = raw[name].values.shape
        if len(found) != 2 or 0 in found:
            raise FormatError(path, f"shape of {name}", list(found), "rows and columns")
        return found

    vocab_size, dim = shape("tok_embeddings.weight")
    hidden_dim = shape("layers.0.feed_forward.w1.weight")[0]
    qkv_rows = shape(f"layers.0.{_QKV}.weight")[0]
    if not 0 < qkv_rows - dim <= 2 * dim or (qkv_rows - dim) % 2:
        expected = f"{dim} of queries and as many for keys as for values"
        raise FormatError(path, f"rows of layers.0.{_QKV}.weight", qkv_rows, expected)
    layers = {int(match[1]) for name in raw if (match := _LAYER.fullmatch(name))}
    if layers != set(range(len(layers))) or len(layers) > _MOST_LAYERS:
        raise FormatError(path, "layers", f"{len(layers)} with gaps", "numbered from 0 on")
    return Sizes(dim, len(layers), hidden_dim, (qkv_rows - dim) // 2, vocab_size)


def _weights(path: Path, raw: Mapping[str, RawTensor], config: Config) -> dict[str, StoredTensor]:
    shapes = weight_shapes(config)
    weights: dict[str, StoredTensor] = {}
    for name in raw:
        stem, _, part = name.rpartition(".")
        if part == _SCALES and f"{stem}.weight" in raw:
            continue
        for ours, tensor in _named(path, name, raw, config).items():
            if ours not in shapes:
                raise FormatError(path, name, "unknown", "a tensor that gpt-fast's files have")
            if tensor.shape != shapes[ours]:
                found = f"{list(tensor.shape)} (for {ours})"
                raise FormatError(path, f"shape of {name}", found, list(shapes[ours]))
            weights[ours] = vector_as_float32(tensor)
    for name in shapes:
        if name not in weights:
            raise FormatError(path, name, "missing", f"of shape {list(shapes[name])}")
    return {name: weights[name] for name in shapes}


def _named(
    path: Path, name: str, raw: Mapping[str, RawTensor], config: Config
) -> dict[str, StoredTensor]:
    """The weights that one tensor of the file is, by our names."""
    stem, _, part = name.rpartition(".")
    if part != "weight":
        raise FormatError(path, name, "unknown", "a tensor that gpt-fast's files have")
    tensor = _stored(path, stem, raw)
    if stem in _OUTSIDE:
        return {f"{_OUTSIDE[stem]}.weight": tensor}
    match = _LAYER.fullmatch(stem)
    block, inner = (f"blk.{int(match[1])}", match[2]) if match else ("", "")
    if inner in _PARTS:
        return {f"{block}.{_PARTS[inner]}.weight": tensor}
    if inner == _QKV:
        ends = config.dim, config.dim + config.n_kv_heads * config.head_dim, tensor.shape[0]
        starts = (0, *ends)
        return {
            f"{block}.attn_{letter}.weight": tensor.rows(start, stop)
            for letter, start, stop in zip("qkv", starts, ends, strict=False)
        }
    raise FormatError(path, name, "unknown", "a tensor that gpt-fast's files have")


def _stored(path: Path, stem: str, raw: Mapping[str, RawTensor]) -> StoredTensor:
    """A tensor of the file in the storage type that it has."""
    name = f"{stem}.weight"
    weight, scales = raw[name], raw.get(f"{stem}.{_SCALES}")
    shape = weight.values.shape
    if weight.dtype == "int8" and scales is not None and len(shape) == 2:
        scale_type = _FLOATS.get(scales.dtype)
        if scale_type is None or scales.values.shape != shape[:1]:
            found = f"{scales.dtype} {list(scales.values.shape)}"
            raise FormatError(path, f"{stem}.{_SCALES}", found, f"floats of shape [{shape[0]}]")
        exact = _plain(scales, scale_type).float32().reshape(-1, 1)
        exact.flags.writeable = False
        return StoredTensor(storage_type("i8"), shape, (weight.values, exact))
    if weight.dtype not in _FLOATS or scales is not None or len(shape) not in (1, 2):
        _refuse(path, name, weight, scales)
    return _plain(weight, _FLOATS[weight.dtype])


def _plain(raw: RawTensor, kind: str) -> StoredTensor:
    return StoredTensor(storage_type(kind), raw.values.shape, (np.asarray(raw.values),))


def _refuse(path: Path, name: str, weight: RawTensor, scales: RawTensor | None) -> NoReturn:
    extra = "" if scales is None else " with scales"
    found = f"{weight.dtype} {list(weight.values.shape)}{extra}"
    raise FormatError(path, name, found, "floats, or an int8 matrix with scales")
