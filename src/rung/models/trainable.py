"""The training graph of a decoder: whole sequences in, the mean loss out, no cache.

B sequences of T tokens each are rows of one matrix, sequence after sequence. Queries, keys and
values have one weight, gate and up another: one product, one gradient. `Packed` says which weights
of a file make up each.

B sequences, T tokens of each, X = B · T rows, D width, F hidden width, H query heads, G key/value
heads, V vocabulary, C chunks of R rows.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from rung import ops
from rung.errors import UsageError
from rung.graph.ir import Tensor
from rung.models.base import BaseDecoder
from rung.models.config import Config, weight_shapes
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


class TrainableDecoder(BaseDecoder):
    """Builds the training graph of a Config for B sequences of T tokens.

    The graph's inputs are tokens, positions and targets [B·T] (a negative target does not count);
    its output is the mean loss [1]; its weights are states, named as `packed_weights` says, and the
    rows of log-sum-exp of each layer's attention are states as well. precision: see PRODUCTS.
    Raises UsageError where the Config cannot be trained.
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
        product = PRODUCTS[precision]
        super().__init__("training", config, product=product, context_length=config.context_length)
        self._B, self._T, self._X = sequences, tokens, sequences * tokens
        self._chunks = _chunks(self._X, chunk_rows)
        for packed in packed_weights(config).values():
            self.graph.tensor(packed.name, packed.shape, "state", F32)
        for name in ("tokens", "positions", "targets"):
            self.graph.tensor(name, (self._X,), "input", I32)

    def _attended(self, layer: int, normed_XD: Tensor) -> Tensor:
        g, c = self.graph, self.config
        H, M = c.n_heads, c.n_heads + 2 * c.n_kv_heads
        qkv = self._linear(f"blk.{layer}.attn_qkv", normed_XD, f"QKVcur-{layer}")
        if c.rope is not None:
            heads_XMD = g.view(qkv, (self._X, M, c.head_dim))
            qkv = g.add(
                ops.rope_heads,
                *(heads_XMD, self._angles_of(c.rope)),
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
        return g.view(attended, (self._X, H * c.head_dim))

    def _hidden(self, layer: int, normed_XD: Tensor) -> Tensor:
        if self.config.mlp == "gelu":
            up_XF = self._linear(f"blk.{layer}.ffn_up", normed_XD, f"ffn_up-{layer}")
            return self.graph.add(ops.gelu, up_XF, name=f"ffn_gelu-{layer}")
        pair = self._linear(f"blk.{layer}.ffn_gate_up", normed_XD, f"ffn_gate_up-{layer}")
        return self.graph.add(ops.swiglu_pair, pair, name=f"ffn_swiglu-{layer}")

    def _output(self, x_XD: Tensor) -> Tensor:
        """The mean loss, a chunk of rows at a time."""
        g = self.graph
        x_XD = self._norm("output_norm", x_XD, "result_norm")
        targets_X = g.tensors["targets"]
        rows = self._X // self._chunks
        x_CRD = None if self._chunks == 1 else g.view(x_XD, (self._chunks, rows, self.config.dim))
        loss = None
        for index in range(self._chunks):
            suffix = f"_{index}" if x_CRD else ""  # "-" stands before the number of a layer
            x_RD = x_XD
            if x_CRD is not None:
                x_RD = g.add(ops.chunk, x_CRD, name=f"result_rows{suffix}", index=index)
            logits_RV = self._logits(x_RD, f"result_output{suffix}")
            losses_R = g.add(
                ops.cross_entropy,
                *(logits_RV, targets_X),
                name=f"losses{suffix}",
                first=index * rows,
            )
            name = LOSS if index == self._chunks - 1 else f"loss{suffix}"
            loss = g.add(ops.mean_loss, losses_R, targets_X, loss, name=name)
        assert loss is not None
        return loss


def _chunks(rows: int, most: int) -> int:
    """The fewest equal chunks of at most so many rows; one where that would make them tiny."""
    fewest = next(
        count for count in range(1, rows + 1) if rows % count == 0 and rows <= count * most
    )
    return fewest if rows // fewest >= min(32, most) else 1
