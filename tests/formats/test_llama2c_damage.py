"""llama2.c checkpoints that are not what they claim: each gives one error that says why."""

from __future__ import annotations

import io
import os
import struct
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mutate import mutate
from rung.errors import FormatError, RungError
from rung.formats import open_checkpoint
from rung.formats.llama2c import read
from rung.formats.llama2c.layout import MAGIC
from rung.formats.llama2c.write import write
from support import tiny_checkpoint

FIELDS = ("dim", "hidden_dim", "n_layers", "n_heads", "n_kv_heads", "vocab_size", "seq_len")


@pytest.fixture(params=[0, 1, 2], ids=["v0", "v1", "v2"])
def version(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def path(tmp_path: Path, version: int) -> Path:
    """A good checkpoint, for a test to damage."""
    write(tmp_path / "model.bin", tiny_checkpoint(), version=version)
    return tmp_path / "model.bin"


def put(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def put_field(path: Path, version: int, name: str, value: int) -> None:
    put(path, FIELDS.index(name) * 4 + (8 if version else 0), struct.pack("<i", value))


def error_of(path: Path) -> str:
    with pytest.raises(FormatError) as caught:
        open_checkpoint(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


def test_truncated(path: Path) -> None:
    size_bytes = path.stat().st_size
    os.truncate(path, size_bytes - 1234)
    message = error_of(path)
    assert "(1,234 missing)" in message
    assert f"expected {size_bytes:,} bytes" in message
    assert "dim 16, hidden_dim 24, 2 layers, 300 tokens" in message


def test_oversized(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"\0" * 77)
    assert "(77 too many)" in error_of(path)


def test_a_header_cut_short(path: Path, version: int) -> None:
    size_bytes = 255 if version else 27
    os.truncate(path, size_bytes)
    with pytest.raises(FormatError, match=f"size is {size_bytes} bytes, expected at least"):
        read(path)


@pytest.mark.parametrize("name", FIELDS)
def test_fields_out_of_range(path: Path, version: int, name: str) -> None:
    values = [0, 2**31 - 1, -(2**31)] + ([-1] if version or name != "vocab_size" else [])
    for value in values:
        put_field(path, version, name, value)
        found = abs(value) if name == "vocab_size" and not version else value
        assert f"{name} is {found}, expected 1 to " in error_of(path)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("dim", 18, "dim is 18, expected a multiple of n_heads 4"),
        ("n_heads", 3, "dim is 16, expected a multiple of n_heads 3"),
        ("n_kv_heads", 3, "n_heads is 4, expected a multiple of n_kv_heads 3"),
        ("n_kv_heads", 8, "n_heads is 4, expected a multiple of n_kv_heads 8"),
        ("n_heads", 16, "dim / n_heads is 1, expected an even number"),
    ],
)
def test_fields_that_do_not_fit(
    path: Path, version: int, name: str, value: int, message: str
) -> None:
    put_field(path, version, name, value)
    assert message in error_of(path)


def test_the_largest_header_costs_nothing(path: Path, version: int) -> None:
    put_field(path, version, "n_layers", 1 << 10)
    put_field(path, version, "vocab_size", 1 << 24)
    assert "missing" in error_of(path)


def test_a_version_of_the_future(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(struct.pack("<Ii", MAGIC, 3).ljust(300, b"\0"))
    assert "version is 3, expected 1 or 2" in error_of(path)


def test_shared_classifier_is_a_flag(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    write(path, tiny_checkpoint(), version=1)
    put(path, 36, b"\x07")
    assert "shared_classifier is 7, expected 0 or 1" in error_of(path)


@pytest.mark.parametrize(
    ("group_size", "message"),
    [
        (0, "group_size is 0, expected 1 to 65,536"),
        (-8, "group_size is -8"),
        (2**31 - 1, "group_size is 2147483647"),
        (32, "dim is 16, expected a multiple of group_size 32"),
        (16, "hidden_dim is 24, expected a multiple of group_size 16"),
        (4, "missing"),
    ],
)
def test_group_sizes(tmp_path: Path, group_size: int, message: str) -> None:
    path = tmp_path / "model.bin"
    write(path, tiny_checkpoint(), version=2)
    put(path, 37, struct.pack("<i", group_size))
    assert message in error_of(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "path is not a regular file" in error_of(tmp_path / "pipe")


def test_files_that_are_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").write_bytes(b"")
    assert "file is missing" in error_of(tmp_path / "none")
    assert "file is empty" in error_of(tmp_path / "empty")
    assert "path is a folder" in error_of(tmp_path)
    with pytest.raises(FormatError, match="file is empty"):
        read(tmp_path / "empty")

    def refuse(*_: object) -> io.BytesIO:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "secret").write_bytes(b"secret")
    monkeypatch.setattr(Path, "open", refuse)
    assert "file is unreadable (Permission denied)" in error_of(tmp_path / "secret")


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\x80\x01\0\0\0\0\0\0" + b'{"__metadata__":{}}', "a safetensors file"),
        (b"PK\x03\x04" + b"\x99" * 40, "a zip archive, such as a PyTorch checkpoint"),
        (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P", "a Python pickle"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (struct.pack("<3i", 20240803, 3, 8192), "an llm.c checkpoint of Llama 3"),
        (b"Once upon a time, there was\na girl", "text"),
        (b"\xff" * 4096, "of no known format"),
        (b"\0" * 4096, "of no known format"),
    ],
)
def test_other_files_are_named(tmp_path: Path, head: bytes, name: str) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(head)
    message = error_of(path)
    assert f"content is {name}" in message
    assert "llama2.c (v0, v1, v2)" in message


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    folder = tmp_path_factory.mktemp("seeds")
    models = [tiny_checkpoint(), tiny_checkpoint(tied_output=False, vocab_size=7)]
    files = []
    for version in (0, 1, 2):
        for model in models:
            write(folder / "model.bin", model, version=version)
            files.append((folder / "model.bin").read_bytes())
    return files


@settings(max_examples=400, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_any_damage_is_refused_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, seeds: list[bytes], seed: int
) -> None:
    random = Random(seed)
    _, data = mutate(random, random.choice(seeds), seeds)
    path = tmp_path_factory.getbasetemp() / "damaged.bin"
    path.write_bytes(data)
    try:
        checkpoint = open_checkpoint(path)
    except RungError:
        return
    planes = [plane for weight in checkpoint.weights.values() for plane in weight.planes]
    assert all(plane.flags.aligned for plane in planes)
