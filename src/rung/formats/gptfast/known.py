"""What the files of gpt-fast do not say of a model: heads, context, rotation, special tokens.

The tensors give every size but the number of heads. The rest comes from a config.json or a
params.json beside the file, or from this table of the models that gpt-fast knows by name. Models of
equal sizes are told apart as gpt-fast does: by the name of the folder.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from rung.errors import FormatError
from rung.formats.huggingface.config import CONFIG_FILE, read_config
from rung.formats.json_fields import read_object
from rung.formats.sizes import MOST_CONTEXT
from rung.models.config import Config, Rope

PARAMS_FILE = "params.json"
_DEFAULT_CONTEXT = 2048  # gpt-fast's own for models it knows no better


class Sizes(NamedTuple):
    """What the tensors of a file say: widths, layers, width of all key heads, vocabulary."""

    dim: int
    n_layers: int
    hidden_dim: int
    kv_width: int
    vocab_size: int


@dataclass(frozen=True)
class Known:
    """A model by the name that gpt-fast has for it."""

    name: str
    sizes: Sizes
    n_heads: int
    context_length: int = _DEFAULT_CONTEXT
    base: float = 10000.0
    scaled: bool = False  # by Llama 3.1's rule

    @property
    def n_kv_heads(self) -> int:
        """Heads of keys and values."""
        return self.sizes.kv_width * self.n_heads // self.sizes.dim


def _llama(dim: int, n_layers: int, hidden_dim: int, kv_width: int | None = None) -> Sizes:
    return Sizes(dim, n_layers, hidden_dim, kv_width or dim, 32000)


_LLAMA3_8B = Sizes(4096, 32, 14336, 1024, 128256)
_LLAMA3_70B = Sizes(8192, 80, 28672, 1024, 128256)
_LLAMA3_405B = Sizes(16384, 126, 53248, 1024, 128256)

KNOWN = (
    Known("stories15M", _llama(288, 6, 768), 6, 256),
    Known("stories42M", _llama(512, 8, 1376), 8, 1024),
    Known("stories110M", _llama(768, 12, 2048), 12, 1024),
    Known("TinyLlama", _llama(2048, 22, 5632, 256), 32),
    Known("7B", _llama(4096, 32, 11008), 32),
    Known("13B", _llama(5120, 40, 13824), 40),
    Known("30B", _llama(6656, 60, 17920), 52),
    Known("70B", _llama(8192, 80, 28672, 1024), 64),
    Known("CodeLlama-7b-Python-hf", _llama(4096, 32, 11008), 32, 16384, 1e6),
    Known("34B", _llama(8192, 48, 22016, 1024), 64, 16384, 1e6),
    Known("Mistral-7B", _llama(4096, 32, 14336, 1024), 32),
    Known("llama-3-8b", _LLAMA3_8B, 32, 8192, 5e5),
    Known("llama-3-70b", _LLAMA3_70B, 64, 8192, 5e5),
    Known("llama-3.1-8b", _LLAMA3_8B, 32, 131072, 5e5, scaled=True),
    Known("llama-3.1-70b", _LLAMA3_70B, 64, 131072, 5e5, scaled=True),
    Known("llama-3.1-405b", _LLAMA3_405B, 128, 131072, 5e5, scaled=True),
)
_LLAMA3_VOCAB = 128256


def find_config(path: Path, sizes: Sizes) -> Config:
    """The Config of the model in the file at `path`, whose tensors have these sizes.

    A config.json beside it is believed first, then a params.json, then the table. Raises
    FormatError for a model that none of them tells, or where they disagree with the tensors.
    """
    if (path.parent / CONFIG_FILE).is_file():
        return _from_config_json(path, sizes)
    if (path.parent / PARAMS_FILE).is_file():
        return _from_params_json(path.parent / PARAMS_FILE, sizes)
    alike = [known for known in KNOWN if known.sizes == sizes]
    # The longest name is the most particular: CodeLlama-7b-Python-hf is a 7B, too.
    folder = path.resolve().parent.name.lower()
    named = sorted((k for k in alike if k.name.lower() in folder), key=lambda k: -len(k.name))
    if named:
        return _config(named[0])
    if len(alike) == 1:
        return _config(alike[0])
    names = " or ".join(known.name for known in alike)
    found = f"{names}, which have the same shapes" if alike else f"unknown with {_shown(sizes)}"
    folders = f", or a folder named as {names}" if alike else ""
    expected = f"a {CONFIG_FILE} or {PARAMS_FILE} beside it that tells heads and rotation{folders}"
    raise FormatError(path, "model", found, expected)


def _shown(sizes: Sizes) -> str:
    return ", ".join(f"{name} {size}" for name, size in sizes._asdict().items())


def _from_config_json(path: Path, sizes: Sizes) -> Config:
    """What config.json says, with the rotation as gpt-fast's files have it."""
    config = read_config(path.parent).config
    kv_width = config.n_kv_heads * config.head_dim
    said = Sizes(config.dim, config.n_layers, config.hidden_dim, kv_width, config.vocab_size)
    if said != sizes or config.n_heads * config.head_dim != config.dim:
        raise FormatError(path.parent / CONFIG_FILE, "model", _shown(said), f"that of {path.name}")
    if config.rope is None:
        found = f"{config.family}, without rotation"
        raise FormatError(path.parent / CONFIG_FILE, "model", found, f"that of {path.name}")
    rope = replace(config.rope, layout="interleaved")
    return replace(config, rope=rope, tied_output=False)


def _from_params_json(params_path: Path, sizes: Sizes) -> Config:
    """What Meta's params.json says; the context is that of a known model that it fits."""
    fields = read_object(params_path, "the parameters of a Llama model")
    n_heads = fields.integer("n_heads", least=1, most=sizes.dim)
    n_kv_heads = fields.integer("n_kv_heads", least=1, most=n_heads, default=n_heads)
    if sizes.dim % n_heads or sizes.kv_width * n_heads != sizes.dim * n_kv_heads:
        found = f"n_heads {n_heads} and n_kv_heads {n_kv_heads}"
        raise FormatError(params_path, "model", found, f"heads that fit {_shown(sizes)}")
    base = fields.number("rope_theta", default=10000.0)
    scaled = fields.flag("use_scaled_rope", False)
    model = Known("", sizes, n_heads, _DEFAULT_CONTEXT, base, scaled)
    context = next(
        (
            known.context_length
            for known in KNOWN
            if (known.sizes, known.base, known.scaled) == (sizes, base, scaled)
        ),
        131072 if scaled else _DEFAULT_CONTEXT,
    )
    context = fields.integer("max_seq_len", least=1, most=MOST_CONTEXT, default=context)
    eps = fields.number("norm_eps", default=1e-5)
    try:
        return replace(_config(model), context_length=context, norm_eps=eps)
    except ValueError as error:
        raise FormatError(params_path, "model", str(error), "a model that fits") from None


def _config(known: Known) -> Config:
    sizes = known.sizes
    head_dim = sizes.dim // known.n_heads
    rope = Rope(dims=head_dim, base=known.base)
    if known.scaled:
        rope = replace(rope, scaling="llama3", factor=8.0, original_context=8192)
    is_llama3 = sizes.vocab_size == _LLAMA3_VOCAB
    return Config(
        dim=sizes.dim,
        hidden_dim=sizes.hidden_dim,
        n_layers=sizes.n_layers,
        n_heads=known.n_heads,
        n_kv_heads=known.n_kv_heads,
        head_dim=head_dim,
        vocab_size=sizes.vocab_size,
        context_length=known.context_length,
        rope=rope,
        tied_output=False,
        bos_id=128000 if is_llama3 else 1,
        eos_ids=(128001, 128009) if is_llama3 else (2,),
    )
