"""The sides of a comparison do the same work: the same logits, in this process and in others."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rung.bench.models.random_weights import random_checkpoint
from rung.bench.models.shapes import shape_named
from rung.bench.models.sides import peers
from rung.bench.models.sides.base import Opened, Setup, Side, TokenSide
from rung.bench.models.sides.own import OwnSide
from rung.bench.models.sides.worker import WorkerSide
from rung.engine.batch import Batch
from rung.engine.runner import plan_model
from rung.errors import BackendError, RungError, UsageError
from rung.formats.gguf.write import write
from rung.models.config import Config

TINY = shape_named("stories260K")


def setup(path: Path | None = None, config: Config = TINY) -> Setup:
    return Setup(config=config, path=path, threads=1, context_length=48, longest_batch=32)


@pytest.fixture
def gguf(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.gguf"
    write(path, random_checkpoint(TINY, "f32"))
    return path


class LoggedSide(TokenSide):
    """Notes what it reads and forgets."""

    def __init__(self, given: Setup) -> None:
        super().__init__(given)
        self.opened = Opened(name="logged", load_s=0.0)
        self.log: list[tuple[str, int, int]] = []

    def _read(self, start: int, stop: int) -> None:
        self.log.append(("read", start, stop))

    def _forget(self, start: int) -> None:
        self.log.append(("forget", start, 0))

    def close(self) -> None:
        self.log.clear()


class DyingSide(LoggedSide):
    """Ends its process when asked to decode; refuses prompts."""

    def prompt(self, length: int) -> float:
        raise UsageError(f"no prompt of {length}")

    def decode(self, depth: int, tokens: int) -> float:
        os._exit(7)


def test_decoding_begins_after_its_depth() -> None:
    side = LoggedSide(setup())
    side.decode(5, 2)
    assert side.log == [
        *[("forget", 0, 0), ("read", 0, 5)],
        *[("forget", 5, 0), ("read", 5, 6), ("read", 6, 7)],
    ]
    side.log.clear()
    side.decode(6, 1)  # seven are cached already
    assert side.log == [("forget", 6, 0), ("read", 6, 7)]
    side.log.clear()
    side.prompt(9)
    assert side.log == [("forget", 0, 0), ("read", 0, 9)]


def test_own_side() -> None:
    side = OwnSide(setup(), random_checkpoint(TINY, "q8_0"))
    assert side.prompt(32) > 0
    assert side.decode(16, 4) > 0
    assert side.peak_memory_bytes() > 1 << 20
    assert side.opened.name.startswith("rung ")
    assert side.opened.activations in ("float32", "int8")
    side.close()


def test_a_worker_answers_and_ends(gguf: Path) -> None:
    side = WorkerSide(OwnSide, setup(gguf), label="rung")
    assert side.opened.name.startswith("rung ")
    assert side.prompt(8) > 0
    assert side.decode(8, 4) > 0
    assert side.peak_memory_bytes() > 1 << 20
    process = side._process
    side.close()
    assert not process.is_alive()
    assert process.exitcode == 0


def test_what_a_worker_cannot_open_is_told(tmp_path: Path) -> None:
    with pytest.raises(RungError, match=r"none\.gguf"):
        WorkerSide(OwnSide, setup(tmp_path / "none.gguf"), label="rung")


def test_errors_of_a_worker() -> None:
    side: Side = WorkerSide(DyingSide, setup(), label="the other program")
    try:
        with pytest.raises(RungError, match="no prompt of 3") as caught:
            side.prompt(3)
        assert caught.value.exit_code == 2
    finally:
        side.close()
    side = WorkerSide(DyingSide, setup(), label="the other program")
    try:
        with pytest.raises(BackendError, match=r"the other program ended .*\(exit code 7\)"):
            side.decode(0, 1)
    finally:
        side.close()


def test_llama_cpp_has_our_logits(gguf: Path) -> None:
    llama_cpp = pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed")
    from rung.bench.models.sides.llamacpp import LlamaCppSide

    side = LlamaCppSide(setup(gguf))
    runner = plan_model(random_checkpoint(TINY, "f32"), threads=1)
    tokens = side._tokens

    def logits() -> Any:
        found = llama_cpp.llama_get_logits(side._context)
        return np.ctypeslib.as_array(found, (TINY.vocab_size,)).copy()

    side.prompt(20)
    expected = runner.forward(Batch.one(tokens[:20]))[0]
    assert np.abs(logits() - expected).max() < 2e-3 * np.abs(expected).max()
    side.decode(12, 3)  # forgets what the prompt left
    runner.forward(Batch.one(tokens[:14]))
    expected = runner.forward(Batch.one(tokens[14:15], start=14))[0]
    assert np.abs(logits() - expected).max() < 2e-3 * np.abs(expected).max()
    runner.close()
    side.close()


def test_llama_cpp_says_why_it_cannot_open(tmp_path: Path) -> None:
    pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed")
    from rung.bench.models.sides.llamacpp import LlamaCppSide

    path = tmp_path / "none.gguf"
    path.write_bytes(b"GGUF")
    with pytest.raises(BackendError, match=r"llama\.cpp cannot load .*none\.gguf: ."):
        LlamaCppSide(setup(path))


SHAPES_OF_TORCH = {
    "llama": TINY,
    "untied": replace(TINY, tied_output=False),
    "qwen2": replace(shape_named("qwen2.5-0.5b"), n_layers=2, vocab_size=300),
    "qwen3": replace(shape_named("qwen3-0.6b"), n_layers=2, vocab_size=300),
}


@pytest.mark.parametrize("name", SHAPES_OF_TORCH)
def test_torch_has_our_logits(name: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    from rung.bench.models.sides.pytorch import TorchSide

    config = SHAPES_OF_TORCH[name]
    checkpoint = random_checkpoint(config, "f32")
    weights = {n: torch.from_numpy(w.float32()) for n, w in checkpoint.weights.items()}
    side = TorchSide(setup(config=config), weights)
    runner = plan_model(checkpoint, threads=1, context_length=48)
    expected = runner.forward(Batch.one(side.tokens[:20]))[0]
    assert np.abs(side.logits(20).numpy() - expected).max() < 1e-3 * np.abs(expected).max()
    side.decode(12, 3)
    runner.forward(Batch.one(side.tokens[:14]))
    expected = runner.forward(Batch.one(side.tokens[14:15], start=14))[0]
    assert np.abs(side._logits[0].numpy() - expected).max() < 1e-3 * np.abs(expected).max()
    runner.close()
    side.close()


def test_torch_in_bfloat16() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    from rung.bench.models.sides.pytorch import TorchSide

    side = TorchSide(setup())
    found = side.logits(16)
    assert found.dtype is torch.bfloat16
    assert torch.isfinite(found).all()
    assert 0.3 < float(found.float().std()) < 3
    assert side.opened.name.endswith(" bfloat16")
    assert side.opened.load_s is None
    side.close()


def test_shapes_that_torch_does_not_run() -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed")
    peer = peers.peer_named("torch-bf16")
    with pytest.raises(UsageError, match="no rotation, its norm is layer"):
        peers.check_peer(peer, shape_named("gpt2-124m"))
    peers.check_peer(peer, TINY)
