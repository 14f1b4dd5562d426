"""Config: everything that distinguishes one decoder from another, whatever file it came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Rope:
    """Rotary positions: which values of a head turn, how fast, and how long contexts stretch them.

    layout "interleaved" pairs values 2i and 2i+1, "half" i and i + dims/2. dims values of each head
    turn, the rest stay. factors (dims/2 of them) divide the frequencies, which is how files that
    hold finished tables say any scaling; the named scalings are those of Hugging Face configs.
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


@dataclass(frozen=True, kw_only=True)
class Config:
    """The shape of a decoder.

    dim D, hidden_dim F, n_heads H, n_kv_heads G, head_dim, vocab_size V, context_length C: all
    counts of values or tokens. rope is None where positions are a learned table. sliding_window W:
    a token sees the W last positions, its own included, in the layers of `sliding_layers` (all
    layers when that is empty); those layers turn by `local_rope` where there is one.
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
    attention_softcap: float | None = None  # scores become cap · tanh(score / cap)
    output_softcap: float | None = None
    bos_id: int | None = 1
    eos_ids: tuple[int, ...] = (2,)

    def __post_init__(self) -> None:
        for name in ("dim", "hidden_dim", "n_layers", "n_heads", "n_kv_heads", "head_dim"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, expected at least 1")
        if self.n_heads % self.n_kv_heads:
            raise ValueError(
                f"n_heads {self.n_heads} is not a multiple of n_kv_heads {self.n_kv_heads}"
            )
        for rope in (self.rope, self.local_rope):
            if rope is not None and (rope.dims % 2 or not 2 <= rope.dims <= self.head_dim):
                raise ValueError(
                    f"rope dims is {rope.dims}, expected an even number up to {self.head_dim}"
                )

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
