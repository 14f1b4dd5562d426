"""Config: everything that distinguishes one decoder from another, whatever file it came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Config:
    """The shape of a decoder.

    dim D, hidden_dim F, n_heads H, n_kv_heads G, head_dim, vocab_size V, context_length C: all
    counts of values or tokens.
    """

    family: Literal["llama", "gpt2"] = "llama"
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
    mlp: Literal["swiglu", "gelu"] = "swiglu"
    positions: Literal["rope_interleaved", "rope_half", "learned"] = "rope_interleaved"
    rope_base: float = 10000.0
    bias: bool = False
    tied_output: bool = True
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
        if self.positions != "learned" and self.head_dim % 2:
            raise ValueError(f"head_dim is {self.head_dim}, expected an even number for RoPE")

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
    if c.positions == "learned":
        shapes["position_embd.weight"] = (c.context_length, D)

    def norm(name: str) -> None:
        shapes[f"{name}.weight"] = (D,)
        if c.norm == "layer":
            shapes[f"{name}.bias"] = (D,)

    def matrix(name: str, rows: int, cols: int) -> None:
        shapes[f"{name}.weight"] = (rows, cols)
        if c.bias:
            shapes[f"{name}.bias"] = (rows,)

    for i in range(c.n_layers):
        block = f"blk.{i}"
        norm(f"{block}.attn_norm")
        matrix(f"{block}.attn_q", q_width, D)
        matrix(f"{block}.attn_k", kv_width, D)
        matrix(f"{block}.attn_v", kv_width, D)
        matrix(f"{block}.attn_output", D, q_width)
        norm(f"{block}.ffn_norm")
        if c.mlp == "swiglu":
            matrix(f"{block}.ffn_gate", F, D)
        matrix(f"{block}.ffn_up", F, D)
        matrix(f"{block}.ffn_down", D, F)
    norm("output_norm")
    if not c.tied_output:
        shapes["output.weight"] = (c.vocab_size, D)
    return shapes
