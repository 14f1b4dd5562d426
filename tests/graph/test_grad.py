"""Gradient rules against finite differences, in float64, by the references alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rung import ops
from rung.errors import GraphError
from rung.graph.grad import LOSS_GRADIENT, differentiate
from rung.graph.ir import Graph, Tensor
from rung.models.config import Rope
from rung.models.trainable import PRODUCTS, Precision, TrainableDecoder
from rung.ops.linear import mixed
from rung.registry import OPS
from support import GPT2, tiny_config

Values = dict[Tensor, NDArray[Any]]


def run_references(graph: Graph, given: Mapping[str, NDArray[Any]]) -> Values:
    """Every tensor's value after a run, by the float64 references of the nodes."""
    values: Values = {t: given[name] for name, t in graph.tensors.items() if name in given}

    def value(tensor: Tensor | None) -> NDArray[Any] | None:
        if tensor is None:
            return None
        return values[tensor.root].reshape([int(str(size)) for size in tensor.shape])

    for node in graph.nodes:
        inputs = {name: value(tensor) for name, tensor in node.inputs.items()}
        found = node.op.reference(**inputs, **node.attributes)
        for tensor, result in zip(node.written, found if node.op.writes else [found], strict=True):
            values[tensor.root] = np.asarray(result)
    return values


TINY = {"dim": 8, "n_heads": 2, "n_layers": 1, "vocab_size": 7, "context_length": 4}
MODELS: dict[str, dict[str, Any]] = {
    "gpt2": GPT2 | TINY | {"hidden_dim": 8, "n_kv_heads": 2},
    "llama": TINY
    | {
        **{"hidden_dim": 5, "n_heads": 4, "n_kv_heads": 2, "head_dim": 4, "post_norms": True},
        **{"tied_output": False, "rope": Rope(dims=2, layout="half"), "embedding_scale": 2.0},
    },
}


def _model(
    changes: dict[str, Any], precision: Precision = "float32"
) -> tuple[Graph, dict[str, NDArray[Any]], list[str]]:
    """A forward graph, values for its inputs and states, and the names of its weights."""
    config = tiny_config(**changes)
    decoder = TrainableDecoder(config, sequences=2, tokens=3, chunk_rows=3, precision=precision)
    graph = decoder.build()
    rng = np.random.default_rng(0)
    given: dict[str, NDArray[Any]] = {
        "tokens": rng.integers(0, 7, 6).astype(np.int32),
        "targets": np.array([1, 2, -1, 6, 0, 3], np.int32),
        "positions": np.tile(np.arange(3, dtype=np.int32), 2),
        **{name: values.astype(np.float64) for name, values in decoder.constants.items()},
    }
    states = graph.of_role("state")
    for tensor in states:
        given[tensor.name] = rng.standard_normal([int(str(size)) for size in tensor.shape]) * 0.7
    return graph, given, [t.name for t in states if not t.name.startswith("kq_lse")]


@pytest.mark.parametrize("changes", MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("accumulate", [False, True], ids=["set", "added"])
@pytest.mark.parametrize("precision", PRODUCTS)
def test_gradients_are_the_slopes_of_the_loss(
    changes: dict[str, Any],
    accumulate: bool,
    precision: Precision,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # What is rounded has no slope; the rule is that of the product without rounding.
    monkeypatch.setattr(mixed, "rounded", lambda x: x)
    graph, given, names = _model(changes, precision)
    loss = graph.tensors["loss"]
    found = differentiate(
        graph, loss, names, accumulate=accumulate, recompute=[ops.gelu, ops.rms_norm]
    )
    before = 0.25 if accumulate else np.nan
    states = {t.name: np.full(given[n].shape, before) for n, t in found.gradients.items()}
    seed = {LOSS_GRADIENT: np.array([2.0])}
    values = run_references(found.graph, given | states | seed)
    rng = np.random.default_rng(1)
    for name in names:
        # Along a random direction: each weight counts, and one difference does for all.
        direction = rng.standard_normal(given[name].shape)
        ends = [
            float(run_references(graph, given | {name: given[name] + h * direction})[loss][0])
            for h in (1e-5, -1e-5)
        ]
        slope = 2.0 * (ends[0] - ends[1]) / 2e-5
        gradient = values[found.gradients[name]] - (before if accumulate else 0)
        assert float((gradient * direction).sum()) == pytest.approx(slope, rel=1e-6, abs=1e-8), name


def test_every_rule_is_part_of_a_tested_model() -> None:
    used = {
        node.op.name
        for changes in MODELS.values()
        for precision in PRODUCTS
        for node in _model(changes, precision)[0].nodes
    }
    assert {op.name for op in OPS.values() if op.rule is not None} <= used


def test_a_chunks_gradient_follows_its_logits_at_once() -> None:
    graph, _, names = _model(MODELS["gpt2"])
    nodes = differentiate(graph, graph.tensors["loss"], names).graph.nodes
    order = [n.op.name for n in nodes if n.op in (ops.cross_entropy, ops.cross_entropy_backward)]
    assert order == ["cross_entropy", "cross_entropy_backward"] * 2


def test_an_op_without_a_gradient_is_named() -> None:
    graph = Graph("capped")
    x = graph.tensor("x", (3, 4), "state")
    targets = graph.tensor("targets", (3,), "input", ops.embedding.types["ids_T"])
    capped = graph.add(ops.softcap, x, name="capped", cap=1.0)
    losses = graph.add(ops.cross_entropy, capped, targets, name="losses", first=0)
    loss = graph.add(ops.mean_loss, losses, targets, name="loss")
    with pytest.raises(GraphError, match="capped: softcap has no gradient"):
        differentiate(graph, loss, ["x"])


def test_a_weight_that_nothing_reads_is_named() -> None:
    graph, _, names = _model(MODELS["gpt2"])
    graph.tensor("spare", (3,), "state")
    with pytest.raises(GraphError, match="the loss does not depend on spare"):
        differentiate(graph, graph.tensors["loss"], [*names, "spare"])
