"""Weights of a Hugging Face folder under the names of `models.config.weight_shapes`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from rung.errors import FormatError
from rung.formats.planes import tensor_in, vector_as_float32
from rung.formats.safetensors_file import Tensor
from rung.models.config import Config, weight_shapes
from rung.storage import StoredTensor, storage_type, stored

_TYPES = {"F32": "f32", "F16": "f16", "BF16": "bf16"}

# Buffers that some files hold beside the weights: tables and masks that everyone computes anew.
_BUFFERS = (".rotary_emb.inv_freq", ".attn.bias", ".attn.masked_bias")


@dataclass(frozen=True)
class Entry:
    """A tensor of a folder: the file it is in, its name there, and its bytes, mapped."""

    path: Path
    name: str
    tensor: Tensor

    def stored(self) -> StoredTensor:
        """The tensor, a view of the file. Raises FormatError for a type other than floats."""
        if self.tensor.dtype not in _TYPES:
            expected = " or ".join(_TYPES)
            raise FormatError(self.path, f"dtype of {self.name}", self.tensor.dtype, expected)
        kind = storage_type(_TYPES[self.tensor.dtype])
        return tensor_in(self.tensor.data, kind, self.tensor.shape)


@dataclass(frozen=True, kw_only=True)
class Names:
    """How a family names its weights, and in what form it stores them.

    root stands before all names (but lm_head's), and may be missing in a whole file; layers, then
    the layer's number, before those of a layer. parts gives each of our names, without ".weight"
    and block, its own; parts of one name are fused there, row after row.
    """

    parts: Mapping[str, str]
    root: str = "model."
    layers: str = "layers."
    transposed: frozenset[str] = field(
        default_factory=frozenset
    )  # matrices stored [inputs, outputs]
    norms_less_one: bool = False

    def theirs(self, ours: str) -> str:
        """The name in the file, root included, for one of `weight_shapes`."""
        stem, _, suffix = ours.rpartition(".")
        if not stem.startswith("blk."):
            part = self.parts[stem]
            return f"{part}.{suffix}" if part == "lm_head" else f"{self.root}{part}.{suffix}"
        _, layer, part = stem.split(".")
        return f"{self.root}{self.layers}{layer}.{self.parts[part]}.{suffix}"

    def is_transposed(self, ours: str) -> bool:
        """Whether the file holds this weight as [inputs, outputs]."""
        stem, _, suffix = ours.rpartition(".")
        return suffix == "weight" and stem.rpartition(".")[2] in self.transposed


def build_weights(
    folder: Path, config: Config, names: Names, entries: Mapping[str, Entry]
) -> dict[str, StoredTensor]:
    """Every weight of `config` from the tensors of a folder.

    Raises FormatError for a tensor that is missing, of another shape or type, or that no weight
    is made of: a model with more weights than we know computes something else.
    """
    # A base model saved without its head has no root before its names.
    rooted = any(name.startswith(names.root) for name in entries)
    fused: dict[str, dict[str, tuple[int, ...]]] = {}
    for ours, shape in weight_shapes(config).items():
        theirs = names.theirs(ours)
        fused.setdefault(theirs if rooted else theirs.removeprefix(names.root), {})[ours] = shape
    weights: dict[str, StoredTensor] = {}
    for theirs, parts in fused.items():
        if theirs not in entries:
            found = sorted(parts)[0] if len(parts) == 1 else f"{len(parts)} weights"
            raise FormatError(folder, theirs, "missing", f"in a safetensors file, for {found}")
        weights |= _split(entries[theirs], parts, names)
    _refuse_others(folder, config, entries.keys() - fused.keys())
    return {ours: weights[ours] for ours in weight_shapes(config)}


def _split(
    entry: Entry, parts: Mapping[str, tuple[int, ...]], names: Names
) -> dict[str, StoredTensor]:
    """The weights that are fused in one tensor; most often it is one."""
    first = next(iter(parts))
    shape = (sum(part[0] for part in parts.values()), *parts[first][1:])
    transposed = names.is_transposed(first)
    expected = shape[::-1] if transposed else shape
    if entry.tensor.shape != expected:
        raise FormatError(entry.path, f"shape of {entry.name}", entry.tensor.shape, expected)
    whole = vector_as_float32(entry.stored())
    if len(shape) == 1 and names.norms_less_one and first.endswith("norm.weight"):
        whole = stored(whole.float32() + np.float32(1))
    elif transposed:
        planes = tuple(np.ascontiguousarray(plane.T) for plane in whole.planes)
        whole = StoredTensor(whole.type, shape, planes)
    split, start = {}, 0
    for ours, part in parts.items():
        split[ours] = whole.rows(start, start + part[0])
        start += part[0]
    return split


def _refuse_others(folder: Path, config: Config, others: set[str]) -> None:
    unknown = sorted(name for name in others if not name.endswith(_BUFFERS))
    if config.tied_output:
        # Some files hold the tied head a second time.
        unknown = [name for name in unknown if name != "lm_head.weight"]
    if unknown:
        more = f" (and {len(unknown) - 1} others)" if len(unknown) > 1 else ""
        expected = f"only weights that the {config.family} family has with this config.json"
        raise FormatError(folder, "tensors", f"{unknown[0]}{more}", expected)
