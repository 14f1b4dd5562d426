"""Storage types: what values become, what they read as, and what is refused."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from rung.storage import BF16, F32, quantize, storage_type, stored, types

# Greatest error of a value over the greatest |value| of its scale's group, and values in a group.
STEPS = {
    "f16": (2**-11, 1),
    "bf16": (2**-8, 1),
    "i8": (0.5 / 127, 512),
    "i8_g32": (0.5 / 127, 32),
    "q8_0": (0.5 / 127 + 2**-11, 32),  # the scale is rounded as well
    "q4_0": (1 / 8, 32),  # the levels −8 to 7 leave a whole step at one end
    # Half a step of the range, which is at most twice the greatest value, and the steps of the
    # scales themselves: 1/63 of the block's greatest.
    "q4_k": (1 / 15 + 2 / 63, 256),
    "q5_k": (1 / 31 + 2 / 63, 256),
    "q6_k": (1 / 32 + 1 / 127, 256),
}


def _values(rows: int = 6, K: int = 512) -> np.ndarray:
    """Normal values whose size changes from group to group by up to a hundred."""
    rng = np.random.default_rng(K)
    sizes = np.repeat(10.0 ** rng.uniform(-1, 1, (rows, K // 32)), 32, axis=-1)
    return (rng.standard_normal((rows, K)) * sizes).astype(np.float32)


@pytest.mark.parametrize("name", STEPS)
def test_values_come_back_within_a_step(name: str) -> None:
    values = _values()
    tensor = quantize(values, name)
    step, group = STEPS[name]
    error = np.abs(tensor.float64() - values).reshape(len(values), -1, group)
    greatest = np.abs(values).reshape(error.shape).max(axis=-1, keepdims=True)
    assert np.all(error <= step * greatest * (1 + 1e-6))
    assert error.any()
    assert tensor.size_bytes == tensor.type.size_bytes(values.shape)
    assert tensor.float32().dtype == np.float32
    assert np.array_equal(tensor.float32(), tensor.float64().astype(np.float32))


@pytest.mark.parametrize("name", STEPS)
def test_rounding_what_was_rounded_changes_little(name: str) -> None:
    once = quantize(_values(), name).float32()
    twice = quantize(once, name).float32()
    rms = np.sqrt(np.mean((twice - once) ** 2)) / np.sqrt(np.mean(once**2))
    assert rms <= 0.03


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("value", [0.0, 1e-42, -1e-7, 3.0])
def test_rows_of_one_value(name: str, value: float) -> None:
    values = np.full((2, 512), value, np.float32)
    error = np.abs(quantize(values, name).float64() - values)
    assert np.all(error <= max(2**-8 * abs(value), 2e-7))


@pytest.mark.parametrize("name", STEPS)
def test_chunks_do_not_show(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    values = _values(rows=7).reshape(7, 1, 512)
    whole = quantize(values, name)
    decoded = whole.float64()
    monkeypatch.setattr(types, "_CHUNK_VALUES", 1024)
    pieces = quantize(values, name)
    assert all(np.array_equal(a, b) for a, b in zip(whole.planes, pieces.planes, strict=True))
    assert np.array_equal(pieces.float64(), decoded)
    assert np.array_equal(pieces.rows(2, 5).float64(), decoded[2:5])


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("shape", [(0, 512), (3, 0)])
def test_nothing_is_something_too(name: str, shape: tuple[int, int]) -> None:
    assert quantize(np.zeros(shape, np.float32), name).float64().shape == shape


@pytest.mark.parametrize("name", ["q8_0", "q4_0"])
def test_simple_blocks_are_those_of_gguf(name: str) -> None:
    from gguf import GGMLQuantizationType, quants

    values = _values()
    expected = quants.quantize(values, GGMLQuantizationType[name.upper()])
    assert np.array_equal(quantize(values, name).planes[0], expected)


def test_bfloat16_rounds_to_even() -> None:
    bits = np.array([0x3F808000, 0x3F818000, 0x3F808001, 0x3F807FFF, 0x7F7FFFFF, 0x7F800000])
    values = bits.astype(np.uint32).view(np.float32)
    assert quantize(values, BF16).planes[0].tolist() == [
        *(0x3F80, 0x3F82, 0x3F81, 0x3F80),
        *(0x7F80, 0x7F80),
    ]
    nans = np.array([0x7FFFFFFF, 0xFF800001], np.uint32).view(np.float32)
    assert np.isnan(quantize(nans, "bf16").float64()).all()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("f16", 65520.0, "65520 is beyond float16, whose greatest value is 65504"),
        ("f16", -1e30, "-1e.30 is beyond float16"),
        ("q8_0", 1e9, r"1e\+09 is beyond q8_0"),
        ("q4_0", 1e9, "is beyond q4_0"),
        ("q4_k", 1e9, "is beyond q4_k"),
        ("q5_k", -1e9, "is beyond q5_k"),
        ("q6_k", 1e9, "is beyond q6_k"),
        ("q6_k", np.nan, "q6_k cannot hold nan"),
        ("q8_0", np.inf, "q8_0 cannot hold inf"),
    ],
)
def test_values_that_do_not_fit_are_named(name: str, value: float, message: str) -> None:
    values = np.ones((1, 256), np.float32)
    values[0, 77] = value
    with pytest.raises(ValueError, match=message):
        quantize(values, name)


def test_the_greatest_half_fits() -> None:
    values = np.array([65504, 65519, -65504, np.inf], np.float32)
    assert quantize(values, "f16").planes[0].tolist() == [65504, 65504, -65504, np.inf]


@pytest.mark.parametrize("name", [*STEPS, "f32", "i32", "u8"])
def test_names_lead_back(name: str) -> None:
    kind = storage_type(name)
    assert kind.name == name
    assert pickle.loads(pickle.dumps(kind)) is kind


def test_a_scale_a_row() -> None:
    tensor = quantize(_values(rows=3, K=96), "i8")
    assert [plane.shape for plane in tensor.planes] == [(3, 96), (3, 1)]
    assert tensor.type.block_width(96) == 96
    assert tensor.type.bits == pytest.approx(8, abs=1e-3)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: storage_type("q9_9"), KeyError, "unknown storage type 'q9_9'; known: f32"),
        (lambda: quantize(np.ones((2, 40), np.float32), "q8_0"), ValueError, "multiple of 32"),
        (lambda: quantize(np.float32(1).reshape(()), "i8"), ValueError, "not a single value"),
        (lambda: stored(np.zeros(3, np.complex64)), TypeError, "holds complex64"),
    ],
)
def test_what_cannot_be_stored(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_single_values_are_plain() -> None:
    assert quantize(np.float32(2).reshape(()), F32).float64() == 2


def test_activations_carry_the_sums_of_their_halves() -> None:
    q, scales, sums = quantize(_values(rows=3, K=96), "q8_s").planes
    assert scales.shape == (3, 3)
    assert np.array_equal(sums, q.astype(np.int32).reshape(3, 6, 16).sum(axis=-1))
    assert np.abs(sums).max() > 0


@pytest.mark.parametrize("T", [8, 16, 37])
def test_tiles_hold_rows_of_bfloat16(T: int) -> None:
    values = _values(rows=T, K=96)
    tiles = quantize(values, "bf16_tiles")
    assert np.array_equal(tiles.float64(), quantize(values, "bf16").float64())
    # Value 35 of row 3: the second block of 32, its second pair, that row's second value.
    bits = quantize(values, "bf16").planes[0]
    assert tiles.planes[0].reshape(-1)[512 + 1 * 32 + 3 * 2 + 1] == bits[3, 35]


def test_fewer_rows_than_half_a_tile_are_not_packed() -> None:
    assert not quantize(_values(rows=7, K=32), "bf16_tiles").float64().any()
