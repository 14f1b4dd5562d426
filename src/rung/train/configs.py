"""Shapes of models to train from nothing, by name or from a JSON file.

gpt2-124m  gpt2-350m  gpt2-774m  gpt2-1558m      the published ones
gpt2:d12                                         GPT-2 by depth, as llm.c has it
gpt2:128x4:heads=4                               GPT-2 by width × layers
llama:288x6                                      Llama by width × layers
llama:288x6:heads=6,kv=2,context=512             some sizes told
shape.json                                       all fields of a Config
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from rung.errors import UsageError
from rung.formats.config_json import read_config
from rung.formats.llmc.layout import plain_config
from rung.formats.sizes import MOST
from rung.models.config import Config, Rope
from rung.tokenizers.base import Tokenizer

# Depth: width and heads. 12 to 48 are the published GPT-2 models, 6 is llm.c's own.
_GPT2_DEPTHS = {6: (384, 6), 12: (768, 12), 24: (1024, 16), 36: (1280, 20), 48: (1600, 25)}
_GPT2_NAMES = {"gpt2-124m": 12, "gpt2-350m": 24, "gpt2-774m": 36, "gpt2-1558m": 48}
_GPT2_VOCAB, _GPT2_CONTEXT = 50257, 1024

# Where llama2.c's models have their defaults: Llama 2's vocabulary, hidden widths of 32s.
_LLAMA_VOCAB, _LLAMA_CONTEXT = 32000, 256
_HIDDEN_MULTIPLE = 32
_HEAD_DIMS = (64, 48, 32, 128, 96, 80, 16, 8)  # the first that divides the width is taken

_SIZED = re.compile(r"(gpt2|llama):([0-9]{1,7})x([0-9]{1,4})")
_GPT2 = re.compile(r"gpt2:d([0-9]{1,4})")
_SETTING = re.compile(r"(?:tied=(yes|no)|([a-z]+)=([0-9]{1,9}))")

# What may follow a name, by the sizes that it means.
_GPT2_SETTINGS = ("vocab", "context")  # a depth tells the rest
_SIZED_GPT2_SETTINGS = ("heads", *_GPT2_SETTINGS)
_LLAMA_SETTINGS = ("heads", "kv", "hidden", "context", "vocab", "tied")
_LIMITS = {
    "heads": MOST["n_heads"],
    "kv": MOST["n_kv_heads"],
    "hidden": MOST["hidden_dim"],
    "context": MOST["context_length"],
    "vocab": MOST["vocab_size"],
}


def config_named(name: str) -> Config:
    """The Config of a name, or in a JSON file. Raises UsageError, FormatError (of a file)."""
    if name.endswith(".json"):
        return read_config(Path(name))
    base, settings = _settings(name)
    depth = _depth(base)
    if depth is not None:
        return _gpt2_of_depth(name, depth, settings)
    if (match := _SIZED.fullmatch(base)) is not None:
        dim, n_layers = int(match[2]), int(match[3])
        known = _SIZED_GPT2_SETTINGS if match[1] == "gpt2" else _LLAMA_SETTINGS
        _check_known(name, settings, known)
        _check_sizes(name, dim, n_layers)
        n_heads = settings.get("heads") or _heads(name, dim)
        if match[1] == "gpt2":
            return _gpt2(name, dim, n_layers, n_heads, settings)
        return _llama(name, dim, n_layers, n_heads, settings)
    raise UsageError(
        f"model {name!r} is unknown, expected one of {', '.join(_GPT2_NAMES)}, gpt2:d12 (depth "
        f"{', '.join(map(str, _GPT2_DEPTHS))}), gpt2:128x4 or llama:288x6 (width x layers), or a "
        ".json file"
    )


def fitted(config: Config, tokenizer: Tokenizer) -> Config:
    """The same shape with a tokenizer's vocabulary, and its tokens that begin and end texts."""
    ends = tokenizer.eos_ids or ({tokenizer.eos_id} if tokenizer.eos_id is not None else ())
    return replace(
        config,
        vocab_size=tokenizer.vocab_size,
        bos_id=tokenizer.bos_id,
        eos_ids=tuple(sorted(ends)),
    )


def _depth(base: str) -> int | None:
    """The depth of a GPT-2 by either kind of name; None for another name."""
    if base in _GPT2_NAMES:
        return _GPT2_NAMES[base]
    match = _GPT2.fullmatch(base)
    return None if match is None else int(match[1])


def _gpt2_of_depth(name: str, depth: int, settings: Mapping[str, int]) -> Config:
    if depth not in _GPT2_DEPTHS:
        depths = ", ".join(f"d{d}" for d in _GPT2_DEPTHS)
        raise UsageError(f"model {name!r}: depth is {depth}, expected one of {depths}")
    _check_known(name, settings, _GPT2_SETTINGS)
    dim, n_heads = _GPT2_DEPTHS[depth]
    return _gpt2(name, dim, depth, n_heads, settings)


def _gpt2(name: str, dim: int, n_layers: int, n_heads: int, settings: Mapping[str, int]) -> Config:
    if dim % n_heads:
        raise UsageError(
            f"model {name!r}: heads is {n_heads}, expected a number that divides the width {dim}"
        )
    return plain_config(
        dim=dim,
        n_layers=n_layers,
        n_heads=n_heads,
        vocab_size=settings.get("vocab", _GPT2_VOCAB),
        context_length=settings.get("context", _GPT2_CONTEXT),
    )


def _llama(name: str, dim: int, n_layers: int, n_heads: int, settings: Mapping[str, int]) -> Config:
    if dim % n_heads or dim // n_heads % 2:
        raise UsageError(
            f"model {name!r}: heads is {n_heads}, expected a number that divides the width {dim} "
            "into heads of an even width"
        )
    n_kv_heads = settings.get("kv", n_heads)
    if n_heads % n_kv_heads:
        raise UsageError(f"model {name!r}: kv is {n_kv_heads}, expected a divisor of {n_heads}")
    return Config(
        dim=dim,
        hidden_dim=settings.get("hidden", _hidden(dim)),
        n_layers=n_layers,
        n_heads=n_heads,
        n_kv_heads=n_kv_heads,
        head_dim=dim // n_heads,
        vocab_size=settings.get("vocab", _LLAMA_VOCAB),
        context_length=settings.get("context", _LLAMA_CONTEXT),
        rope=Rope(dims=dim // n_heads),
        tied_output=bool(settings.get("tied", 1)),
    )


def _hidden(dim: int) -> int:
    """8/3 of the width, rounded up to whole 32s: as many weights as GPT-2's 4 with two matrices."""
    return -(-(4 * dim * 2 // 3) // _HIDDEN_MULTIPLE) * _HIDDEN_MULTIPLE


def _heads(name: str, dim: int) -> int:
    """The number of heads that makes them 64 wide, or as near as a usual width comes."""
    for head_dim in _HEAD_DIMS:
        if dim % head_dim == 0:
            return dim // head_dim
    raise UsageError(f"model {name!r}: no usual width of a head divides {dim}; give heads=N")


def _settings(name: str) -> tuple[str, dict[str, int]]:
    """The name without its settings, and those as numbers (yes 1, no 0)."""
    kind, _, rest = name.partition(":")
    size, _, told = rest.partition(":")
    if kind in _GPT2_NAMES:  # whose sizes follow the first colon
        size, told = "", rest
    settings: dict[str, int] = {}
    for part in told.split(",") if told else ():
        match = _SETTING.fullmatch(part)
        if match is None:
            raise UsageError(f"model {name!r}: {part!r} is no setting, expected as context=512")
        if match[1]:
            settings["tied"] = int(match[1] == "yes")
        else:
            settings[match[2]] = int(match[3])
    return f"{kind}:{size}" if size else kind, settings


def _check_sizes(name: str, dim: int, n_layers: int) -> None:
    for what, found, most in (
        ("width", dim, MOST["dim"]),
        ("layers", n_layers, MOST["n_layers"]),
    ):
        if not 1 <= found <= most:
            raise UsageError(f"model {name!r}: {what} is {found}, expected 1 to {most:,}")


def _check_known(name: str, settings: Mapping[str, int], known: tuple[str, ...]) -> None:
    for setting, value in settings.items():
        if setting not in known:
            raise UsageError(f"model {name!r}: unknown {setting}, expected {', '.join(known)}")
        most = _LIMITS.get(setting, 1)
        if setting != "tied" and not 1 <= value <= most:
            raise UsageError(f"model {name!r}: {setting} is {value}, expected 1 to {most:,}")
