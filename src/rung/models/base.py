"""What every graph of a decoder has, whether it generates or trains.

What a family does not have adds no node: a norm, a bias, a cap that is absent costs nothing.

T rows of the stream (tokens, of one sequence or of many), D width, K inputs and N outputs of a
product, R rows that need logits, V vocabulary.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from rung import ops
from rung.graph.ir import Graph, Tensor
from rung.models.config import Config, Rope
from rung.models.rope import rope_frequencies
from rung.registry import Op
from rung.storage import F32


class BaseDecoder(ABC):
    """Builds a graph of a Config: embeddings, then layers that add to a residual stream.

    A subclass declares the weights, by the names of `models.config.weight_shapes`, and the inputs,
    tokens and positions among them. It says what its graph does in its own way: attention
    (`_attended`), the hidden values of the feed-forward block (`_hidden`), and what becomes of the
    stream after the last layer (`_output`).

    product: the op that multiplies with weights. context_length: positions that rotations are made
    for. `constants` holds the weights that follow from the Config, by name: they are in no file.
    """

    def __init__(self, name: str, config: Config, *, product: Op, context_length: int) -> None:
        self.config = config
        self.graph = Graph(name)
        self.constants: dict[str, NDArray[np.float32]] = {}
        self._product = product
        self._context_length = context_length
        self._angles: dict[Rope, Tensor] = {}

    def build(self) -> Graph:
        """The graph, verified."""
        x_TD = self._embed()
        for layer in range(self.config.n_layers):
            x_TD = self._attention(layer, x_TD)
            x_TD = self._feed_forward(layer, x_TD)
        self.graph.outputs.append(self._output(x_TD))
        self.graph.verify()
        return self.graph

    # ── what a subclass says ──────────────────────────────────────────────────────────────────────

    @abstractmethod
    def _attended(self, layer: int, normed_TD: Tensor) -> Tensor:
        """The values that attention takes together, all heads of a row side by side."""

    @abstractmethod
    def _hidden(self, layer: int, normed_TD: Tensor) -> Tensor:
        """What the feed-forward block's last product takes."""

    @abstractmethod
    def _output(self, x_TD: Tensor) -> Tensor:
        """The graph's output, from the stream after the last layer."""

    # ── parts of a decoder ────────────────────────────────────────────────────────────────────────

    def _embed(self) -> Tensor:
        g, c = self.graph, self.config
        table = self._weight("token_embd.weight")
        x_TD = g.add(ops.embedding, g.tensors["tokens"], table, name="inp_embd")
        if c.embedding_scale != 1:
            x_TD = g.add(ops.scale, x_TD, name="inp_scaled", factor=c.embedding_scale)
        if c.rope is None:
            table = self._weight("position_embd.weight")
            p_TD = g.add(ops.embedding, g.tensors["positions"], table, name="inp_pos")
            return g.add(ops.add, x_TD, p_TD, name="inp_sum")
        return x_TD

    def _attention(self, layer: int, x_TD: Tensor) -> Tensor:
        block = f"blk.{layer}"
        normed_TD = self._norm(f"{block}.attn_norm", x_TD, f"attn_norm-{layer}")
        return self._back_to_stream(
            *(f"{block}.attn_output", f"{block}.post_attention_norm"),
            *(self._attended(layer, normed_TD), x_TD),
            *(f"attn_out-{layer}", f"attn_post_norm-{layer}", f"ffn_inp-{layer}"),
        )

    def _feed_forward(self, layer: int, x_TD: Tensor) -> Tensor:
        block = f"blk.{layer}"
        normed_TD = self._norm(f"{block}.ffn_norm", x_TD, f"ffn_norm-{layer}")
        return self._back_to_stream(
            *(f"{block}.ffn_down", f"{block}.post_ffw_norm"),
            *(self._hidden(layer, normed_TD), x_TD),
            *(f"ffn_out-{layer}", f"ffn_post_norm-{layer}", f"l_out-{layer}"),
        )

    def _logits(self, x_RD: Tensor, name: str) -> Tensor:
        tied = self.config.tied_output
        w_VD = self._weight("token_embd.weight" if tied else "output.weight")
        return self.graph.add(self._product, x_RD, w_VD, name=name)

    # ── nodes ─────────────────────────────────────────────────────────────────────────────────────

    def _weight(self, name: str) -> Tensor | None:
        return self.graph.tensors.get(name)

    def _norm(self, weight: str, x_TD: Tensor, name: str) -> Tensor:
        w_D, b_D = self._weight(f"{weight}.weight"), self._weight(f"{weight}.bias")
        eps = self.config.norm_eps
        if self.config.norm == "layer":
            return self.graph.add(ops.layer_norm, x_TD, w_D, b_D, name=name, eps=eps)
        return self.graph.add(ops.rms_norm, x_TD, w_D, name=name, eps=eps)

    def _linear(
        self, weight: str, x_TK: Tensor, name: str, residual: Tensor | None = None
    ) -> Tensor:
        w_NK, b_N = self._weight(f"{weight}.weight"), self._weight(f"{weight}.bias")
        return self.graph.add(self._product, x_TK, w_NK, b_N, residual, name=name)

    def _back_to_stream(
        self, weight: str, norm: str, x_TK: Tensor, stream: Tensor, *names: str
    ) -> Tensor:
        """A product added to the residual stream, at once where no norm comes between.

        names: of the product, of its norm, and of the sum.
        """
        if not self.config.post_norms:
            return self._linear(weight, x_TK, names[2], stream)
        projected = self._norm(norm, self._linear(weight, x_TK, names[0]), names[1])
        return self.graph.add(ops.add, projected, stream, name=names[2])

    def _angles_of(self, rope: Rope) -> Tensor:
        """Cosines and sines of a rotation, computed once a run for all its layers."""
        if rope not in self._angles:
            suffix = f"-{len(self._angles)}" if self._angles else ""
            values = rope_frequencies(rope, self._context_length).astype(np.float32)
            name = f"rope_frequencies{suffix}"
            self.constants[name] = values
            self._angles[rope] = self.graph.add(
                ops.rope_angles,
                self.graph.tensors["positions"],
                self.graph.tensor(name, values.shape, "weight", F32),
                name=f"rope_angles{suffix}",
                scale=float(rope.attention_factor),
            )
        return self._angles[rope]
