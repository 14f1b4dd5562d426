"""The decoder: one inference graph for every family, shaped by its Config.

T tokens, R rows that need logits, D width, F hidden width, H query heads, G key/value heads,
V vocabulary, S slots, C positions a slot, P pages of L positions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from rung import ops
from rung.graph.ir import R, T, Tensor
from rung.models.base import BaseDecoder
from rung.models.config import Config, weight_shapes
from rung.ops.attention.op import PAGE, pages
from rung.storage import F32, I32, StorageType


class Decoder(BaseDecoder):
    """Builds the inference graph of a Config.

    weight_types: storage type of each weight. The graph's inputs are tokens, positions, slots [T]
    and rows [R]; its output is logits [R, V]; its states are one key and one value cache a layer,
    stored as `cache_type`.
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
        super().__init__("decoder", config, product=ops.linear, context_length=context_length)
        self._cache_type = cache_type
        heads = (n_slots, config.n_kv_heads)
        self._keys_shape = (*heads, pages(context_length), config.head_dim, PAGE)
        self._values_shape = (*heads, context_length, config.head_dim)
        for name, shape in weight_shapes(config).items():
            self.graph.tensor(name, shape, "weight", weight_types[name])
        self.graph.tensor("tokens", (T,), "input", I32)
        self._positions = self.graph.tensor("positions", (T,), "input", I32)
        self._slots = self.graph.tensor("slots", (T,), "input", I32)
        self._rows = self.graph.tensor("rows", (R,), "input", I32)

    def _attended(self, layer: int, normed_TD: Tensor) -> Tensor:
        g, c = self.graph, self.config
        q_THD, k_TGD, v_TGD = (self._heads(layer, normed_TD, name) for name in ("Q", "K", "V"))
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
        return g.view(attended, (T, c.n_heads * c.head_dim))

    def _heads(self, layer: int, normed_TD: Tensor, name: str) -> Tensor:
        """Queries, keys or values of a layer (name Q, K or V), a head at a time, turned."""
        g, c = self.graph, self.config
        flat = self._linear(f"blk.{layer}.attn_{name.lower()}", normed_TD, f"{name}cur-{layer}")
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

    def _hidden(self, layer: int, normed_TD: Tensor) -> Tensor:
        mlp = self.config.mlp
        up_TF = self._linear(f"blk.{layer}.ffn_up", normed_TD, f"ffn_up-{layer}")
        if mlp == "gelu":
            return self.graph.add(ops.gelu, up_TF, name=f"ffn_gelu-{layer}")
        gate_TF = self._linear(f"blk.{layer}.ffn_gate", normed_TD, f"ffn_gate-{layer}")
        glu = ops.swiglu if mlp == "swiglu" else ops.geglu
        return self.graph.add(glu, gate_TF, up_TF, name=f"ffn_{mlp}-{layer}")

    def _output(self, x_TD: Tensor) -> Tensor:
        # The last norm and the vocabulary are only for the rows that are asked for.
        x_RD = self.graph.add(ops.embedding, self._rows, x_TD, name="result_rows")
        x_RD = self._norm("output_norm", x_RD, "result_norm")
        logits_RV = self._logits(x_RD, "result_output")
        if cap := self.config.output_softcap:
            logits_RV = self.graph.add(ops.softcap, logits_RV, name="result_capped", cap=cap)
        return logits_RV
