"""Config: everything that distinguishes one decoder from another, whatever file it came from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Rope:
    """Rotary positions: which values of a head turn, how fast, and how long contexts stretch them.

    layout "interleaved" pairs values 2i and 2i+1, "half" i and i + dims/2. dims values of each head
    turn, the rest stay. factors (dims/2 of them) divide the frequencies, which is how files that
    hold finished tables say any scaling; long_factors take their place where a model is planned for
    a context beyond original_context (`models.rope` says when). The named scalings are those of
    Hugging Face configs; of their parameters, factor is the stretch, low_freq_factor and
    high_freq_factor belong to llama3, beta_fast and beta_slow to yarn, original_context to both.
    attention_factor is the finished number, whatever the scaling.
    """

    layout: Literal["interleaved", "half"] = "interleaved"
    base: float = 10000.0
    dims: int
    scaling: Literal["none", "linear", "llama3", "yarn"] = "none"
    factor: float = 1.0
    low_freq_factor: float = 1.0
    high_freq_factor: float = 4.0
    original_context: int = 0
    beta_fast: float = 32.0
    beta_slow: float = 1.0
    attention_factor: float = 1.0  # multiplies cosines and sines
    factors: tuple[float, ...] | None = None
    long_factors: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if self.dims < 2 or self.dims % 2:
            raise ValueError(f"rope dims is {self.dims}, expected an even number from 2 on")
        _check_positive(self, "rope", "base", "factor", "attention_factor")
        if self.scaling == "yarn" and self.base == 1:
            raise ValueError("rope base is 1.0, expected another number for yarn")
        if self.scaling == "yarn":
            _check_positive(self, "rope", "beta_fast", "beta_slow")
        if self.scaling == "llama3":
            _check_positive(self, "rope", "low_freq_factor")
            if not self.low_freq_factor < self.high_freq_factor < math.inf:
                raise ValueError(
                    f"rope high_freq_factor is {self.high_freq_factor}, "
                    f"expected more than low_freq_factor {self.low_freq_factor}"
                )
        if self.scaling in ("llama3", "yarn") or self.long_factors is not None:
            _check_positive(self, "rope", "original_context")
        for name in ("factors", "long_factors"):
            factors = getattr(self, name)
            if factors is None:
                continue
            if len(factors) != self.dims // 2:
                raise ValueError(
                    f"rope {name} are {len(factors)} numbers, expected {self.dims // 2}"
                )
            if not all(0 < factor < math.inf for factor in factors):
                raise ValueError(f"rope {name} hold a number that is not positive and finite")


def _check_positive(part: object, what: str, *names: str) -> None:
    for name in names:
        if not 0 < getattr(part, name) < math.inf:
            label = f"{what} {name}".strip()
            raise ValueError(f"{label} is {getattr(part, name)}, expected a positive number")


@dataclass(frozen=True, kw_only=True)
class Config:
    """The shape of a decoder. `family` is GGUF's name of the architecture (Mistral's is llama).

    dim D, hidden_dim F, n_heads H, n_kv_heads G, head_dim, vocab_size V, context_length C: all
    counts of values or tokens. rope is None where positions are a learned table. sliding_window W:
    a token sees the W last positions, its own included, in the layers of `sliding_layers` (all
    layers when that is empty); those layers turn by `local_rope` where there is one.
    embedding_scale multiplies token embeddings. attention_softcap and output_softcap c turn a
    score or logit s into c · tanh(s / c). Norm weights are the finished multipliers: a file that
    holds them less 1 (Gemma's) is read with the 1 added.

    Raises ValueError for sizes that do not fit together.
    """

    family: str = "llama"
    dim: int
    hidden_dim: int
    n_layers: int
    n_heads: int
    n_kv_heads: int
    head_dim: int
    vocab_size: int
    context_length: int
    norm: Literal["rms", "layer"] = "rms"
    norm_eps: float = 1e-5
    post_norms: bool = False  # norms after attention and after the feed-forward block, too
    qk_norm: bool = False  # an RMS norm of each head's query and key, before they turn
    mlp: Literal["swiglu", "geglu", "gelu"] = "swiglu"
    rope: Rope | None
    local_rope: Rope | None = None
    sliding_window: int | None = None
    sliding_layers: tuple[bool, ...] = ()
    qkv_bias: bool = False
    output_bias: bool = False
    mlp_bias: bool = False
    tied_output: bool = True
    embedding_scale: float = 1.0
    attention_scale: float | None = None  # None: 1 / sqrt(head_dim)
    attention_softcap: float | None = None
    output_softcap: float | None = None
    bos_id: int | None = 1
    eos_ids: tuple[int, ...] = (2,)

    def __post_init__(self) -> None:
        for name in ("dim", "hidden_dim", "n_layers", "n_heads", "n_kv_heads", "head_dim"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, expected at least 1")
        optional = ("sliding_window", "attention_scale", "attention_softcap", "output_softcap")
        given = (name for name in optional if getattr(self, name) is not None)
        _check_positive(self, "", "norm_eps", "embedding_scale", *given)
        if self.n_heads % self.n_kv_heads:
            raise ValueError(
                f"n_heads {self.n_heads} is not a multiple of n_kv_heads {self.n_kv_heads}"
            )
        for rope in (self.rope, self.local_rope):
            if rope is not None and rope.dims > self.head_dim:
                raise ValueError(f"rope dims is {rope.dims}, expected at most {self.head_dim}")
        if self.sliding_layers and len(self.sliding_layers) != self.n_layers:
            raise ValueError(
                f"sliding_layers are {len(self.sliding_layers)}, expected one for each of "
                f"{self.n_layers} layers"
            )

    def slides(self, layer: int) -> bool:
        """Whether a token of this layer sees only the last sliding_window positions."""
        if self.sliding_window is None:
            return False
        return self.sliding_layers[layer] if self.sliding_layers else True

    def rope_of(self, layer: int) -> Rope | None:
        """The rotation of this layer: local_rope where it slides and there is one."""
        return self.local_rope if self.local_rope and self.slides(layer) else self.rope

    @property
    def n_parameters(self) -> int:
        """Number of trained values."""
        return sum(rows_cols(shape) for shape in weight_shapes(self).values())


def rows_cols(shape: tuple[int, ...]) -> int:
    """Number of values in a shape."""
    product = 1
    for size in shape:
        product *= size
    return product


def weight_shapes(config: Config) -> dict[str, tuple[int, ...]]:
    """Name and shape of every weight of a decoder, in file order; a matrix is [outputs, inputs].

    Names are those of GGUF: token_embd.weight, blk.0.attn_q.weight, output_norm.weight …
    """
    c = config
    D, F = c.dim, c.hidden_dim
    q_width, kv_width = c.n_heads * c.head_dim, c.n_kv_heads * c.head_dim
    shapes: dict[str, tuple[int, ...]] = {"token_embd.weight": (c.vocab_size, D)}
    if c.rope is None:
        shapes["position_embd.weight"] = (c.context_length, D)

    def norm(name: str) -> None:
        shapes[f"{name}.weight"] = (D,)
        if c.norm == "layer":
            shapes[f"{name}.bias"] = (D,)

    def matrix(name: str, rows: int, cols: int, bias: bool) -> None:
        shapes[f"{name}.weight"] = (rows, cols)
        if bias:
            shapes[f"{name}.bias"] = (rows,)

    for i in range(c.n_layers):
        block = f"blk.{i}"
        norm(f"{block}.attn_norm")
        matrix(f"{block}.attn_q", q_width, D, c.qkv_bias)
        matrix(f"{block}.attn_k", kv_width, D, c.qkv_bias)
        matrix(f"{block}.attn_v", kv_width, D, c.qkv_bias)
        if c.qk_norm:
            shapes[f"{block}.attn_q_norm.weight"] = (c.head_dim,)
            shapes[f"{block}.attn_k_norm.weight"] = (c.head_dim,)
        matrix(f"{block}.attn_output", D, q_width, c.output_bias)
        if c.post_norms:
            norm(f"{block}.post_attention_norm")
        norm(f"{block}.ffn_norm")
        if c.mlp in ("swiglu", "geglu"):
            matrix(f"{block}.ffn_gate", F, D, c.mlp_bias)
        matrix(f"{block}.ffn_up", F, D, c.mlp_bias)
        matrix(f"{block}.ffn_down", D, F, c.mlp_bias)
        if c.post_norms:
            norm(f"{block}.post_ffw_norm")
    norm("output_norm")
    if not c.tied_output:
        shapes["output.weight"] = (c.vocab_size, D)
    return shapes
