"""The training graph of a decoder: whole sequences in, the mean loss out, no cache.

B sequences of T tokens each are rows of one matrix, sequence after sequence. Queries, keys and
values have one weight, gate and up another: one product, one gradient. `Packed` says which weights
of a file make up each.

B sequences, T tokens of each, X = B · T rows, D width, F hidden width, H query heads, G key/value
heads, E rotation frequencies, V vocabulary, C chunks of R rows.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rung import ops
from rung.errors import UsageError
from rung.graph.ir import Graph, Tensor
from rung.models.config import Config, Rope, weight_shapes
from rung.models.rope import rope_frequencies
from rung.registry import Op
from rung.storage import F32, I32

LOSS = "loss"

# Rows whose logits are there at once. Each chunk goes through the head's whole gradient once, which
# is 2 × 154 MB for GPT-2: nothing beside the product of so many rows.
CHUNK_ROWS = 256
# A GPU has more processors to keep busy, and each of a chunk's nine dispatches waits for the last:
# there a chunk is so many bytes of logits, half of what any GPU binds, if that is more rows. A
# step of 131,072 tokens over 2,048 words then has 281 nodes, not 4,745.
_GPU_CHUNK_BYTES = 64 << 20

Precision = Literal["float32", "bfloat16"]
PRODUCTS: Mapping[Precision, Op] = {"float32": ops.linear, "bfloat16": ops.linear_bf16}
"""Products by the type that their factors are rounded to; all else is float32 in any case."""

_PACKS = {"attn_q": "attn_qkv", "attn_k": "attn_qkv", "attn_v": "attn_qkv"}
_GATED = {"ffn_gate": "ffn_gate_up", "ffn_up": "ffn_gate_up"}


def chunk_rows_of(vocab_size: int, *, on_gpu: bool) -> int:
    """How many rows' logits are there at once, at most, unless somebody says otherwise."""
    return max(CHUNK_ROWS, _GPU_CHUNK_BYTES // (4 * vocab_size)) if on_gpu else CHUNK_ROWS


@dataclass(frozen=True)
class Packed:
    """A tensor of the training graph, and the weights that are its rows, one after another."""

    name: str
    shape: tuple[int, ...]
    rows: Mapping[str, tuple[int, int]]  # weight of the Config: first row, row after the last


def packed_weights(config: Config) -> dict[str, Packed]:
    """Every trained tensor by name, in the order of a file."""
    packs = _PACKS | (_GATED if config.mlp == "swiglu" else {})
    shapes: dict[str, list[tuple[str, tuple[int, ...]]]] = {}
    for name, shape in weight_shapes(config).items():
        match = re.fullmatch(r"(blk\.\d+\.)(\w+)(\.\w+)", name)
        packed = name
        if match is not None and match[2] in packs:
            packed = f"{match[1]}{packs[match[2]]}{match[3]}"
        shapes.setdefault(packed, []).append((name, shape))
    found = {}
    for packed, parts in shapes.items():
        rows, first = {}, 0
        for name, shape in parts:
            rows[name] = (first, first + shape[0])
            first += shape[0]
        found[packed] = Packed(packed, (first, *parts[0][1][1:]), rows)
    return found


def check_trainable(config: Config) -> None:
    """Raises UsageError for a model with a part that has no gradient here."""
    parts = {
        "norms of queries and keys": config.qk_norm,
        "soft-caps": config.attention_softcap is not None or config.output_softcap is not None,
        "a sliding window": config.sliding_window is not None,
        "GeGLU": config.mlp == "geglu",
    }
    found = [name for name, there in parts.items() if there]
    if found:
        raise UsageError(
            f"this {config.family} model has {' and '.join(found)}, which cannot be trained; "
            "GPT-2 and Llama models can"
        )


class TrainableDecoder:
    """Builds the training graph of a Config for B sequences of T tokens.

    The graph's inputs are tokens, positions and targets [B·T] (a negative target does not count);
    its output is the mean loss [1]; its weights are states, named as `packed_weights` says, and the
    rows of log-sum-exp of each layer's attention are states as well. `constants` holds what follows
    from the Config, by name. precision: see PRODUCTS. Raises UsageError where the Config cannot be
    trained.
    """

    def __init__(
        self,
        config: Config,
        *,
        sequences: int,
        tokens: int,
        chunk_rows: int = CHUNK_ROWS,
        precision: Precision = "float32",
    ) -> None:
        check_trainable(config)
        self.config = config
        self.graph = Graph("training")
        self.constants: dict[str, NDArray[np.float32]] = {}
        self._B, self._T, self._X = sequences, tokens, sequences * tokens
        self._chunks = _chunks(self._X, chunk_rows)
        self._product = PRODUCTS[precision]
        for packed in packed_weights(config).values():
            self.graph.tensor(packed.name, packed.shape, "state", F32)
        self._tokens, self._positions, self._targets = (
            self.graph.tensor(name, (self._X,), "input", I32)
            for name in ("tokens", "positions", "targets")
        )
        self._angles: Tensor | None = None

    def build(self) -> Graph:
        """The graph, verified."""
        x_XD = self._embed()
        for layer in range(self.config.n_layers):
            x_XD = self._attention(layer, x_XD)
            x_XD = self._feed_forward(layer, x_XD)
        x_XD = self._norm("output_norm", x_XD, "result_norm")
        self.graph.outputs.append(self._loss(x_XD))
        self.graph.verify()
        return self.graph

    def _weight(self, name: str) -> Tensor | None:
        return self.graph.tensors.get(name)

    def _embed(self) -> Tensor:
        g, c = self.graph, self.config
        x_XD = g.add(
            ops.embedding, self._tokens, self._weight("token_embd.weight"), name="inp_embd"
        )
        if c.embedding_scale != 1:
            x_XD = g.add(ops.scale, x_XD, name="inp_scaled", factor=c.embedding_scale)
        if c.rope is None:
            table = self._weight("position_embd.weight")
            p_XD = g.add(ops.embedding, self._positions, table, name="inp_pos")
            return g.add(ops.add, x_XD, p_XD, name="inp_sum")
        self._angles = self._angles_of(c.rope)
        return x_XD

    def _angles_of(self, rope: Rope) -> Tensor:
        values = rope_frequencies(rope, self.config.context_length).astype(np.float32)
        self.constants["rope_frequencies"] = values
        return self.graph.add(
            ops.rope_angles,
            self._positions,
            self.graph.tensor("rope_frequencies", values.shape, "weight", F32),
            name="rope_angles",
            scale=float(rope.attention_factor),
        )

    def _norm(self, weight: str, x_XD: Tensor, name: str) -> Tensor:
        w_D, b_D = self._weight(f"{weight}.weight"), self._weight(f"{weight}.bias")
        eps = self.config.norm_eps
        if self.config.norm == "layer":
            return self.graph.add(ops.layer_norm, x_XD, w_D, b_D, name=name, eps=eps)
        return self.graph.add(ops.rms_norm, x_XD, w_D, name=name, eps=eps)

    def _linear(self, weight: str, x: Tensor, name: str, residual: Tensor | None = None) -> Tensor:
        w_NK, b_N = self._weight(f"{weight}.weight"), self._weight(f"{weight}.bias")
        return self.graph.add(self._product, x, w_NK, b_N, residual, name=name)

    def _back_to_stream(
        self, weight: str, norm: str, x: Tensor, stream: Tensor, *names: str
    ) -> Tensor:
        """A product added to the residual stream, at once where no norm comes between.

        names: of the product, of its norm, and of the sum.
        """
        if not self.config.post_norms:
            return self._linear(weight, x, names[2], stream)
        projected = self._norm(norm, self._linear(weight, x, names[0]), names[1])
        return self.graph.add(ops.add, projected, stream, name=names[2])

    def _attention(self, layer: int, x_XD: Tensor) -> Tensor:
        g, c = self.graph, self.config
        block, H, M = f"blk.{layer}", c.n_heads, c.n_heads + 2 * c.n_kv_heads
        normed = self._norm(f"{block}.attn_norm", x_XD, f"attn_norm-{layer}")
        qkv = self._linear(f"{block}.attn_qkv", normed, f"QKVcur-{layer}")
        if c.rope is not None:
            heads_XMD = g.view(qkv, (self._X, M, c.head_dim))
            qkv = g.add(
                ops.rope_heads,
                *(heads_XMD, self._angles),
                name=f"QKVrope-{layer}",
                layout=c.rope.layout,
                heads=H + c.n_kv_heads,
                inverse=False,
            )
        attended = g.add(
            ops.causal_attention,
            g.view(qkv, (self._B, self._T, M, c.head_dim)),
            g.tensor(f"kq_lse-{layer}", (self._B, H, self._T), "state"),
            name=f"kqv-{layer}",
            scale=float(c.attention_scale or 1 / math.sqrt(c.head_dim)),
        )
        return self._back_to_stream(
            *(f"{block}.attn_output", f"{block}.post_attention_norm"),
            *(g.view(attended, (self._X, H * c.head_dim)), x_XD),
            *(f"attn_out-{layer}", f"attn_post_norm-{layer}", f"ffn_inp-{layer}"),
        )

    def _feed_forward(self, layer: int, x_XD: Tensor) -> Tensor:
        block = f"blk.{layer}"
        normed = self._norm(f"{block}.ffn_norm", x_XD, f"ffn_norm-{layer}")
        if self.config.mlp == "gelu":
            up = self._linear(f"{block}.ffn_up", normed, f"ffn_up-{layer}")
            hidden = self.graph.add(ops.gelu, up, name=f"ffn_gelu-{layer}")
        else:
            pair = self._linear(f"{block}.ffn_gate_up", normed, f"ffn_gate_up-{layer}")
            hidden = self.graph.add(ops.swiglu_pair, pair, name=f"ffn_swiglu-{layer}")
        return self._back_to_stream(
            *(f"{block}.ffn_down", f"{block}.post_ffw_norm", hidden, x_XD),
            *(f"ffn_out-{layer}", f"ffn_post_norm-{layer}", f"l_out-{layer}"),
        )

    def _loss(self, x_XD: Tensor) -> Tensor:
        """The mean loss, a chunk of rows at a time."""
        g, c = self.graph, self.config
        head = self._weight("token_embd.weight" if c.tied_output else "output.weight")
        rows = self._X // self._chunks
        x_CRD = None if self._chunks == 1 else g.view(x_XD, (self._chunks, rows, c.dim))
        loss = None
        for index in range(self._chunks):
            suffix = f"-{index}" if x_CRD else ""
            x_RD = x_XD
            if x_CRD is not None:
                x_RD = g.add(ops.chunk, x_CRD, name=f"result_rows{suffix}", index=index)
            logits_RV = g.add(self._product, x_RD, head, name=f"result_output{suffix}")
            losses_R = g.add(
                ops.cross_entropy,
                *(logits_RV, self._targets),
                name=f"losses{suffix}",
                first=index * rows,
            )
            name = LOSS if index == self._chunks - 1 else f"loss{suffix}"
            loss = g.add(ops.mean_loss, losses_R, self._targets, loss, name=name)
        assert loss is not None
        return loss


def _chunks(rows: int, most: int) -> int:
    """The fewest equal chunks of at most so many rows; one where that would make them tiny."""
    fewest = next(
        count for count in range(1, rows + 1) if rows % count == 0 and rows <= count * most
    )
    return fewest if rows // fewest >= min(32, most) else 1
