"""GGUF on the command line: converting to it and from it, and what is said about a file."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from engine_fakes import fake_model
from gguf_models import FAMILIES, write_gguf
from rung.formats import open_checkpoint
from rung.formats.gguf.header import parse_header
from rung.formats.gguf.write import write as write_gguf_model
from rung.formats.llama2c.write import write
from rung.models.config import Rope
from support import tiny_checkpoint, tiny_vocabulary, write_tokenizer


@pytest.fixture
def model_file(tmp_path):
    path = tmp_path / "tiny.bin"
    write(path, tiny_checkpoint(dim=64, hidden_dim=96), version=1)
    return path


@pytest.mark.parametrize(
    ("options", "format_", "expected"),
    [
        ([], "GGUF (F32)", "all weights are exactly as they were"),
        (["--type", "f16"], "GGUF (F16)", "largest rounding error: "),
        (["--type", "q8_0"], "GGUF (Q8_0)", "largest rounding error: "),
        (["--type", "q4_k"], "GGUF (Q8_0)", "matrices are q8_0: their rows are not whole blocks"),
    ],
)
def test_convert_to_gguf(command_line, model_file, tmp_path, options, format_, expected):
    output = tmp_path / "out.gguf"
    result = command_line("convert", model_file, output, *options)
    assert (result.exit_code, result.out) == (0, "")
    assert open_checkpoint(output).format == format_
    assert expected in result.err
    assert "tokenizer: none beside either model" in result.err


def test_the_tokenizer_goes_along(command_line, model_file, tmp_path):
    write_tokenizer(model_file.with_name("tokenizer.bin"), *tiny_vocabulary())
    result = command_line("convert", model_file, tmp_path / "out", "--to", "gguf")
    assert result.exit_code == 0
    assert "tokenizer: in the file" in result.err


def test_convert_back(command_line, model_file, tmp_path):
    write_tokenizer(model_file.with_name("tokenizer.bin"), *tiny_vocabulary())
    command_line("convert", model_file, tmp_path / "out.gguf")
    back = tmp_path / "back.bin"
    result = command_line("convert", tmp_path / "out.gguf", back, "--type", "f32")
    assert result.exit_code == 0
    assert back.read_bytes() == model_file.read_bytes()


def test_what_llama2c_cannot_say_is_told(command_line, tmp_path):
    write_gguf_model(tmp_path / "in.gguf", tiny_checkpoint(**FAMILIES["qwen2"]))
    result = command_line("convert", tmp_path / "in.gguf", tmp_path / "out.bin")
    assert result.exit_code == 2
    assert (
        "cannot be written as llama2.c: its family is qwen2, the format holds llama" in result.err
    )
    assert not (tmp_path / "out.bin").exists()


def test_weights_are_compared_in_one_layout(command_line, monkeypatch, tmp_path):
    import rung.formats

    half = tiny_checkpoint(rope=Rope(layout="half", dims=4))
    opened = rung.formats.open_checkpoint
    monkeypatch.setattr(
        rung.formats, "open_checkpoint", lambda path: half if "in" in path.name else opened(path)
    )
    result = command_line("convert", tmp_path / "in.bin", tmp_path / "out.gguf")
    assert result.exit_code == 0
    assert "all weights are exactly as they were" in result.err


def test_converted_types_are_told(command_line, tmp_path):
    source = tmp_path / "in.gguf"
    write_gguf_model(source, tiny_checkpoint())
    data = source.read_bytes()
    header = parse_header(source, memoryview(data))
    tensors: dict[str, Any] = {
        info.name: (info.type.name, info.shape, data[info.start : info.start + info.size_bytes])
        for info in header.tensors
    }
    tensors["blk.0.ffn_up.weight"] = ("F64", (24, 16), np.ones((24, 16)).tobytes())
    write_gguf(source, {key: header.metadata.raw(key) for key in header.metadata}, tensors)
    line = f"{source}: 1 tensor of type F64 converted to f32"
    assert line in command_line("convert", source, tmp_path / "out.gguf").err
    model = fake_model()
    model.checkpoint = replace(model.checkpoint, notes=(line,))
    command_line.use(model)
    assert line in command_line("generate", source, "-p", "a", "-n", 1).err
