"""config.json and generation_config.json of a folder: which family it is, and its Config."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rung.errors import FormatError
from rung.formats.huggingface.families import FAMILIES, Family
from rung.formats.huggingface.weights import Names
from rung.formats.json_fields import Fields, read_object
from rung.formats.sizes import MOST
from rung.models.config import Config

CONFIG_FILE = "config.json"
GENERATION_FILE = "generation_config.json"


@dataclass(frozen=True)
class Described:
    """What a folder's JSON files say."""

    architecture: str
    config: Config
    names: Names


def read_config(folder: Path) -> Described:
    """The model that config.json and generation_config.json of a folder describe.

    Raises FormatError for an architecture or option that is not supported, and for a field that is
    missing or wrong.
    """
    fields = read_object(folder / CONFIG_FILE, "the configuration of a Hugging Face model")
    architectures = [name for name in fields.items("architectures") if isinstance(name, str)]
    known = next((name for name in architectures if name in FAMILIES), None)
    if known is None:
        raise fields.refuse("architectures", f"one of {', '.join(FAMILIES)}")
    if "quantization_config" in fields:
        raise fields.refuse("quantization_config", "none: weights in F32, F16 or BF16")
    family = FAMILIES[known]
    try:
        shared = _shared(fields, family)
        extra = family.read(fields, shared)
        ends = _ends(folder, fields, shared["vocab_size"])
        config = Config(family=family.name, **(shared | extra | ends))
    except ValueError as error:
        raise FormatError(fields.path, "configuration", str(error), "a model that fits") from None
    return Described(known, config, family.names)


def _shared(fields: Fields, family: Family) -> dict[str, Any]:
    """The sizes that every family has, by the names of Config."""

    def size(name: str, default: int | None = None) -> int:
        return fields.integer(family.keys[name], least=1, most=MOST[name], default=default)

    dim, n_heads = size("dim"), size("n_heads")
    return {
        "dim": dim,
        "n_heads": n_heads,
        "n_layers": size("n_layers"),
        "vocab_size": size("vocab_size"),
        "context_length": size("context_length"),
        "hidden_dim": size("hidden_dim", family.hidden_ratio and family.hidden_ratio * dim),
        "n_kv_heads": size("n_kv_heads", n_heads),
        "head_dim": size("head_dim", family.head_dim or dim // n_heads),
        "norm_eps": fields.number(family.keys["norm_eps"], default=family.norm_eps),
        "tied_output": fields.flag("tie_word_embeddings", family.tied),
    }


def _ends(folder: Path, fields: Fields, vocab_size: int) -> dict[str, Any]:
    """The tokens that begin and end a text; what generation_config.json says goes before."""
    sources = [fields]
    if (path := folder / GENERATION_FILE).exists():
        sources.insert(0, read_object(path, "the generation options of a Hugging Face model"))
    most = vocab_size - 1
    first = next((source for source in sources if "eos_token_id" in source), None)
    return {
        "bos_id": fields.integer("bos_token_id", most=most) if "bos_token_id" in fields else None,
        "eos_ids": () if first is None else _ids(first, "eos_token_id", most),
    }


def _ids(fields: Fields, name: str, most: int) -> tuple[int, ...]:
    """One id or several."""
    if not isinstance(fields.values[name], list):
        return (fields.integer(name, most=most),)
    return tuple(
        Fields(fields.path, {name: value}).integer(name, most=most) for value in fields.items(name)
    )
