"""`rung plan` of a GPU tells what runs: launches, kernels, the longest batch, memory."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from gpu import require_gpu
from rung.backends.webgpu.backend import WebGpuBackend
from rung.backends.webgpu.gpu import Gpu
from rung.backends.webgpu.program import GpuProgram
from rung.cli.plan import _facts, _text
from rung.engine.draft import draft
from rung.engine.runner import ModelRunner, plan_model
from rung.errors import UsageError
from rung.schedule.homes import Wishes
from support import GPT2, tiny_checkpoint


@pytest.fixture(autouse=True)
def _gpu() -> None:
    require_gpu()


@pytest.fixture
def small_bindings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU that binds 16 KiB at once."""
    opened = Gpu.__init__

    def small(self, adapter):
        opened(self, adapter)
        self.features = replace(self.features, binding_bytes=16 << 10)

    monkeypatch.setattr(Gpu, "__init__", small)


def commands(runner: ModelRunner, tokens: int) -> list[str]:
    """Kernels of what the GPU starts, one for each dispatch."""
    found = []
    for program in runner.executor.compiled(tokens).programs:
        if isinstance(program, GpuProgram):
            started = program.commands({"T": tokens, "R": 1})
            found += [command.pipeline.kernel for command in started]
    return found


@pytest.mark.parametrize("fused", ["", "none"])
@pytest.mark.parametrize("options", [{}, GPT2, {"qk_norm": True}])
@pytest.mark.parametrize("layers", [2, "all"])
def test_launches_are_what_runs(options, fused, layers, monkeypatch) -> None:
    monkeypatch.setenv("RUNG_GPU_FUSE", fused)
    checkpoint, wishes = tiny_checkpoint(**options), Wishes(gpu_layers=layers)
    found = draft(checkpoint, device="webgpu", wishes=wishes)
    assert list(found.outlines) == [1, found.most_tokens]
    runner = plan_model(checkpoint, device="webgpu", wishes=wishes)
    for tokens, outline in found.outlines.items():
        kernels = [
            launch.kernel
            for launches in outline.stages
            for launch in launches
            for _ in range(launch.dispatches)
        ]
        assert kernels == commands(runner, tokens)
        steps = [sum(launch.steps for launch in launches) for launches in outline.stages]
        stages = [stage for stage in outline.plan.stages if stage.engine.name == "webgpu"]
        assert [n for n in steps if n] == [len(stage.steps) for stage in stages]
    alone = found.outlines[1]
    assert any(launch.steps > 1 for each in alone.stages for launch in each) == (not fused)
    assert alone.dispatches > 0
    runner.close()


@pytest.mark.parametrize("options", [{}, {"vocab_size": 3000, "tied_output": False}])
def test_memory_is_what_is_taken(options) -> None:
    checkpoint = tiny_checkpoint(context_length=256, n_layers=4, **options)
    planned = draft(checkpoint, device="webgpu").memory["webgpu"].total_bytes
    runner = plan_model(checkpoint, device="webgpu")
    backend = runner.backends[0]
    assert isinstance(backend, WebGpuBackend)
    for tokens in (1, runner.max_tokens):
        commands(runner, tokens)
    assert backend.gpu.used_bytes == pytest.approx(planned, rel=0.02)
    runner.close()


def test_a_plan_takes_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would not fit is told, and how much it would be."""
    checkpoint, wishes = tiny_checkpoint(qk_norm=True), Wishes(gpu_layers="all")
    expected = draft(checkpoint, device="webgpu", wishes=wishes)  # speeds are measured once
    monkeypatch.setenv("RUNG_GPU_MEMORY", "100")  # bytes
    found = draft(checkpoint, device="webgpu", wishes=wishes)
    assert found.outlines[1].dispatches == expected.outlines[1].dispatches > 0
    use = found.memory["webgpu"]
    assert use.total_bytes == expected.memory["webgpu"].total_bytes
    assert use.limit_bytes is not None
    assert use.limit_bytes <= 100
    assert ": more than the " in _text(found, nodes=False)


@pytest.mark.usefixtures("small_bindings")
def test_the_longest_batch_is_the_one_that_fits() -> None:
    """Logits of 4 tokens are as much as is bound at once; weights lie in parts."""
    checkpoint = tiny_checkpoint(vocab_size=1000, n_layers=1, tied_output=False)
    found = draft(checkpoint, device="webgpu", context_length=32)
    runner = plan_model(checkpoint, device="webgpu", context_length=32)
    assert list(found.plans) == [1, 4]
    assert found.most_tokens == runner.max_tokens == 4
    assert found.outlines[1].dispatches == len(commands(runner, 1))
    runner.close()
    with pytest.raises(UsageError, match="5 tokens, expected 1 to 4: longer prompts"):
        draft(checkpoint, [5], device="webgpu")


def test_words_and_json() -> None:
    found = draft(tiny_checkpoint(), [1], device="webgpu")
    dispatches = found.outlines[1].dispatches
    nodes = len(found.plans[1].problem.graph.nodes)
    text = _text(found, nodes=True)
    assert f"{nodes} nodes in 1 split, {dispatches} dispatches, " in text
    assert "; norm_mlp/webgpu=1 for 4 nodes] " in text
    assert text.count("\nnode #") < nodes
    assert "one batch holds 32 tokens at most" in text
    facts = json.loads(json.dumps(_facts(found)))
    assert facts["most_tokens"] == found.most_tokens
    (plan,) = facts["plans"]
    assert plan["dispatches"] == dispatches
    launches = plan["splits"][0]["launches"]
    assert sum(launch["nodes"] for launch in launches) == nodes
    assert sum(launch["predicted_s"] for launch in launches) <= plan["predicted_s"]
    assert plan["predicted_s"] < found.plans[1].seconds
