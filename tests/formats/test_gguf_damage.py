"""GGUF files that are not what they claim: each gives one error that says why."""

from __future__ import annotations

import os
import struct
import tracemalloc
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gguf_models import FAMILIES, write_gguf
from mutate import mutate
from rung.errors import FormatError, RungError
from rung.formats import gguf, open_checkpoint
from rung.formats.gguf.header import parse_header
from rung.formats.gguf.pack import flag, flags, integer, integers, number, strings, text
from rung.formats.gguf.write import write
from support import tiny_checkpoint


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write(tmp_path / "model.gguf", tiny_checkpoint())
    return tmp_path / "model.gguf"


def error_of(path: Path) -> str:
    with pytest.raises(FormatError) as caught:
        open_checkpoint(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


def put(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def change(path: Path, key: str, value: bytes | None, *, family: str = "llama") -> str:
    """The error of a model's file whose metadata has `value` (None: nothing) for `key`."""
    write(path, tiny_checkpoint(**FAMILIES[family]))
    data = path.read_bytes()
    header = parse_header(path, memoryview(data))
    metadata = {name: header.metadata.raw(name) for name in header.metadata}
    metadata.pop(key, None)
    if value is not None:
        metadata[key] = value
    tensors = {
        info.name: (info.type.name, info.shape, data[info.start : info.start + info.size_bytes])
        for info in header.tensors
    }
    write_gguf(path, metadata, tensors)
    return error_of(path)


@pytest.mark.parametrize(
    ("offset", "data", "message"),
    [
        (4, struct.pack("<I", 1), "version is 1, expected 2 or 3, little-endian"),
        (4, struct.pack(">I", 3), "version is of the other byte order"),
        (8, struct.pack("<Q", 1 << 63), "tensor count is 9,223,372,036,854,775,808, expected at"),
        (16, struct.pack("<Q", 1 << 40), "metadata count is 1,099,511,627,776, expected at most"),
        (16, struct.pack("<Q", 4096), "key "),
        (24, struct.pack("<Q", 1 << 62), "length of key 0 is 4,611,686,018,427,387,904, expected"),
        (24, struct.pack("<Q", 0), "length of key 0 is 0, expected 1 to 1,024 bytes"),
        (32, b"\xff", "key 0 is not UTF-8, expected text"),
        (32, b"\n", r"key 0 is '\neneral.architecture', expected printable text"),
        (52, struct.pack("<I", 99), "type of general.architecture is 99"),
        (52, struct.pack("<IIQ", 9, 9, 5), "type of general.architecture is 9"),
        (52, struct.pack("<IIQ", 9, 8, 1 << 60), "length of general.architecture is 1,152,921,50"),
        (52, struct.pack("<IIQ", 9, 0, 1 << 60), "general.architecture is 1,152,921,504,606,846"),
        (52, struct.pack("<IQ", 8, 1 << 60), "general.architecture is 1,152,921,504,606,846,976"),
    ],
)
def test_headers(path: Path, offset: int, data: bytes, message: str) -> None:
    put(path, offset, data)
    assert message in error_of(path)


def test_a_header_cut_short(path: Path) -> None:
    os.truncate(path, 23)
    assert "size is 23 bytes, expected at least 24" in error_of(path)


def test_tensors_cut_short(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 100)
    assert "tensor blk.1.ffn_down.weight is 36 bytes beyond the end of the file" in error_of(path)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("general.architecture", None, "general.architecture is None, expected one of llama"),
        ("general.architecture", text("mamba"), "'mamba', expected one of llama, qwen2, qwen3"),
        ("general.architecture", integer(1), "general.architecture is 1, expected one of"),
        ("general.alignment", integer(3), "general.alignment is 3, expected a power of two"),
        ("general.alignment", flag(True), "general.alignment is True, expected a power of two"),
        ("llama.block_count", None, "llama.block_count is missing"),
        ("llama.block_count", integer(0), "llama.block_count is 0, expected a whole number from"),
        ("llama.block_count", integer(1 << 30), "expected at most 21, the number of tensors"),
        ("llama.block_count", text("two"), "llama.block_count is 'two', expected a whole number"),
        ("llama.block_count", number(2.0), "llama.block_count is 2.0, expected a whole number"),
        ("llama.embedding_length", integer(20), "shape of token_embd.weight is [300, 16]"),
        ("llama.attention.head_count", integers([4, 2]), "different by layer, expected the same"),
        ("llama.attention.head_count", integer(3), "is not a multiple of"),
        ("llama.attention.value_length", integer(8), "value_length is 8, expected 4, the length"),
        ("llama.attention.layer_norm_rms_epsilon", number(float("nan")), "epsilon is nan"),
        ("llama.attention.layer_norm_rms_epsilon", None, "layer_norm_rms_epsilon is missing"),
        ("llama.rope.freq_base", number(-1.0), "freq_base is -1.0, expected a finite number"),
        ("llama.rope.freq_base", strings([b"x"]), "freq_base is ['x'], expected a finite number"),
        ("llama.rope.dimension_count", integer(3), "rope dims is 3, expected an even number"),
        ("llama.rope.dimension_count", integer(64), "rope dims is 64, expected at most 4"),
        ("llama.rope.scaling.type", text("magic"), "scaling.type is 'magic', expected none"),
        ("llama.rope.scaling.type", flag(True), "scaling.type is True, expected text"),
        ("llama.expert_count", integer(8), "mixtures of experts are not supported"),
        ("tokenizer.ggml.bos_token_id", text("<s>"), "bos_token_id is '<s>', expected the id"),
        ("split.count", integer(2), "expected NAME-00001-of-00002.gguf"),
        ("split.count", text("2"), "split.count is '2', expected at most 4,096"),
    ],
)
def test_metadata(path: Path, key: str, value: bytes | None, message: str) -> None:
    assert message in change(path, key, value)


def test_metadata_of_others(path: Path) -> None:
    key = "gemma3.attention.sliding_window_pattern"
    message = change(path, key, flags([True]), family="gemma3")
    assert f"{key} is 1 of bool, expected 2 of yes or no, one for each layer" in message
    key = "phi3.rope.scaling.original_context_length"
    assert "original_context_length is 0" in change(path, key, integer(0), family="phi3, longrope")


def broken(path: Path, **changes: Any) -> str:
    """The error of a file with tensors changed: None leaves one out."""
    data = path.read_bytes()
    header = parse_header(path, memoryview(data))
    metadata = {name: header.metadata.raw(name) for name in header.metadata}
    tensors = {
        info.name: (info.type.name, info.shape, data[info.start : info.start + info.size_bytes])
        for info in header.tensors
    } | changes
    write_gguf(path, metadata, {name: value for name, value in tensors.items() if value})
    return error_of(path)


@pytest.mark.parametrize(
    ("name", "tensor", "message"),
    [
        ("blk.1.ffn_up.weight", None, "is missing, expected a tensor of shape [24, 16]"),
        ("token_embd.weight", None, "token_embd.weight is missing"),
        ("blk.0.attn_q.weight", ("F32", (16, 8), bytes(512)), "is [16, 8], expected [16, 16]"),
        ("output_norm.weight", ("F32", (2, 16), bytes(128)), "is [2, 16], expected [16]"),
        ("blk.0.extra.weight", ("F32", (2,), bytes(8)), "blk.0.extra.weight is there, expected no"),
        ("rope_freqs.weight", ("F32", (3,), bytes(12)), "shape of rope_freqs.weight is [3]"),
        ("rope_freqs.weight", ("F32", (2,), bytes(8)), "a number that is not positive"),
        ("output_norm.weight", ("F32", (16,), b"\xff" * 64), "output_norm.weight[0] is nan"),
    ],
)
def test_tensors(path: Path, name: str, tensor: Any, message: str) -> None:
    assert message in broken(path, **{name: tensor})


def table_entry(path: Path, name: str) -> int:
    """Where the number of dimensions of a tensor stands."""
    return path.read_bytes().index(name.encode()) + len(name)


@pytest.mark.parametrize(
    ("at", "data", "message"),
    [
        (
            0,
            struct.pack("<I", 0),
            "dimensions of blk.0.attn_q.weight is 0, expected 1 to 4",
        ),
        (
            0,
            struct.pack("<I", 1 << 31),
            "dimensions of blk.0.attn_q.weight is 2147483648",
        ),
        (4, struct.pack("<Q", 0), "shape of blk.0.attn_q.weight is [16, 0], expected at least 1"),
        (4, struct.pack("<QQ", 1 << 63, 1 << 63), "tensor blk.0.attn_q.weight is 340,282,366,920"),
        (20, struct.pack("<I", 9), "type of blk.0.attn_q.weight is Q8_1, expected one of F32"),
        (20, struct.pack("<I", 77), "type of blk.0.attn_q.weight is number 77, expected one of"),
        (20, struct.pack("<I", 8), "row length of blk.0.attn_q.weight is 16, expected a multiple"),
        (24, struct.pack("<Q", 7), "offset of blk.0.attn_q.weight is 7, expected a multiple of 32"),
        (24, struct.pack("<Q", 0), "is within another tensor, expected behind it"),
        (24, struct.pack("<Q", (1 << 64) - 32), "tensor blk.0.attn_q.weight is 18,446,744,073,7"),
    ],
)
def test_the_table_of_tensors(path: Path, at: int, data: bytes, message: str) -> None:
    put(path, table_entry(path, "blk.0.attn_q.weight") + at, data)
    assert message in error_of(path)


@pytest.mark.parametrize(("kind", "offset"), [("q8_0", 0), ("q4_k", 2), ("q6_k", 208)])
def test_scales_that_are_not_finite(path: Path, kind: str, offset: int) -> None:
    write(path, tiny_checkpoint(dim=256, hidden_dim=512, n_layers=1), kind=kind)
    header = parse_header(path, memoryview(path.read_bytes()))
    down = next(info for info in header.tensors if info.name == "blk.0.ffn_down.weight")
    block = down.type.block_bytes
    row = 512 // down.type.block * block
    put(path, down.start + 3 * row + block + offset, b"\xff\xff")
    message = error_of(path)
    assert "scale of block 1 in row 3 of blk.0.ffn_down.weight is nan, expected a" in message


def test_names_that_are_there_twice(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data.replace(b"blk.1.attn_q.weight", b"blk.1.attn_k.weight"))
    assert "tensor blk.1.attn_k.weight is there twice, expected once" in error_of(path)
    path.write_bytes(data.replace(b"general.name", b"general.type"))
    assert "key 'general.type' is there twice, expected once" in error_of(path)


def test_text_that_is_none(path: Path) -> None:
    write_gguf(path, {"a": strings([b"fine", b"\xff\xfe"])})
    metadata = gguf.read_metadata(path)
    with pytest.raises(FormatError, match="a is not UTF-8, expected text"):
        metadata["a"]


def test_a_vocabulary_costs_nothing_until_it_is_read(path: Path) -> None:
    """The reader of the `gguf` package takes ninety times the size of such a file."""
    write_gguf(path, {"tokenizer.ggml.tokens": strings([b"%07d" % i for i in range(50_000)])})
    gguf.read_metadata(path)  # what is allocated once, at the first read, is not counted
    tracemalloc.start()
    metadata = gguf.read_metadata(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 << 10
    assert len(metadata["tokenizer.ggml.tokens"]) == 50_000


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    path = tmp_path_factory.mktemp("seeds") / "model.gguf"
    files = []
    for family in FAMILIES.values():
        write(path, tiny_checkpoint(**family, vocab_size=5, hidden_dim=4), kind="f16")
        files.append(path.read_bytes())
    return files


@settings(max_examples=600, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_any_damage_is_refused_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, seeds: list[bytes], seed: int
) -> None:
    random = Random(seed)
    _, data = mutate(random, random.choice(seeds), seeds)
    path = tmp_path_factory.getbasetemp() / "damaged.gguf"
    path.write_bytes(data)
    try:
        checkpoint = open_checkpoint(path)
        list(checkpoint.metadata.items())
    except RungError:
        return
    planes = [plane for weight in checkpoint.weights.values() for plane in weight.planes]
    assert all(plane.flags.aligned for plane in planes)
