"""llm.c checkpoints: read from bytes laid out by hand, written, read back, damaged."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import plain
from mutate import mutate
from rung.engine.batch import Batch
from rung.engine.runner import plan_model
from rung.errors import FormatError, RungError, UsageError
from rung.formats import open_checkpoint
from rung.formats.llmc import read
from rung.formats.llmc.layout import MAGIC
from rung.formats.llmc.write import write
from rung.storage import storage_type
from support import GPT2, tiny_checkpoint

FIELDS = ("max_T", "V", "L", "NH", "C", "V_padded")
SIZES = {"max_T": 32, "V": 300, "L": 2, "NH": 4, "C": 16, "V_padded": 384}


def as_bfloat16(values: np.ndarray) -> np.ndarray:
    """float32 rounded to nearest even, as the uint16 that llm.c stores."""
    bits = values.astype(np.float32).view(np.uint32).astype(np.uint64)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def file_by_hand(version: int) -> tuple[bytes, dict[str, np.ndarray]]:
    """A file and its tensors by llm.c's names, written from the description of the format."""
    T, V, L, C, P = (SIZES[name] for name in ("max_T", "V", "L", "C", "V_padded"))
    shapes = {
        "wte": (P, C),
        "wpe": (T, C),
        "ln1w": (L, C),
        "ln1b": (L, C),
        "qkvw": (L, 3 * C, C),
        "qkvb": (L, 3 * C),
        "attprojw": (L, C, C),
        "attprojb": (L, C),
        "ln2w": (L, C),
        "ln2b": (L, C),
        "fcw": (L, 4 * C, C),
        "fcb": (L, 4 * C),
        "fcprojw": (L, C, 4 * C),
        "fcprojb": (L, C),
        "lnfw": (C,),
        "lnfb": (C,),
    }
    rng = np.random.default_rng(7)
    values = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    values["wte"][V:] = 9e9  # padding that nothing may use
    data = struct.pack("<8i", MAGIC, version, *SIZES.values()).ljust(1024, b"\0")
    for name in shapes:
        if version == 5:
            stored = as_bfloat16(values[name])
            values[name] = (stored.astype(np.uint32) << 16).view(np.float32)
            data += stored.tobytes()
        else:
            data += values[name].tobytes()
    return data, values


@pytest.fixture(params=[3, 5], ids=["float32", "bfloat16"])
def version(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def path(tmp_path: Path, version: int) -> Path:
    """A good checkpoint, for a test to damage."""
    (tmp_path / "model.bin").write_bytes(file_by_hand(version)[0])
    return tmp_path / "model.bin"


def test_a_file_written_by_hand(path: Path, version: int) -> None:
    values = file_by_hand(version)[1]
    checkpoint = open_checkpoint(path)
    C, V = SIZES["C"], SIZES["V"]
    assert checkpoint.format == f"llm.c v{version} ({'float32' if version == 3 else 'bfloat16'})"
    expected = {
        "token_embd.weight": values["wte"][:V],
        "position_embd.weight": values["wpe"],
        "output_norm.weight": values["lnfw"],
        "output_norm.bias": values["lnfb"],
    }
    names = {
        "attn_norm": "ln1",
        "attn_output": "attproj",
        "ffn_norm": "ln2",
        "ffn_up": "fc",
        "ffn_down": "fcproj",
    }
    for layer in range(SIZES["L"]):
        for ours, theirs in names.items():
            expected[f"blk.{layer}.{ours}.weight"] = values[f"{theirs}w"][layer]
            expected[f"blk.{layer}.{ours}.bias"] = values[f"{theirs}b"][layer]
        for i, ours in enumerate(("attn_q", "attn_k", "attn_v")):
            part = slice(i * C, (i + 1) * C)
            expected[f"blk.{layer}.{ours}.weight"] = values["qkvw"][layer, part]
            expected[f"blk.{layer}.{ours}.bias"] = values["qkvb"][layer, part]
    assert expected.keys() == checkpoint.weights.keys()
    for name, weight in checkpoint.weights.items():
        assert np.array_equal(weight.float64(), expected[name]), name
        kind = "f32" if version == 3 or weight.float64().ndim == 1 else "bf16"
        assert weight.type is storage_type(kind), name
        assert not weight.planes[0].flags.writeable


def test_it_runs_as_the_formulas_say(path: Path) -> None:
    checkpoint = open_checkpoint(path)
    ids = [1, 17, 5, 99, 2, 64]
    reference = plain.logits(checkpoint.config, checkpoint.weights, ids)
    runner = plan_model(checkpoint, threads=1, cache_type="f32")
    result = runner.forward(Batch.one(ids, rows="all"))
    runner.close()
    assert np.abs(result - reference).max() <= 1e-5 * np.abs(reference).max()


def test_gpt2s_own_vocabulary_has_its_end_of_text(tmp_path: Path) -> None:
    small = {"dim": 2, "n_heads": 1, "n_kv_heads": 1, "hidden_dim": 8, "n_layers": 1}
    model = tiny_checkpoint(**GPT2 | small | {"vocab_size": 50257})
    write(tmp_path / "model.bin", model)
    config = read(tmp_path / "model.bin").config
    assert (config.bos_id, config.eos_ids) == (50256, (50256,))
    assert open_checkpoint(tmp_path / "model.bin").weights["token_embd.weight"].shape == (50257, 2)


@pytest.mark.parametrize("kind", ["f32", "bf16"])
def test_what_is_written_reads_back(tmp_path: Path, kind: str) -> None:
    model = tiny_checkpoint(**GPT2)
    seen: list[tuple[int, int]] = []
    path = tmp_path / "model.bin"
    write(path, model, kind=kind, progress=lambda done, total: seen.append((done, total)))
    after = read(path)
    assert after.weights.keys() == model.weights.keys()
    for name, weight in model.weights.items():
        values = weight.float32()
        if kind == "bf16":
            values = (as_bfloat16(values).astype(np.uint32) << 16).view(np.float32)
        assert np.array_equal(after.weights[name].float32(), values), name
    assert seen == sorted(seen)
    assert seen[-1] == (path.stat().st_size,) * 2
    again = tmp_path / "again.bin"
    write(again, after, kind=kind)
    assert again.read_bytes() == path.read_bytes()


def test_the_padding_is_zero(tmp_path: Path) -> None:
    write(tmp_path / "model.bin", tiny_checkpoint(**GPT2))
    data = (tmp_path / "model.bin").read_bytes()
    table = np.frombuffer(data, np.float32, 384 * 16, 1024).reshape(384, 16)
    assert not table[300:].any()
    assert table[299].all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "norm is 'rms' (llm.c: 'layer'); mlp is 'swiglu' (llm.c: 'gelu')"),
        (GPT2 | {"hidden_dim": 24}, "llm.c: hidden_dim is 24 (llm.c: 64)"),
        (GPT2 | {"tied_output": False}, "tied_output is False (llm.c: True)"),
        (GPT2 | {"n_kv_heads": 2}, "n_kv_heads is 2 (llm.c: 4)"),
    ],
)
def test_other_models_are_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        write(tmp_path / "model.bin", tiny_checkpoint(**changes))
    assert message in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_other_types_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"llm\.c holds no q8_0; choose f32 or bf16"):
        write(tmp_path / "model.bin", tiny_checkpoint(**GPT2), kind="q8_0")


def test_a_weight_that_is_missing_or_not_finite_is_named(tmp_path: Path) -> None:
    model = tiny_checkpoint(**GPT2)
    model.weights["blk.1.attn_q.weight"].planes[0][3, 4] = np.nan
    with pytest.raises(FormatError, match=r"blk\.1\.attn_q\.weight\[3, 4\] is nan"):
        write(tmp_path / "model.bin", model)
    dict.pop(model.weights, "blk.0.ffn_up.bias")  # type: ignore[arg-type]
    with pytest.raises(FormatError, match=r"blk\.0\.ffn_up\.bias is missing, expected of shape"):
        write(tmp_path / "model.bin", model)
    assert not list(tmp_path.iterdir())


def error_of(path: Path) -> str:
    with pytest.raises(FormatError) as caught:
        open_checkpoint(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def put_field(path: Path, name: str, value: int) -> None:
    with path.open("r+b") as file:
        file.seek(8 + 4 * FIELDS.index(name))
        file.write(struct.pack("<i", value))


def test_wrong_sizes(path: Path) -> None:
    size_bytes = path.stat().st_size
    with path.open("ab") as file:
        file.write(bytes(5))
    assert "(5 too many)" in error_of(path)
    os.truncate(path, size_bytes - 1234)
    assert f"(1,234 missing), expected {size_bytes:,} bytes" in error_of(path)
    os.truncate(path, 1023)
    assert "size is 1023 bytes, expected at least 1024 bytes, an llm.c header" in error_of(path)


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("value", [0, -1, 2**31 - 1, -(2**31)])
def test_fields_out_of_range(path: Path, name: str, value: int) -> None:
    put_field(path, name, value)
    assert f"{name} is {value}, expected 1 to " in error_of(path)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("NH", 3, "C is 16, expected a multiple of NH 3"),
        ("V_padded", 299, "V_padded is 299, expected at least V 300"),
        ("L", 1024, "missing"),
        ("V_padded", 1 << 25, "missing"),
    ],
)
def test_fields_that_do_not_fit(path: Path, name: str, value: int, message: str) -> None:
    put_field(path, name, value)
    assert message in error_of(path)


@pytest.mark.parametrize("unknown", [0, 1, 4, 6, -3])
def test_other_versions(path: Path, unknown: int) -> None:
    with path.open("r+b") as file:
        file.seek(4)
        file.write(struct.pack("<i", unknown))
    assert f"version is {unknown}, expected 3 (float32) or 5 (bfloat16)" in error_of(path)


def test_bfloat16_that_is_not_finite_is_named(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    write(path, tiny_checkpoint(**GPT2), kind="bf16")
    data = bytearray(path.read_bytes())
    for bits in (0x7F80, 0xFF80, 0x7FC1):
        struct.pack_into("<H", data, 1024 + 2 * (16 * 5 + 3), bits)
        path.write_bytes(data)
        assert "token_embd.weight[5, 3] is infinite or NaN, expected a finite" in error_of(path)


def test_a_signalling_nan_in_a_vector_is_named(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    write(path, tiny_checkpoint(**GPT2), kind="bf16")
    path.write_bytes(path.read_bytes()[:-2] + struct.pack("<H", 0x7F81))
    assert "output_norm.bias[15] is nan, expected a finite number" in error_of(path)


def test_values_that_are_not_finite_are_named(tmp_path: Path) -> None:
    write(tmp_path / "model.bin", tiny_checkpoint(**GPT2))
    with (tmp_path / "model.bin").open("r+b") as file:
        file.seek(-4, os.SEEK_END)
        file.write(struct.pack("<f", np.inf))
    assert "output_norm.bias[15] is inf, expected a finite number" in error_of(
        tmp_path / "model.bin"
    )


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_any_damage_is_refused_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    random = Random(seed)
    seeds = [file_by_hand(3)[0], file_by_hand(5)[0]]
    path = tmp_path_factory.getbasetemp() / "damaged.bin"
    path.write_bytes(mutate(random, random.choice(seeds), seeds)[1])
    try:
        checkpoint = open_checkpoint(path)
    except RungError:
        return
    assert all(p.flags.aligned for weight in checkpoint.weights.values() for p in weight.planes)
