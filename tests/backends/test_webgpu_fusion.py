"""Fusion: what becomes one dispatch, what must not, and that results stay what they are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import plain
from rung import ops
from rung.backends.webgpu.backend import WebGpuBackend
from rung.backends.webgpu.fusion import Places, fuse
from rung.backends.webgpu.program import GpuProgram
from rung.engine.batch import Batch
from rung.engine.runner import build_decoder, plan_model
from rung.errors import BackendError, UsageError
from rung.formats.base import Checkpoint
from rung.graph.ir import Graph, Tensor
from rung.models.config import Rope
from rung.wgsl import Features
from support import GPT2, tiny_checkpoint

LAYER = ["norm_qkv", "attention", "linear", "norm_mlp", "linear"]
CONFIGS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "llama": ({}, LAYER),
    "qwen2": ({"qkv_bias": True, "rope": Rope(dims=4, layout="half")}, LAYER),
    "qwen3": (
        {"qk_norm": True, "rope": Rope(dims=4, layout="half")},
        ["norm_products", "rotate_write", *LAYER[1:]],
    ),
    "gemma": (
        {
            "mlp": "geglu",
            "post_norms": True,
            "attention_softcap": 1.5,
            "output_softcap": 2.0,
            "sliding_window": 5,
            "sliding_layers": (True, False),
            "tied_output": True,
        },
        ["norm_qkv", "attention", "linear", "norm_add", "norm_mlp", "linear", "norm_add"],
    ),
    "gpt2": (GPT2, LAYER),
}


def no_memory_in_common(tensor: Tensor) -> frozenset[int]:
    return frozenset((id(tensor.root),))


def graph_of(**changes: Any) -> Graph:
    return build_decoder(tiny_checkpoint(**changes), n_slots=1, context_length=32).build()


def fused_names(graph: Graph, **options: Any) -> list[str]:
    given = {
        "kept": [tensor.root for tensor in graph.outputs],
        "accepts": lambda node: True,
        "places": Places(no_memory_in_common),
    }
    return [job.node.op.name for job in fuse(graph.nodes, **given | options)]


@pytest.mark.parametrize("name", CONFIGS)
def test_a_layer_is_a_handful_of_nodes(name: str) -> None:
    changes, layer = CONFIGS[name]
    names = fused_names(graph_of(**changes))
    start = ["embedding", "embedding", "add"] if name == "gpt2" else ["embedding"]
    # The first layer has the angles of all of them among its nodes.
    assert [n for n in names if n != "rope_angles"] == [
        *(*start, *layer, *layer),
        *("embedding", "norm_linear"),
    ]


def test_owners_are_the_products() -> None:
    graph = graph_of()
    jobs = fuse(
        graph.nodes,
        [t.root for t in graph.outputs],
        lambda node: True,
        Places(no_memory_in_common),
    )
    owners = {job.node.op.name: graph.nodes[job.owner].name for job in reversed(jobs)}
    assert owners["norm_qkv"] == "Qcur-0"
    assert owners["norm_mlp"] == "ffn_gate-0"
    assert owners["attention"] == "kqv-0"


def test_what_others_read_is_not_fused_away() -> None:
    graph = graph_of()
    for kept, missing in (("ffn_norm-0", "norm_mlp"), ("Kcur-0", "norm_qkv")):
        roots = [*(t.root for t in graph.outputs), graph.tensors[kept].root]
        assert fused_names(graph, kept=roots).count(missing) == 1  # the other layer's


def test_what_two_nodes_read_is_not_fused_away() -> None:
    graph = graph_of()
    normed = graph.tensors["ffn_norm-1"]
    graph.outputs.append(graph.add(ops.scale, normed, name="another", factor=2.0))
    assert fused_names(graph).count("norm_mlp") == 1


def test_without_a_kernel_what_is_left_is_fused() -> None:
    without = {"norm_qkv"}
    names = fused_names(graph_of(), accepts=lambda node: node.op.name not in without)
    assert names.count("norm_qkv") == 0
    assert names.count("norm_products") == 2
    assert names.count("rotate_write") == 2
    without.add("norm_products")
    names = fused_names(graph_of(), accepts=lambda node: node.op.name not in without)
    assert names.count("rms_norm") == 2
    assert names.count("rotate_write") == 2


def test_memory_that_would_be_overwritten_is_left_alone() -> None:
    graph = graph_of()
    hidden = graph.tensors["ffn_swiglu-0"]
    stream = graph.tensors["ffn_inp-0"]

    def places(tensor: Tensor) -> frozenset[int]:
        root = stream if tensor.root is hidden else tensor.root
        return frozenset((id(root),))

    assert fused_names(graph, places=Places(places)).count("norm_mlp") == 1
    free = Places(places, [hidden, graph.tensors["Qcur-0"]])
    assert fused_names(graph, places=free).count("norm_mlp") == 2
    assert free.moved == {hidden}


def test_nodes_between_keep_what_fused_ones_read() -> None:
    """Angles are made between the products of the first layer, where the norm has read x."""
    graph = graph_of()
    angles, stream = graph.tensors["rope_angles"], graph.tensors["inp_embd"]

    def places(tensor: Tensor) -> frozenset[int]:
        root = stream if tensor.root is angles else tensor.root
        return frozenset((id(root),))

    assert fused_names(graph, places=Places(places)).count("norm_qkv") == 1


def test_fusions_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = graph_of()
    monkeypatch.setenv("RUNG_GPU_FUSE", "-norm_mlp, -norm_linear")
    names = fused_names(graph)
    assert "norm_qkv" in names
    assert "norm_mlp" not in names
    monkeypatch.setenv("RUNG_GPU_FUSE", "none")
    assert fused_names(graph) == [node.op.name for node in graph.nodes]
    monkeypatch.setenv("RUNG_GPU_FUSE", "-everything")
    with pytest.raises(UsageError, match="-norm_qkv"):
        fused_names(graph)
    with pytest.raises(UsageError, match="-norm_qkv"):
        WebGpuBackend()


@pytest.fixture(scope="module", autouse=True)
def features() -> Features:
    """What the GPU can do. Skips where there is no adapter, of software at least."""
    try:
        backend = WebGpuBackend()
    except BackendError as error:
        pytest.skip(str(error))
    found = backend.gpu.features
    backend.close()
    return found


IDS = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9]


def all_logits(checkpoint: Checkpoint, **options: Any) -> tuple[np.ndarray, int]:
    """Of a prompt and some steps after it; and how many dispatches a step takes."""
    runner = plan_model(checkpoint, device="webgpu", activations="float32", **options)
    rows = [runner.forward(Batch.one(IDS[:10], start=0, rows="all")).copy()]
    for at in range(10, len(IDS)):
        rows.append(runner.forward(Batch.one(IDS[at : at + 1], start=at, rows="all")).copy())
    (program,) = runner.executor.compiled(1).programs
    assert isinstance(program, GpuProgram)
    count = len(program.commands({"T": 1, "R": 1}))
    runner.close()
    return np.concatenate(rows), count


@pytest.mark.parametrize("name", CONFIGS)
def test_logits_with_and_without_fusion(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = tiny_checkpoint(**CONFIGS[name][0])
    fused, few = all_logits(checkpoint)
    monkeypatch.setenv("RUNG_GPU_FUSE", "none")
    alone, many = all_logits(checkpoint)
    reference = plain.logits(checkpoint.config, checkpoint.weights, IDS)
    scale = np.abs(reference).max()
    assert few < many
    assert np.abs(fused - alone).max() <= 1e-5 * scale
    assert np.abs(fused - reference).max() <= 1e-5 * scale


@pytest.mark.parametrize("matrices", ["i8", "q4_k"])
def test_quantised_weights_and_half_precision_caches(
    matrices: str, features: Features, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = {"dim": 256, "hidden_dim": 256, "n_heads": 8} if matrices == "q4_k" else {}
    checkpoint = tiny_checkpoint(matrices=matrices, **sizes)
    cache_type = "f16" if features.f16 else "f32"
    fused, _ = all_logits(checkpoint, cache_type=cache_type)
    monkeypatch.setenv("RUNG_GPU_FUSE", "none")
    alone, _ = all_logits(checkpoint, cache_type=cache_type)
    assert np.abs(fused - alone).max() <= 2e-3 * np.abs(alone).max()


@pytest.mark.parametrize("length", [1, 5])
def test_logits_of_several_rows_after_a_run_without_any(length: int) -> None:
    """As a long prompt's first part has none, and perplexity or a batch of sequences several."""
    checkpoint = tiny_checkpoint()
    runner = plan_model(checkpoint, device="webgpu")
    runner.forward(Batch.one(IDS[:length], rows="none"))
    runner.forward(Batch.one(IDS[:length], rows="last"))
    batch = Batch.one(IDS[:length])
    rows = np.array([length - 1, 0, 0], np.int32)
    found = runner.forward(replace(batch, rows=rows)).copy()
    runner.close()
    reference = plain.logits(checkpoint.config, checkpoint.weights, IDS[:length])
    assert np.abs(found - reference[rows]).max() <= 1e-5 * np.abs(reference).max()
