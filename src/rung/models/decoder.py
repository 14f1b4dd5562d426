"""The decoder: one graph for every family, shaped by its Config.

T tokens, R rows that need logits, D width, F hidden width, H query heads, G key/value heads,
E rotation frequencies, V vocabulary, S slots, C positions a slot.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from rung import ops
from rung.graph.ir import Graph, R, T, Tensor
from rung.models.config import Config, weight_shapes
from rung.storage import F32, I32, StorageType


def rope_frequencies(config: Config) -> NDArray[np.float32]:
    """base^(−2e / dims) for e in range(dims / 2), float32."""
    assert config.rope is not None
    half = config.rope.dims // 2
    exponents = np.arange(half, dtype=np.float64) / half
    return (config.rope.base**-exponents).astype(np.float32)


class Decoder:
    """Builds the inference graph of a Config.

    weight_types: storage type of each weight. The graph's inputs are tokens, positions, slots [T]
    and rows [R]; its output is logits [R, V]; its states are one key and one value cache a layer.
    """

    def __init__(
        self,
        config: Config,
        weight_types: Mapping[str, StorageType],
        *,
        n_slots: int,
        context_length: int,
    ) -> None:
        self.config = config
        self.graph = Graph("decoder")
        self._cache_shape = (n_slots, config.n_kv_heads, context_length, config.head_dim)
        for name, shape in weight_shapes(config).items():
            self.graph.tensor(name, shape, "weight", weight_types[name])
        self._tokens = self.graph.tensor("tokens", (T,), "input", I32)
        self._positions = self.graph.tensor("positions", (T,), "input", I32)
        self._slots = self.graph.tensor("slots", (T,), "input", I32)
        self._rows = self.graph.tensor("rows", (R,), "input", I32)
        self._angles: Tensor | None = None

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
            ops.linear, x_RD, self.graph.tensors[head], None, name="result_output"
        )
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
        if c.rope is None:
            table = self._weight("position_embd.weight")
            p_TD = g.add(ops.embedding, self._positions, table, name="inp_pos")
            return g.add(ops.add, x_TD, p_TD, name="inp_sum")
        frequencies = g.tensor("rope_frequencies", (c.rope.dims // 2,), "weight", F32)
        self._angles = g.add(ops.rope_angles, self._positions, frequencies, name="rope_angles")
        return x_TD

    def _norm(self, weight: str, x_TD: Tensor, name: str) -> Tensor:
        w_D, b_D = self._weight(f"{weight}.weight"), self._weight(f"{weight}.bias")
        eps = self.config.norm_eps
        if self.config.norm == "layer":
            return self.graph.add(ops.layer_norm, x_TD, w_D, b_D, name=name, eps=eps)
        return self.graph.add(ops.rms_norm, x_TD, w_D, name=name, eps=eps)

    def _linear(self, weight: str, x_TK: Tensor, name: str) -> Tensor:
        w_NK, b_N = self._weight(f"{weight}.weight"), self._weight(f"{weight}.bias")
        return self.graph.add(ops.linear, x_TK, w_NK, b_N, name=name)

    def _rotate(self, x_THD: Tensor, name: str) -> Tensor:
        rope = self.config.rope
        if rope is None:
            return x_THD
        return self.graph.add(ops.rope, x_THD, self._angles, name=name, layout=rope.layout)

    def _attention(self, layer: int, x_TD: Tensor) -> Tensor:
        g, c = self.graph, self.config
        block = f"blk.{layer}"
        normed = self._norm(f"{block}.attn_norm", x_TD, f"attn_norm-{layer}")
        q, k, v = (
            self._linear(f"{block}.attn_{name.lower()}", normed, f"{name}cur-{layer}")
            for name in ("Q", "K", "V")
        )
        q_THD = g.view(q, (T, c.n_heads, c.head_dim))
        k_TGD = g.view(k, (T, c.n_kv_heads, c.head_dim))
        v_TGD = g.view(v, (T, c.n_kv_heads, c.head_dim))
        q_THD = self._rotate(q_THD, f"Qrope-{layer}")
        k_TGD = self._rotate(k_TGD, f"Krope-{layer}")
        caches = []
        for name, new in (("k", k_TGD), ("v", v_TGD)):
            cache = g.tensor(f"cache_{name}-{layer}", self._cache_shape, "state", F32)
            places = (self._positions, self._slots)
            caches.append(
                g.add(ops.cache_write, cache, new, *places, name=f"cache_{name}_new-{layer}")
            )
        attended = g.add(
            ops.attention,
            *(q_THD, *caches, self._positions, self._slots),
            name=f"kqv-{layer}",
            scale=1 / math.sqrt(c.head_dim),
        )
        flat = g.view(attended, (T, c.n_heads * c.head_dim))
        projected = self._linear(f"{block}.attn_output", flat, f"attn_out-{layer}")
        return g.add(ops.add, projected, x_TD, name=f"ffn_inp-{layer}")

    def _feed_forward(self, layer: int, x_TD: Tensor) -> Tensor:
        g = self.graph
        block = f"blk.{layer}"
        normed = self._norm(f"{block}.ffn_norm", x_TD, f"ffn_norm-{layer}")
        up = self._linear(f"{block}.ffn_up", normed, f"ffn_up-{layer}")
        if self.config.mlp == "swiglu":
            gate = self._linear(f"{block}.ffn_gate", normed, f"ffn_gate-{layer}")
            hidden = g.add(ops.swiglu, gate, up, name=f"ffn_swiglu-{layer}")
        else:
            hidden = g.add(ops.gelu, up, name=f"ffn_gelu-{layer}")
        down = self._linear(f"{block}.ffn_down", hidden, f"ffn_out-{layer}")
        return g.add(ops.add, down, x_TD, name=f"l_out-{layer}")
