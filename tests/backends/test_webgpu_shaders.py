"""Shaders are compiled while a model loads: several at a time, with a word where it takes long."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from gpu import require_gpu
from rung.backends.webgpu import adapters, shaders
from rung.backends.webgpu.backend import WebGpuBackend
from rung.backends.webgpu.gpu import Gpu
from rung.backends.webgpu.shaders import Shader
from rung.engine.batch import Batch, Choice
from rung.engine.runner import plan_model
from rung.errors import BackendError
from rung.wgsl.source import Source
from support import GPT2, tiny_checkpoint


def shader(text: str, kernel: str = "some/webgpu=1") -> Shader:
    return Shader(Source(text, (("y", "read_write"),)), kernel, "some.wgsl")


def good(number: int) -> Shader:
    return shader(
        "@group(0) @binding(0) var<storage, read_write> y: array<u32>;\n"
        f"@compute @workgroup_size(1) fn main() {{ y[0] = {number}u; }}"
    )


@pytest.fixture(scope="module")
def gpu() -> Iterator[Gpu]:
    require_gpu()
    found = Gpu(adapters.find("webgpu"))
    yield found
    found.close()


@pytest.mark.parametrize(
    "options", [{"matrices": "i8", "context_length": 80}, {"matrices": "f32", **GPT2}]
)
def test_no_prompt_waits_for_a_shader(options) -> None:
    require_gpu()
    runner = plan_model(tiny_checkpoint(**options), device="webgpu")
    backend = runner.backends[0]
    assert isinstance(backend, WebGpuBackend)
    before = len(backend.gpu.shaders)
    assert before > 0
    for tokens in range(1, runner.max_tokens):
        runner.forward(Batch.one(list(range(1, tokens + 1))))
    drawn = Choice(np.array([1.0, 5, 0.9, 0.1], np.float32), np.array([0.5], np.float32))
    for choice in (Choice(), drawn):
        flight = runner.ahead(1, position=0, slot=0, choice=choice, steps=1)
        assert flight is not None
        next(flight)
    assert len(backend.gpu.shaders) == before
    runner.close()


def test_several_sequences_do_not_wait_for_a_shader() -> None:
    require_gpu()
    runner = plan_model(tiny_checkpoint(matrices="i8"), device="webgpu", n_slots=5)
    backend = runner.backends[0]
    assert isinstance(backend, WebGpuBackend)
    before = len(backend.gpu.shaders)
    for prompt in (0, 12):  # besides, one more sequence begins
        for count in range(2, 5):
            positions = np.concatenate([np.full(count, 3), np.arange(prompt)])
            slots = np.concatenate([np.arange(count), np.full(prompt, count)])
            rows = np.append(np.arange(count), [count + prompt - 1] if prompt else [])
            numbers = (np.arange(count + prompt), positions, slots, rows)
            logits = runner.forward(Batch(*(each.astype(np.int32) for each in numbers)))
            assert len(logits) == len(rows)
    assert len(backend.gpu.shaders) == before
    runner.close()


def test_each_is_compiled_once(gpu: Gpu) -> None:
    before = len(gpu.shaders)
    gpu.shaders.compile([good(1), good(2), good(1)])
    assert len(gpu.shaders) == before + 2
    found = gpu.shaders.get(good(2))
    gpu.shaders.compile([good(2)])
    assert gpu.shaders.get(good(2)) is found
    assert len(gpu.shaders) == before + 2


def test_what_does_not_compile_is_told_from_another_thread_too(gpu: Gpu) -> None:
    with pytest.raises(BackendError, match=r"bad/webgpu=9 some.wgsl does not compile on "):
        gpu.shaders.compile([good(3), shader("nonsense", "bad/webgpu=9"), good(4)])
    gpu.shaders.compile([good(3), good(4)])
    gpu.check()


def test_a_word_only_where_it_takes_long(gpu: Gpu, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, int, str]] = []
    monkeypatch.setattr(shaders, "_QUIET_S", 600.0)  # longer than any machine takes
    gpu.shaders.compile([good(5), good(6)], lambda *step: told.append(step))
    assert not told
    monkeypatch.setattr(shaders, "_QUIET_S", 0.0)
    gpu.shaders.compile([good(7), good(8)], lambda *step: told.append(step))
    assert told[-1] == (2, 2, "")
    assert {total for _, total, _ in told} == {2}
