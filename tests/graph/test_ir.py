"""The graph: shapes, verification, printing, passes."""

from __future__ import annotations

import pytest

from rung import ops
from rung.errors import GraphError
from rung.graph.ir import Graph, R, Role, T, concrete
from rung.graph.passes import (
    drop_dead_nodes,
    fuse_rounding,
    pack_activations,
    quantize_activations,
)
from rung.storage import F32, I32, storage_type


def _two_products() -> Graph:
    """ids → embedding → two products of one input; the second is the output."""
    graph = Graph("small")
    ids = graph.tensor("ids", (T,), "input", I32)
    table = graph.tensor("table", (10, 64), "weight")
    x = graph.add(ops.embedding, ids, table, name="x")
    for name in ("first", "second"):
        weight = graph.tensor(f"{name}.weight", (32, 64), "weight", storage_type("i8_g32"))
        graph.add(ops.linear, x, weight, name=name)
    graph.outputs.append(graph.tensors["second"])
    return graph


def test_shapes_follow_the_letters() -> None:
    graph = _two_products()
    graph.verify()
    assert graph.tensors["second"].shape == (T, 32)
    assert concrete((T, R, 3), {"T": 5, "R": 2}) == (5, 2, 3)


def test_print_names_ops_shapes_and_types() -> None:
    text = str(_two_products())
    assert "first f32[T×32] = linear(x, first.weight, -, -, -)" in text
    assert "outputs: second f32[T×32]" in text


def test_in_place_nodes_say_so() -> None:
    graph = Graph("cache")
    cache = graph.tensor("cache", (1, 2, 8, 4), "state")
    new = graph.tensor("new", (T, 2, 4), "input")
    places = [graph.tensor(name, (T,), "input", I32) for name in ("pos", "slot")]
    written = graph.add(ops.cache_write, cache, new, *places, name="written")
    graph.outputs.append(written)
    graph.verify()
    assert "(in place)" in str(graph)
    assert written.root is cache


def test_wrong_sizes_are_refused_when_a_node_is_added() -> None:
    graph = Graph("wrong")
    x = graph.tensor("x", (T, 5), "input")
    w = graph.tensor("w", (3, 4), "weight")
    with pytest.raises(GraphError, match="K of w_NK is 4, elsewhere 5"):
        graph.add(ops.linear, x, w, name="y")
    with pytest.raises(GraphError, match="expected D"):
        graph.add(ops.rms_norm, x, w, name="y", eps=1e-5)


def test_verify_refuses_what_is_not_in_order() -> None:
    graph = _two_products()
    graph.nodes.reverse()
    with pytest.raises(GraphError, match="read before it is computed"):
        graph.verify()


def test_verify_refuses_dangling_and_missing() -> None:
    graph = _two_products()
    graph.tensor("left over", (3,), "weight")
    with pytest.raises(GraphError, match="left over dangles"):
        graph.verify()
    graph = _two_products()
    graph.nodes.pop()
    with pytest.raises(GraphError, match="second is never computed"):
        graph.verify()


def test_verify_refuses_wrong_types_attributes_and_views() -> None:
    graph = Graph("types")
    ids = graph.tensor("ids", (T,), "input", F32)
    table = graph.tensor("table", (10, 64), "weight")
    graph.outputs.append(graph.add(ops.embedding, ids, table, name="x"))
    with pytest.raises(GraphError, match="ids_T is f32, expected i32"):
        graph.verify()

    graph = Graph("attributes")
    x = graph.tensor("x", (T, 8), "input")
    w = graph.tensor("w", (8,), "weight")
    graph.outputs.append(graph.add(ops.rms_norm, x, w, name="y", epsilon=1e-5))
    with pytest.raises(GraphError, match=r"expected \['eps'\]"):
        graph.verify()

    graph = Graph("views")
    x = graph.tensor("x", (T, 8), "input")
    other = graph.tensor("other", (T, 6), "input")
    graph.outputs.append(graph.add(ops.add, graph.view(x, (T, 6)), other, name="y"))
    with pytest.raises(GraphError, match="not as large as its base"):
        graph.verify()


def test_names_are_unique() -> None:
    graph = _two_products()
    with pytest.raises(GraphError, match="exists already"):
        graph.tensor("x", (1,), "weight")


def test_dead_nodes_are_dropped() -> None:
    graph = drop_dead_nodes(_two_products())
    assert [node.name for node in graph.nodes] == ["x", "second"]
    assert "first.weight" not in graph.tensors


def test_activations_are_rounded_once_for_all_products_that_share_them() -> None:
    graph = quantize_activations(_two_products())
    assert [node.op.name for node in graph.nodes] == ["embedding", "quantize", "linear", "linear"]
    rounded = graph.tensors["x rounded"]
    assert rounded.type is storage_type("i8_g32")
    assert all(node.inputs["x_TK"] is rounded for node in graph.nodes[2:])


@pytest.mark.parametrize(
    ("matrix", "packed"), [("q8_0", True), ("bf16", True), ("i8_g32", False), ("f32", False)]
)
def test_inputs_are_packed_once_for_all_products_that_share_them(matrix: str, packed: bool) -> None:
    graph = Graph("two products")
    x = graph.tensor("x", (T, 64), "input")
    for name in ("first", "second"):
        w = graph.tensor(f"{name}.weight", (8, 64), "weight", storage_type(matrix))
        graph.outputs.append(graph.add(ops.linear, x, w, name=name))
    result = pack_activations(quantize_activations(graph))
    products = [node for node in result.nodes if node.op is ops.linear]
    packs = [node for node in result.nodes if node.op is ops.pack_tiles]
    assert len(products) == 2
    assert len(packs) == packed
    expected = packs[0].output if packed else None
    assert all(node.inputs["tiles_TK"] is expected for node in products)
    assert all(node.inputs["x_TK"] is products[0].inputs["x_TK"] for node in packs)


def _normed_product(*, kept: bool) -> Graph:
    """A norm and a product with q8_0 weights; `kept` makes the norm an output as well."""
    graph = Graph("normed")
    x = graph.tensor("x", (T, 64), "input")
    norm = graph.tensor("norm.weight", (64,), "weight")
    weight = graph.tensor("weight", (8, 64), "weight", storage_type("q8_0"))
    normed = graph.add(ops.rms_norm, x, norm, name="normed", eps=1e-5)
    graph.outputs.append(graph.add(ops.linear, normed, weight, name="y"))
    if kept:
        graph.outputs.append(normed)
    graph.verify()
    return graph


def test_a_norm_that_is_only_rounded_ends_in_int8() -> None:
    graph = drop_dead_nodes(fuse_rounding(quantize_activations(_normed_product(kept=False))))
    assert [node.op.name for node in graph.nodes] == ["rms_norm_rounded", "linear"]
    assert "normed" not in graph.tensors
    assert graph.nodes[0].attributes == {"eps": 1e-5}


def test_a_norm_with_another_reader_stays() -> None:
    graph = drop_dead_nodes(fuse_rounding(quantize_activations(_normed_product(kept=True))))
    assert [node.op.name for node in graph.nodes] == ["rms_norm", "quantize_blocks", "linear"]


def _adam(*, role: Role = "state") -> Graph:
    """One update of a weight whose first moment has a role."""
    graph = Graph("update")
    roles: tuple[Role, ...] = ("state", role, "state", "state", "input", "input")
    tensors = [
        graph.tensor(name, (size,), role)
        for name, size, role in zip("wmvgfn", (8, 8, 8, 8, 2, 9), roles, strict=True)
    ]
    graph.add(ops.adamw, *tensors, name="updated", decays=True)
    return graph


def test_nodes_that_update_states_stay_and_say_what_they_write() -> None:
    graph = drop_dead_nodes(_adam())
    assert [tensor.root.name for tensor in graph.nodes[0].written] == ["w", "m", "v"]


@pytest.mark.parametrize("role", ["weight", "input"])
def test_verify_refuses_updates_of_what_does_not_change(role: Role) -> None:
    with pytest.raises(GraphError, match="updates m, which is neither state nor activation"):
        _adam(role=role).verify()
