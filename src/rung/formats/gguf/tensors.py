"""How GGUF files of each architecture name and stack the weights of a Config, for both directions.

Where the names of `models.config.weight_shapes` are not what a file has, it has several of them
stacked by rows: queries, keys and values as attn_qkv, or gate and up as ffn_up.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from rung.models.config import Config, weight_shapes

# Architectures that llama.cpp writes with stacked tensors.
STACKED_QKV = frozenset({"phi3", "gpt2"})
STACKED_GATE = frozenset({"phi3"})

# Tensors that are a field of Rope; Phi-3 has the last two.
FREQUENCY_TENSORS = {
    "rope_freqs.weight": "factors",
    "rope_factors_short.weight": "factors",
    "rope_factors_long.weight": "long_factors",
}
# Frequencies of before they were metadata.
_UNUSED_SUFFIXES = (".attn_rot_embd.weight", ".rope_freqs.weight")
_QKV = re.compile(r"\.attn_[qkv]\.")


@dataclass(frozen=True)
class FileTensor:
    """A tensor of a file: `parts` are the weights stacked in it, each by name and rows."""

    name: str
    shape: tuple[int, ...]
    parts: tuple[tuple[str, int], ...]


def is_weight(name: str) -> bool:
    """Whether a tensor of this name holds weights that a Config asks for."""
    return name not in FREQUENCY_TENSORS and not name.endswith(_UNUSED_SUFFIXES)


def file_tensors(config: Config, present: Collection[str] | None = None) -> list[FileTensor]:
    """The tensors of a file for `config`, in order.

    `present` are the names in a file to read, which tell whether it stacks queries, keys and
    values; without it they are stacked where llama.cpp does.
    """
    shapes = weight_shapes(config)
    stacks: dict[str, list[str]] = {}
    for name in shapes:
        stacks.setdefault(_file_name(name, config, present), []).append(name)
    tensors = []
    for name, parts in stacks.items():
        rows = tuple((part, shapes[part][0]) for part in parts)
        shape = (sum(count for _, count in rows), *shapes[parts[0]][1:])
        tensors.append(FileTensor(name, shape, rows))
    return tensors


def _file_name(name: str, config: Config, present: Collection[str] | None) -> str:
    """The tensor of a file that holds the weight `name`.

    Weights that share one come in the order of `weight_shapes`: q, k, v, and gate before up.
    """
    if config.family in STACKED_GATE:
        name = name.replace(".ffn_gate.", ".ffn_up.")
    stacked = _QKV.sub(".attn_qkv.", name)
    in_file = config.family in STACKED_QKV if present is None else stacked in present
    return stacked if in_file else name
