"""Rung's own model files: written, read back, read by the safetensors package, damaged."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file

from mutate import mutate
from rung.engine.batch import Batch
from rung.engine.runner import plan_model
from rung.errors import FormatError, RungError, UsageError
from rung.formats import open_checkpoint
from rung.formats.base import Checkpoint
from rung.formats.native import read, write
from rung.models.config import Rope
from rung.storage import F32, quantize
from support import GPT2, tiny_checkpoint

MODELS: dict[str, dict[str, Any]] = {
    "llama": {},
    "untied": {"tied_output": False, "n_kv_heads": 1},
    "gpt2": GPT2,
    "odd": {"dim": 6, "n_heads": 1, "n_kv_heads": 1, "hidden_dim": 7, "vocab_size": 3},
    "scaled": {
        "rope": Rope(
            dims=4, layout="half", scaling="llama3", factor=8.0, original_context=8, base=5e5
        ),
        "eos_ids": (2, 7),
        "bos_id": None,
    },
}
KINDS = ("f32", "f16", "bf16", "i8", "i8_g2")


def header_of(path: Path) -> tuple[dict[str, Any], bytes]:
    data = path.read_bytes()
    length = struct.unpack_from("<Q", data)[0]
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def put_header(path: Path, header: object, body: bytes) -> None:
    text = (
        header if isinstance(header, bytes) else json.dumps(header, separators=(",", ":")).encode()
    )
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)


def assert_same(before: Checkpoint, after: Checkpoint) -> None:
    assert after.config == before.config
    assert list(after.weights) == list(before.weights)
    for name, weight in before.weights.items():
        other = after.weights[name]
        assert other.type is weight.type, name
        for mine, theirs in zip(weight.planes, other.planes, strict=True):
            assert np.array_equal(mine, theirs), name


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("matrices", ["f32", "i8"])
def test_what_is_kept_reads_back(tmp_path: Path, model: str, matrices: str) -> None:
    before = tiny_checkpoint(matrices=matrices, **MODELS[model])
    seen: list[tuple[int, int]] = []
    path = tmp_path / "model.safetensors"
    write(path, before, progress=lambda done, total: seen.append((done, total)))
    after = open_checkpoint(path)
    assert_same(before, after)
    assert seen == sorted(seen)
    assert seen[-1] == (path.stat().st_size,) * 2
    write(path, after)  # over the file that it maps
    assert_same(before, read(path))


@pytest.mark.parametrize("kind", KINDS)
def test_conversion_is_that_of_quantize(tmp_path: Path, kind: str) -> None:
    before = tiny_checkpoint()
    write(tmp_path / "model.safetensors", before, kind=kind)
    after = read(tmp_path / "model.safetensors")
    assert after.format == f"Rung safetensors ({kind})"
    for name, weight in before.weights.items():
        expected = weight if len(weight.shape) == 1 else quantize(weight.float32(), kind)
        assert after.weights[name].type is expected.type
        for mine, theirs in zip(expected.planes, after.weights[name].planes, strict=True):
            assert np.array_equal(mine, theirs), name
            assert not theirs.flags.writeable


def test_an_i8_model_runs(tmp_path: Path) -> None:
    before = tiny_checkpoint()
    write(tmp_path / "model.safetensors", before, kind="i8")
    after = read(tmp_path / "model.safetensors")
    logits = []
    for checkpoint in (before, after):
        runner = plan_model(checkpoint, threads=1)
        logits.append(runner.forward(Batch.one([1, 17, 5, 99, 2, 64], rows="all")))
        runner.close()
    # A weight moves by up to 1/254 of its row's greatest; a few of those add up over the layers.
    assert 0 < np.abs(logits[1] - logits[0]).max() <= 0.05 * np.abs(logits[0]).max()


def test_a_table_of_positions_is_not_quantised(tmp_path: Path) -> None:
    write(tmp_path / "model.safetensors", tiny_checkpoint(**GPT2), kind="i8")
    weights = read(tmp_path / "model.safetensors").weights
    assert weights["position_embd.weight"].type is F32
    assert weights["token_embd.weight"].type.name == "i8"


def test_the_safetensors_package_reads_it(tmp_path: Path) -> None:
    write(tmp_path / "model.safetensors", tiny_checkpoint(), kind="i8")
    theirs = load_file(tmp_path / "model.safetensors")
    ours = read(tmp_path / "model.safetensors").weights["blk.1.ffn_up.weight"]
    assert np.array_equal(theirs["blk.1.ffn_up.weight"], ours.planes[0])
    assert np.array_equal(theirs["blk.1.ffn_up.scales"], ours.planes[1][:, 0])
    assert (8 + struct.unpack("<Q", (tmp_path / "model.safetensors").read_bytes()[:8])[0]) % 64 == 0


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("i9", "unknown storage type 'i9'"),
        ("i8_g64", "token_embd.weight cannot be i8_g64: i8_g64 needs rows of a multiple of 64"),
    ],
)
def test_types_that_cannot_be(tmp_path: Path, kind: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        write(tmp_path / "model.safetensors", tiny_checkpoint(), kind=kind)
    assert message in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_values_that_cannot_be(tmp_path: Path) -> None:
    model = tiny_checkpoint()
    model.weights["blk.0.attn_k.weight"].planes[0][2, 3] = 1e6
    with pytest.raises(UsageError, match=r"blk\.0\.attn_k\.weight cannot be f16: .*beyond float16"):
        write(tmp_path / "model.safetensors", model, kind="f16")
    model.weights["blk.0.attn_k.weight"].planes[0][2, 3] = np.inf
    with pytest.raises(FormatError, match=r"blk\.0\.attn_k\.weight\[2, 3\] is inf"):
        write(tmp_path / "model.safetensors", model)
    assert not list(tmp_path.iterdir())


def test_a_scale_beyond_float32_is_told(tmp_path: Path) -> None:
    model = tiny_checkpoint(matrices="i8")
    model.weights["blk.0.ffn_up.weight"].planes[1][4] = 3e38
    with pytest.raises(FormatError, match=r"blk\.0\.ffn_up\.weight as f32\[4, \d+\] is -?inf"):
        write(tmp_path / "model.safetensors", model, kind="f32")
    assert not list(tmp_path.iterdir())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A good file, for a test to damage."""
    write(tmp_path / "model.safetensors", tiny_checkpoint(), kind="i8")
    return tmp_path / "model.safetensors"


def error_of(path: Path) -> str:
    with pytest.raises(FormatError) as caught:
        open_checkpoint(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


def meta(name: str, value: str) -> Callable[[dict[str, Any]], None]:
    def change(header: dict[str, Any]) -> None:
        header["__metadata__"][name] = value

    return change


def config(**changes: Any) -> Callable[[dict[str, Any]], None]:
    def change(header: dict[str, Any]) -> None:
        fields = json.loads(header["__metadata__"]["rung.config"]) | changes
        wanted = {name: value for name, value in fields.items() if value != "gone"}
        header["__metadata__"]["rung.config"] = json.dumps(wanted)

    return change


def tensor(name: str, **changes: Any) -> Callable[[dict[str, Any]], None]:
    def change(header: dict[str, Any]) -> None:
        header[name].update(changes)

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (meta("rung.version", "2"), "rung.version is 2, expected 1"),
        (meta("rung.config", "{"), "config is not JSON ("),
        (meta("rung.config", "[]"), "config is a JSON list, expected a JSON object"),
        (meta("rung.types", '{"q9": []}'), "rung.types is 'q9', expected unknown storage type"),
        (meta("rung.types", '{"i8": 3}'), "rung.types i8 is no list of names"),
        (meta("rung.types", "{}"), "token_embd.weight is without a storage type"),
        (meta("rung.types", '{"f32": ["x"]}'), "rung.types is 'x', expected a weight"),
        (config(dim="gone"), "config.dim is missing"),
        (config(dim="16"), "config.dim is '16', expected a whole number"),
        (config(dim=True), "config.dim is True, expected a whole number"),
        (config(dim=1 << 40), "config.dim is 1099511627776, expected a whole number"),
        (config(n_layers=1 << 11), "config.n_layers is 2048, expected a whole number from 0 to"),
        (config(n_layers=1 << 10), "expected 1024 layers of them"),
        (config(vocab_size=0), "config.vocab_size is 0, expected a whole number from 1"),
        (config(n_kv_heads=3), "config is impossible (n_heads 4 is not a multiple"),
        (config(norm_eps="x"), "config.norm_eps is 'x', expected a number"),
        (config(norm="batch"), "config.norm is 'batch', expected 'rms' or 'layer'"),
        (config(family=None), "config.family is None, expected str"),
        (config(eos_ids=[2, "a"]), "config.eos_ids[1] is 'a', expected a whole number"),
        (config(rope={"dims": 4, "base": -1.0}), "config.rope.base is -1.0, expected a number"),
        (config(rope={"dims": 3}), "config.rope is impossible (rope dims is 3"),
        (config(rope={"angle": 1}), "config.rope.angle is unknown"),
        (config(soul=1), "config.soul is unknown"),
        (config(hidden_dim=25), "blk.0.ffn_gate.weight is I8 [24, 16], expected I8 [25, 16]"),
        (tensor("blk.0.attn_q.scales", dtype="I32"), "is I32 [16], expected F32 [16]"),
        (
            tensor("blk.0.attn_q.scales", dtype="F33"),
            "dtype of blk.0.attn_q.scales is 'F33'",
        ),
        (
            tensor("blk.0.attn_q.scales", dtype=["F32"]),
            "is ['F32'], expected one of",
        ),
        (
            tensor("blk.0.attn_q.scales", shape=[-16]),
            "is [-16], expected a list",
        ),
        (tensor("blk.0.attn_q.scales", shape=[1] * 9), "shape of blk.0.attn_q.scales is [1, 1,"),
        (
            tensor("blk.0.attn_q.scales", shape=[1 << 40, 1 << 47]),
            "data_offsets of blk.0.attn_q",
        ),
        (tensor("blk.0.attn_q.scales", data_offsets=[0, 64]), "is 0, expected 64, without a"),
        (tensor("blk.0.attn_q.scales", data_offsets=[0, 63]), "expected 64 bytes for F32 [16]"),
        (
            tensor("blk.0.attn_q.scales", data_offsets=[1, 2, 3]),
            "a list of up to 2 counts",
        ),
        (lambda header: header.pop("blk.0.attn_q.scales"), "without a gap"),
        (lambda header: header.update(x=3), "dtype of x is None"),
    ],
)
def test_headers_that_cannot_be(
    path: Path, change: Callable[[dict[str, Any]], None], message: str
) -> None:
    header, body = header_of(path)
    change(header)
    put_header(path, header, body)
    assert message in error_of(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b'{"__metadata__":{"format":"rung"', "header is not JSON ("),
        (b'{"__metadata__":{"format":"rung","format":"x"}}', "a name stands there twice"),
        (b'{"__metadata__":{"format":"rung"},"a":' + b"[" * 9999, "header is not JSON ("),
        (b'{"__metadata__":{"format":"rung"},"a":[' + b"[]," * 200_000, "of too many parts"),
        (b'{"__metadata__":{"format":"rung","x":1}}', "__metadata__ is not an object of texts"),
        (b'{"__metadata__":{"format":"rung"\xff}}', "header is not JSON ("),
    ],
)
def test_text_that_is_no_header(path: Path, text: bytes, message: str) -> None:
    put_header(path, text, b"")
    assert message in error_of(path)


def test_wrong_sizes(path: Path) -> None:
    size_bytes = path.stat().st_size
    with path.open("ab") as file:
        file.write(bytes(5))
    assert "bytes after the header" in error_of(path)
    os.truncate(path, size_bytes - 1)
    assert "data_offsets of output_norm.weight" in error_of(path)
    os.truncate(path, 300)
    assert "header length is" in error_of(path)


def test_other_safetensors_files_are_named(path: Path) -> None:
    header, body = header_of(path)
    del header["__metadata__"]
    put_header(path, header, body)
    assert "content is a safetensors file" in error_of(path)


def test_a_scale_that_is_not_finite_is_named(path: Path) -> None:
    weights = read(path).weights["output_norm.weight"]
    assert weights.type is F32
    data = bytearray(path.read_bytes())
    data[-4:] = struct.pack("<f", np.nan)
    path.write_bytes(data)
    assert "output_norm.weight[15] is nan, expected a finite number" in error_of(path)


def test_a_missing_weight_is_named(tmp_path: Path) -> None:
    model = tiny_checkpoint()
    weights = {n: w for n, w in model.weights.items() if n != "blk.1.ffn_up.weight"}
    with pytest.raises(FormatError, match=r"blk\.1\.ffn_up\.weight is missing"):
        write(tmp_path / "model.safetensors", replace(model, weights=weights))


@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_any_damage_is_refused_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    random = Random(seed)
    folder = tmp_path_factory.getbasetemp()
    seeds = []
    for name in ("f32", "i8"):
        path = folder / f"seed-{name}.safetensors"
        if not path.exists():
            write(path, tiny_checkpoint(), kind=name)
        seeds.append(path.read_bytes())
    path = folder / "damaged.safetensors"
    path.write_bytes(mutate(random, random.choice(seeds), seeds)[1])
    try:
        checkpoint = open_checkpoint(path)
    except RungError:
        return
    assert all(p.flags.aligned for weight in checkpoint.weights.values() for p in weight.planes)
