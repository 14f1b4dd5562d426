"""llm.c's debug state: read from bytes laid out by hand, written, read back, damaged."""

from __future__ import annotations

import struct
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mutate import mutate
from rung.errors import DataError, FormatError, RungError, UsageError
from rung.formats.llmc.state import read, read_sizes, write
from rung.models.config import weight_shapes
from support import GPT2, tiny_config

B, T, V, PADDED, C, L = 2, 3, 5, 128, 4, 2
CONFIG = tiny_config(
    **GPT2
    | {"dim": C, "hidden_dim": 4 * C, "n_heads": 2, "n_kv_heads": 2}
    | {"n_layers": L, "vocab_size": V, "context_length": 8}
)
# llm.c's names and shapes, in order.
TENSORS = {
    "wte": (PADDED, C),
    "wpe": (8, C),
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


def by_hand(**changes: Any) -> tuple[bytes, dict[str, np.ndarray]]:
    """A file and its arrays by llm.c's names, written from the description of the format."""
    fields = {"magic": 20240327, "version": 2, "B": B, "T": T} | changes
    rng = np.random.default_rng(3)
    arrays = {name: rng.integers(0, V, (B, T), np.int32) for name in ("x", "y")}
    arrays["logits"] = rng.standard_normal((B, T, V)).astype(np.float32)
    arrays["loss"] = np.array([5.25], np.float32)
    for name, shape in TENSORS.items():
        arrays[name] = rng.standard_normal(shape).astype(np.float32)
    arrays["wte"][V:] = 0
    data = struct.pack("<4i", *fields.values()).ljust(1024, b"\0")
    return data + b"".join(array.tobytes() for array in arrays.values()), arrays


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "state.bin").write_bytes(by_hand()[0])
    return tmp_path / "state.bin"


def test_a_file_written_by_hand(path: Path) -> None:
    arrays = by_hand()[1]
    state = read(path, CONFIG)
    assert read_sizes(path) == (B, T)
    assert np.array_equal(state.x_BT, arrays["x"])
    assert np.array_equal(state.y_BT, arrays["y"])
    assert np.array_equal(state.logits_BTV, arrays["logits"])
    assert state.loss == 5.25
    expected = {
        "token_embd.weight": arrays["wte"][:V],
        "position_embd.weight": arrays["wpe"],
        "blk.1.attn_k.weight": arrays["qkvw"][1, C : 2 * C],
        "blk.0.attn_v.bias": arrays["qkvb"][0, 2 * C :],
        "blk.1.ffn_down.weight": arrays["fcprojw"][1],
        "blk.0.ffn_norm.weight": arrays["ln2w"][0],
        "output_norm.bias": arrays["lnfb"],
    }
    for name, values in expected.items():
        assert np.array_equal(state.gradients[name], values), name
    assert {name: g.shape for name, g in state.gradients.items()} == weight_shapes(CONFIG)


def test_what_is_written_has_the_same_bytes(path: Path, tmp_path: Path) -> None:
    state = read(path, CONFIG)
    again = tmp_path / "again.bin"
    write(
        again,
        CONFIG,
        x_BT=state.x_BT,
        y_BT=state.y_BT,
        logits_BTV=state.logits_BTV,
        loss=state.loss,
        gradients=state.gradients,
    )
    assert again.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("missing", ["gradient", "shape"])
def test_what_does_not_fit_is_not_written(path: Path, tmp_path: Path, missing: str) -> None:
    state = read(path, CONFIG)
    gradients = dict(state.gradients)
    del gradients["output_norm.bias"]
    logits_BTV = state.logits_BTV
    if missing == "shape":
        gradients, logits_BTV = dict(state.gradients), logits_BTV[..., :-1]
    message = {
        "gradient": "the gradient of output_norm.bias is missing",
        "shape": r"logits has the shape \(2, 3, 4\), expected \(2, 3, 5\)",
    }
    with pytest.raises(DataError, match=message[missing]):
        write(
            tmp_path / "again.bin",
            CONFIG,
            x_BT=state.x_BT,
            y_BT=state.y_BT,
            logits_BTV=logits_BTV,
            loss=1.0,
            gradients=gradients,
        )
    assert not (tmp_path / "again.bin").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"magic": 20240326}, "magic is 20240326, which is an llm.c checkpoint, expected 20240327"),
        ({"version": 1}, "version is 1, expected 2"),
        ({"B": 0}, "B is 0, expected 1 to 16,777,216"),
        ({"T": -1}, "T is -1, expected 1 to"),
        ({"B": 1 << 24, "T": 1 << 24}, "missing"),
        ({"T": T + 1}, "for its header says B 2, T 4, and the model has V 5, V_padded 128, L 2"),
    ],
)
def test_damage_is_named(path: Path, changes: dict[str, int], message: str) -> None:
    path.write_bytes(by_hand(**changes)[0])
    with pytest.raises(FormatError, match=message):
        read(path, CONFIG)


def test_ids_and_loss_are_looked_at(path: Path) -> None:
    good = path.read_bytes()
    loss_at = 1024 + 4 * (2 * B * T + B * T * V)
    for at, value, message in (
        (1024, struct.pack("<i", V), "x is token 5, expected 0 to 4"),
        (1024 + 4 * B * T, struct.pack("<i", -1), "y is token -1, expected 0 to 4"),
        (loss_at, struct.pack("<f", np.nan), "loss is nan, expected a finite number"),
    ):
        path.write_bytes(good[:at] + value + good[at + 4 :])
        with pytest.raises(FormatError, match=message):
            read(path, CONFIG)


def test_only_gpt2_has_such_files(path: Path) -> None:
    with pytest.raises(UsageError, match="is of GPT-2 only: hidden_dim is 24, not 64"):
        read(path, tiny_config())
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(FormatError, match="size is 100 bytes"):
        read_sizes(path)


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_any_damage_is_refused_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    random = Random(seed)
    data = by_hand()[0]
    path = tmp_path_factory.getbasetemp() / "damaged.bin"
    path.write_bytes(mutate(random, data, [data])[1])
    try:
        state = read(path, CONFIG)
    except RungError:
        return
    assert {name: g.shape for name, g in state.gradients.items()} == weight_shapes(CONFIG)
    assert np.isfinite(state.loss)
