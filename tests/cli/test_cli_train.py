"""`rung train` and `rung check-gpt2`: from text to a model in every format, and what is said."""

from __future__ import annotations

import builtins
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from rung.engine.batch import Batch
from rung.engine.runner import plan_model
from rung.errors import MemoryLimitError
from rung.formats import open_checkpoint
from rung.formats.gguf.write import write as write_gguf
from rung.formats.llama2c import write as llama2c_write
from rung.formats.llmc import state as llmc_state
from rung.formats.llmc import write as llmc_write
from rung.formats.llmc.layout import plain_config
from rung.train.initial import initial_checkpoint
from rung.train.run.metrics import read_rows
from rung.train.step import TrainStep
from support import GPT2, tiny_checkpoint, tiny_vocabulary, write_tokenizer
from vocabularies import LINES

SHAPES = {"gpt2": "config.json", "llama": "llama:16x2:heads=4,kv=2,context=32"}
SMALL = ("-B", 2, "-T", 8, "--steps", 4, "--threads", 1)


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("\n".join(LINES) * 4)
    return path


@pytest.fixture
def data(command_line, text, tmp_path):
    """A folder of rung data, with a byte-level tokenizer of 300 tokens."""
    out = tmp_path / "data"
    assert command_line("data", text, "-o", out, "--train-tokenizer", 300, "-q").exit_code == 0
    return out


@pytest.fixture
def tokenizer(tmp_path):
    """A tokenizer.bin of llama2.c, whose texts begin with 1 and end with 2."""
    return write_tokenizer(tmp_path / "tokenizer.bin", *tiny_vocabulary())


def train(command_line, tmp_path, *arguments, out="out"):
    result = command_line("train", *arguments, "-o", tmp_path / out, *SMALL)
    assert (result.exit_code, result.out) == (0, ""), result.err
    return result


def logits(path):
    runner = plan_model(open_checkpoint(path), threads=1)
    found = runner.forward(Batch.one([5, 3, 130, 8, 99, 7], rows="all")).copy()
    runner.close()
    return found


def test_from_data_to_text(command_line, data, tmp_path):
    arguments = (data, "--config", SHAPES["llama"], "--val-every", 2, "--sample-every", 3)
    result = train(command_line, tmp_path, *arguments, "-p", "The", "--sample-tokens", 5)
    lines = result.err.splitlines()
    assert lines[0].startswith("llama, ")
    assert "vocabulary 300" in lines[0]
    assert lines[1].startswith("4 steps of 16 tokens (2 x 8 x 1); ")
    assert any(line.startswith("step 3: The") for line in lines)
    assert sum("validation loss" in line for line in lines) == 3
    assert "% of limit" in result.err
    assert lines[-1] == f"the model is trained: rung generate {tmp_path / 'out'}"
    assert (tmp_path / "out" / "loss.png").read_bytes().startswith(b"\x89PNG")
    shown = command_line("generate", tmp_path / "out", "-n", 4, "--ignore-eos", "--json")
    assert len(json.loads(shown.out)["tokens"]) == 4
    facts = json.loads(command_line("info", tmp_path / "out", "--json").out)
    assert (facts["format"], facts["tokenizer_tokens"]) == ("Rung safetensors (f32)", 300)


def test_a_trained_gpt2_in_every_format_that_holds_it(command_line, data, tmp_path):
    config = tmp_path / "config.json"
    fields = {"dim": 16, "hidden_dim": 64, "n_layers": 2, "n_heads": 4, "n_kv_heads": 4}
    fields |= {"head_dim": 4, "context_length": 32, **GPT2, "vocab_size": 300}
    config.write_text(json.dumps(fields))
    train(command_line, tmp_path, data, "--config", config)
    expected = logits(tmp_path / "out")
    for name, to in (("m.gguf", "gguf"), ("m.bin", "llmc"), ("m", "huggingface")):
        path = tmp_path / "exports" / name
        path.parent.mkdir(exist_ok=True)
        result = command_line("convert", tmp_path / "out", path, "--to", to, "--type", "f32")
        assert result.exit_code == 0, result.err
        assert "all weights are exactly as they were" in result.err
        np.testing.assert_allclose(logits(path), expected, rtol=0, atol=1e-5)
    for path in (tmp_path / "exports" / "m.gguf", tmp_path / "exports" / "m"):
        shown = command_line("tokenize", path, "-p", "The quick", "--json")
        assert "".join(json.loads(shown.out)["pieces"]) == "TheĠquick"


def test_a_trained_llama_in_every_format_that_holds_it(command_line, text, tokenizer, tmp_path):
    arguments = ("--config", SHAPES["llama"], "--tokenizer", tokenizer)
    train(command_line, tmp_path, text, *arguments)
    expected = logits(tmp_path / "out")
    exports = tmp_path / "exports"
    exports.mkdir()
    formats = ("gguf", "huggingface", "llama2c-v0", "llama2c-v1", "rung")
    for to in formats:
        result = command_line("convert", tmp_path / "out", exports / to, "--to", to)
        assert result.exit_code == 0, result.err
        np.testing.assert_allclose(logits(exports / to), expected, rtol=0, atol=1e-5)
    assert "llm.c: rope" not in result.err
    refused = command_line("convert", tmp_path / "out", exports / "no", "--to", "llmc")
    assert "cannot be written as llm.c" in refused.err
    assert "; rope is Rope (llm.c: None); " in refused.err


@pytest.mark.parametrize("kind", ["llama2c", "gguf"])
def test_fine_tuning_takes_the_tokenizer_along(command_line, text, tokenizer, kind, tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    write_tokenizer(folder / "tokenizer.bin", *tiny_vocabulary())
    llama2c_write.write(folder / "tiny.bin", tiny_checkpoint(), version=2)
    source = folder / "tiny.bin"
    if kind == "gguf":
        source = tmp_path / "tiny.gguf"
        write_gguf(source, open_checkpoint(folder / "tiny.bin"), kind="q8_0")
        tokenizer.unlink()
    result = train(command_line, tmp_path, text, "--init-from", source, "--lr", 1e-9)
    assert "vocabulary 300" in result.err
    # Dequantised, and next to nothing learned.
    difference = np.abs(logits(tmp_path / "out") - logits(source)).max()
    assert difference < 0.2 * np.abs(logits(source)).max()
    ids = [
        json.loads(command_line("tokenize", path, "-p", "the an", "--json").out)["tokens"]
        for path in (folder / "tiny.bin", tmp_path / "out")
    ]
    assert ids[0] == ids[1]
    again = tmp_path / "again.gguf"
    assert command_line("convert", tmp_path / "out", again).exit_code == 0
    shown = command_line("tokenize", again, "-p", "the an", "--json")
    assert json.loads(shown.out)["tokens"] == ids[0]


def test_going_on(command_line, data, tmp_path):
    train(command_line, tmp_path, data, "--config", SHAPES["llama"])
    out = tmp_path / "out"
    result = command_line("train", "-o", out, "--resume", "--steps", 6)
    assert result.exit_code == 0
    assert "6 steps, from step 4 of 16 tokens" in result.err
    with (out / "metrics.jsonl").open("a") as file:
        file.write('{"step": 1, "loss": "no number"}\n')  # is no reason to fail when all is done
    assert command_line("train", "-o", out, "--resume", "-q") == (0, "", "")
    result = command_line("train", "-o", out, "--resume")
    assert result.exit_code == 0
    assert "the run has all of its 6 steps; --steps N makes it longer" in result.err


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_saves(data, tmp_path, name):
    out = tmp_path / "out"
    command = [sys.executable, "-m", "rung", "train", data, "-o", out, "--config", SHAPES["llama"]]
    command += ["-B", 2, "-T", 8, "--steps", 100_000, "--val-every", 0, "--threads", 1]
    process = subprocess.Popen(list(map(str, command)), stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while len(read_rows(out / "metrics.jsonl")) < 3:
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(getattr(signal, name))
    _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + getattr(signal, name)
    assert "finishing this step, then saving" in err
    assert f"stopped and saved; go on with: rung train --resume --out {out}" in err
    rows = read_rows(out / "metrics.jsonl")
    last = sorted((out / "checkpoints").iterdir())[-1]
    assert last.name == f"step-{rows[-1]['step']:08d}"


def test_a_gpu_that_the_model_fills_need_not_be_measured(command_line, data, tmp_path, monkeypatch):
    def fail(step: TrainStep) -> None:
        raise MemoryLimitError("no room")

    monkeypatch.setattr(TrainStep, "limit_gops", fail)
    result = train(command_line, tmp_path, data, "--config", SHAPES["llama"])
    assert result.exit_code == 0
    assert "no room for it; rung tune --device " in result.err
    assert " tok/s" in result.err
    assert "of limit" not in result.err


def test_sigterm_before_the_first_step_ends(command_line, data, tmp_path, monkeypatch):
    monkeypatch.setattr("rung.train.run.session.begin", lambda *_, **__: signal.raise_signal(15))
    result = command_line("train", data, "-o", tmp_path / "out", "--config", SHAPES["llama"])
    assert result == (143, "", "")


def test_without_matplotlib_the_curve_is_left_out(command_line, data, tmp_path, monkeypatch):
    without(monkeypatch, "matplotlib")
    result = train(command_line, tmp_path, data, "--config", SHAPES["llama"])
    assert 'no loss curve is drawn without matplotlib: pip install "rung[plot]"' in result.err


def without(monkeypatch, package):
    real = builtins.__import__

    def refuse(name, *arguments, **options):
        if name.partition(".")[0] == package:
            raise ImportError(name)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", refuse)


def test_tensorboard(command_line, data, tmp_path, monkeypatch):
    pytest.importorskip("tensorboardX")
    train(command_line, tmp_path, data, "--config", SHAPES["llama"], "--tensorboard")
    (events,) = (tmp_path / "out" / "tensorboard").iterdir()
    content = events.read_bytes()
    assert all(name in content for name in (b"loss", b"norm", b"tok_s", b"val_loss"))
    without(monkeypatch, "tensorboardX")
    result = command_line("train", data, "-o", tmp_path / "no", "--tensorboard")
    assert result.exit_code == 2
    assert '--tensorboard needs tensorboardX: pip install "rung[tensorboard]"' in result.err


@pytest.mark.parametrize(
    ("arguments", "message", "code"),
    [
        (["DATA"], "give one of --config", 2),
        (["DATA", "--config", "gpt3"], "model 'gpt3' is unknown", 2),
        (["--config", "LLAMA"], "there is no data", 2),
        (["DATA", "--config", "LLAMA", "--lr", "x"], "'--lr'", 2),
        (["DATA", "--config", "LLAMA", "--lr", -1], "--lr is -1.0", 2),
        (["DATA", "--config", "LLAMA", "--steps", 0], "--steps is 0, expected more than 0", 2),
        (["--resume", "--epochs", 0], "--epochs is 0.0, expected more than 0", 2),
        (["DATA", "--config", "LLAMA", "-B", 5000], "data too small for a batch", 1),
        (["TEXT", "--config", "LLAMA"], "is text: give --tokenizer", 2),
        (["DATA", "--config", "llama:16x2:heads=4,vocab=100"], "more than the vocabulary of", 1),
        (["DATA", "--config", "LLAMA", "--tokenizer", "BIN"], "with another tokenizer", 1),
        (["DATA", "--config", "LLAMA", "--device", "tpu"], "--device is 'tpu'", 2),
        (["DATA", "--init-from", "nowhere.bin"], "nowhere.bin: file is missing", 1),
        (
            ["DATA", "--config", "LLAMA", "--sample-every", 1, "-p", "The quick " * 40],
            "--prompt has ",
            2,
        ),
        (["--resume"], "holds no checkpoint to resume", 2),
    ],
)
def test_mistakes(command_line, data, text, tokenizer, tmp_path, arguments, message, code):
    known = {"DATA": data, "TEXT": text, "BIN": tokenizer, "LLAMA": SHAPES["llama"]}
    out = tmp_path / "out"
    result = command_line("train", *(known.get(a, a) for a in arguments), "-o", out)
    assert (result.exit_code, result.out) == (code, "")
    assert result.err.startswith("rung: error: ")
    assert result.err.count("\n") == 1
    assert message in result.err
    assert not out.exists()


def test_a_run_needs_a_folder(command_line, data, tmp_path):
    assert "--out FOLDER" in command_line("train", data, "--config", "gpt2:d6").err
    train(command_line, tmp_path, data, "--config", SHAPES["llama"])
    result = command_line("train", data, "--config", "gpt2:d6", "-o", tmp_path / "out")
    assert (result.exit_code, "go on with it by --resume" in result.err) == (2, True)


def test_check_gpt2(command_line, tmp_path):
    """Beside figures of this program itself: the table and the exit codes."""
    config = plain_config(dim=16, n_layers=1, n_heads=2, vocab_size=40, context_length=8)
    model, state = tmp_path / "model.bin", tmp_path / "state.bin"
    checkpoint = initial_checkpoint(config, seed=1)
    llmc_write.write(model, checkpoint)
    runner = plan_model(checkpoint, threads=1)
    x = np.arange(8, dtype=np.int32).reshape(1, 8)
    weights = {name: weight.float32() for name, weight in checkpoint.weights.items()}
    with TrainStep(config, weights, sequences=1, tokens=8, threads=1) as step:
        parts = {
            "x_BT": x,
            "y_BT": x + 1,
            "logits_BTV": runner.forward(Batch.one(list(range(8)), rows="all"))[None],
            "loss": step.loss_and_gradients(x, x + 1),
            "gradients": {name: step.gradient(name) for name in step.names},
        }
    runner.close()
    llmc_state.write(state, config, **parts)
    result = command_line("check-gpt2", model, state, "--threads", 1)
    assert (result.exit_code, result.err) == (0, "")
    assert "dfcprojw" in result.out
    assert result.out.endswith("all is well\n")
    parts["gradients"]["output_norm.bias"] = parts["gradients"]["output_norm.bias"] * 1.001
    llmc_state.write(state, config, **parts)
    result = command_line("check-gpt2", model, state, "--threads", 1)
    assert result.exit_code == 1
    assert "1 of 28 are off: dlnfb" in result.out
    result = command_line("check-gpt2", model, state, "--threads", 1, "--json", "--steps", 2)
    told = json.loads(result.out)
    assert (result.exit_code, told["ok"], len(told["checks"])) == (1, False, 20)
    for losses, message in (("1,x", "expected numbers"), ("1", "one for each of 10")):
        result = command_line("check-gpt2", model, state, "--losses", losses)
        assert (result.exit_code, message in result.err) == (2, True)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the system has no /dev/full")
def test_a_folder_that_cannot_be_written(command_line, data):
    result = command_line("train", data, "-o", "/dev/full/run", "--config", SHAPES["llama"])
    assert result.exit_code in (1, 2)
    assert result.err.splitlines()[-1].startswith("rung: error: ")
