"""The decoder: one graph for every family, shaped by its Config.

What a family does not have adds no node: a norm, a bias, a cap that is absent costs nothing.

T tokens, R rows that need logits, D width, F hidden width, H query heads, G key/value heads,
E rotation frequencies, V vocabulary, S slots, C positions a slot, P pages of L positions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from rung import ops
from rung.graph.ir import Graph, R, T, Tensor
from rung.models.config import Config, Rope, weight_shapes
from rung.models.rope import rope_frequencies
from rung.ops.attention.op import PAGE, pages
from rung.storage import F32, I32, StorageType


class Decoder:
    """Builds the inference graph of a Config.

    weight_types: storage type of each weight. The graph's inputs are tokens, positions, slots [T]
    and rows [R]; its output is logits [R, V]; its states are one key and one value cache a layer,
    stored as `cache_type`.
    `constants` holds the weights that follow from the Config, by name: they are in no file.
    """

    def __init__(
        self,
        config: Config,
        weight_types: Mapping[str, StorageType],
        *,
        n_slots: int,
        context_length: int,
        cache_type: StorageType = F32,
    ) -> None:
        self.config = config
        self.graph = Graph("decoder")
        self.constants: dict[str, NDArray[np.float32]] = {}
        self._context_length = context_length
        self._cache_type = cache_type
        heads = (n_slots, config.n_kv_heads)
        self._keys_shape = (*heads, pages(context_length), config.head_dim, PAGE)
        self._values_shape = (*heads, context_length, config.head_dim)
        for name, shape in weight_shapes(config).items():
            self.graph.tensor(name, shape, "weight", weight_types[name])
        self._tokens = self.graph.tensor("tokens", (T,), "input", I32)
        self._positions = self.graph.tensor("positions", (T,), "input", I32)
        self._slots = self.graph.tensor("slots", (T,), "input", I32)
        self._rows = self.graph.tensor("rows", (R,), "input", I32)
        self._angles: dict[Rope, Tensor] = {}

    def build(self) -> Graph:
        """The graph, verified."""
        x_TD = self._embed()
        for layer in range(self.config.n_layers):
            x_TD = self._attention(layer, x_TD)
            x_TD = self._feed_forward(layer, x_TD)
        # The last norm and the vocabulary are only for the rows that are asked for.
        x_RD = self.graph.add(ops.embedding, self._rows, x_TD, name="result_rows")
        x_RD = self._norm("output_norm", x_RD, "result_norm")
        head = "token_embd.weight" if self.config.tied_output else "output.weight"
        logits = self.graph.add(
            ops.linear, x_RD, self.graph.tensors[head], None, None, name="result_output"
        )
        if cap := self.config.output_softcap:
            logits = self.graph.add(ops.softcap, logits, name="result_capped", cap=cap)
        self.graph.outputs.append(logits)
        self.graph.verify()
        return self.graph

    def _weight(self, name: str) -> Tensor | None:
        return self.graph.tensors.get(name)

    def _embed(self) -> Tensor:
        g, c = self.graph, self.config
        x_TD = g.add(
            ops.embedding, self._tokens, self._weight("token_embd.weight"), name="inp_embd"
        )
        if c.embedding_scale != 1:
            x_TD = g.add(ops.scale, x_TD, name="inp_scaled", factor=c.embedding_scale)
        if c.rope is None:
            table = self._weight("position_embd.weight")
            p_TD = g.add(ops.embedding, self._positions, table, name="inp_pos")
            return g.add(ops.add, x_TD, p_TD, name="inp_sum")
        return x_TD

    def _angles_of(self, rope: Rope) -> Tensor:
        """Cosines and sines of a rotation, computed once a run for all its layers."""
        if rope not in self._angles:
            suffix = f"-{len(self._angles)}" if self._angles else ""
            values = rope_frequencies(rope, self._context_length).astype(np.float32)
            name = f"rope_frequencies{suffix}"
            self.constants[name] = values
            self._angles[rope] = self.graph.add(
                ops.rope_angles,
                self._positions,
                self.graph.tensor(name, values.shape, "weight", F32),
                name=f"rope_angles{suffix}",
                scale=float(rope.attention_factor),
            )
        return self._angles[rope]

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
        return self.graph.add(ops.linear, x_TK, w_NK, b_N, residual, name=name)

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

    def _heads(self, layer: int, normed: Tensor, name: str) -> Tensor:
        """Queries, keys or values of a layer (name Q, K or V), a head at a time, turned."""
        g, c = self.graph, self.config
        flat = self._linear(f"blk.{layer}.attn_{name.lower()}", normed, f"{name}cur-{layer}")
        x_THD = g.view(flat, (T, c.n_heads if name == "Q" else c.n_kv_heads, c.head_dim))
        if name == "V":
            return x_THD
        if c.qk_norm:
            weight = self._weight(f"blk.{layer}.attn_{name.lower()}_norm.weight")
            norm_name = f"{name}norm-{layer}"
            x_THD = g.add(ops.head_norm, x_THD, weight, name=norm_name, eps=c.norm_eps)
        if (rope := c.rope_of(layer)) is not None:
            angles = self._angles_of(rope)
            x_THD = g.add(ops.rope, x_THD, angles, name=f"{name}rope-{layer}", layout=rope.layout)
        return x_THD

    def _attention(self, layer: int, x_TD: Tensor) -> Tensor:
        g, c = self.graph, self.config
        block = f"blk.{layer}"
        normed = self._norm(f"{block}.attn_norm", x_TD, f"attn_norm-{layer}")
        q_THD, k_TGD, v_TGD = (self._heads(layer, normed, name) for name in ("Q", "K", "V"))
        caches = []
        for name, op, new, shape in (
            ("k", ops.cache_write_keys, k_TGD, self._keys_shape),
            ("v", ops.cache_write, v_TGD, self._values_shape),
        ):
            cache = g.tensor(f"cache_{name}-{layer}", shape, "state", self._cache_type)
            places = (self._positions, self._slots)
            caches.append(g.add(op, cache, new, *places, name=f"cache_{name}_new-{layer}"))
        attended = g.add(
            ops.attention,
            *(q_THD, *caches, self._positions, self._slots),
            name=f"kqv-{layer}",
            scale=float(c.attention_scale or 1 / math.sqrt(c.head_dim)),
            window=(c.sliding_window or 0) if c.slides(layer) else 0,
            softcap=float(c.attention_softcap or 0),
        )
        flat = g.view(attended, (T, c.n_heads * c.head_dim))
        return self._back_to_stream(
            *(f"{block}.attn_output", f"{block}.post_attention_norm", flat, x_TD),
            *(f"attn_out-{layer}", f"attn_post_norm-{layer}", f"ffn_inp-{layer}"),
        )

    def _feed_forward(self, layer: int, x_TD: Tensor) -> Tensor:
        g = self.graph
        block = f"blk.{layer}"
        normed = self._norm(f"{block}.ffn_norm", x_TD, f"ffn_norm-{layer}")
        up = self._linear(f"{block}.ffn_up", normed, f"ffn_up-{layer}")
        mlp = self.config.mlp
        if mlp == "gelu":
            hidden = g.add(ops.gelu, up, name=f"ffn_gelu-{layer}")
        else:
            gate = self._linear(f"{block}.ffn_gate", normed, f"ffn_gate-{layer}")
            glu = ops.swiglu if mlp == "swiglu" else ops.geglu
            hidden = g.add(glu, gate, up, name=f"ffn_{mlp}-{layer}")
        return self._back_to_stream(
            *(f"{block}.ffn_down", f"{block}.post_ffw_norm", hidden, x_TD),
            *(f"ffn_out-{layer}", f"ffn_post_norm-{layer}", f"l_out-{layer}"),
        )
