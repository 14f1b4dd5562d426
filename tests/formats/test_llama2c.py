"""llama2.c checkpoints: what is written is read back, and what is read stays in the file."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from rung.errors import FormatError, RungError, UsageError
from rung.formats import open_checkpoint
from rung.formats.base import Checkpoint
from rung.formats.finite import check_finite
from rung.formats.llama2c import read
from rung.formats.llama2c.write import write
from rung.models.config import Rope
from rung.storage import F32, storage_type
from support import tiny_checkpoint

MODELS = {
    "grouped": {},
    "untied": {"tied_output": False},
    "one kv head": {"n_kv_heads": 1},
    "full kv heads": {"n_kv_heads": 4, "tied_output": False},
    "one layer": {"n_layers": 1, "dim": 2, "n_heads": 1, "n_kv_heads": 1, "hidden_dim": 1},
}


@pytest.fixture(params=MODELS.values(), ids=list(MODELS))
def model(request: pytest.FixtureRequest) -> Checkpoint:
    return tiny_checkpoint(**request.param)


def assert_same(found: Checkpoint, expected: Checkpoint) -> None:
    assert found.config == expected.config
    assert found.weights.keys() == expected.weights.keys()
    for name, weight in expected.weights.items():
        assert found.weights[name].type is weight.type
        for mine, theirs in zip(found.weights[name].planes, weight.planes, strict=True):
            np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("version", [0, 1])
def test_float_versions_keep_every_bit(tmp_path: Path, model: Checkpoint, version: int) -> None:
    write(tmp_path / "model.bin", model, version=version)
    found = open_checkpoint(tmp_path / "model.bin")
    assert_same(found, model)
    assert found.format == f"llama2.c v{version} (float32)"


def test_v0_through_v1_gives_the_same_file(tmp_path: Path, model: Checkpoint) -> None:
    write(tmp_path / "a.bin", model, version=0)
    write(tmp_path / "b.bin", read(tmp_path / "a.bin"), version=1)
    write(tmp_path / "c.bin", read(tmp_path / "b.bin"), version=0)
    assert (tmp_path / "c.bin").read_bytes() == (tmp_path / "a.bin").read_bytes()


def test_v2_is_within_half_a_scale(tmp_path: Path, model: Checkpoint) -> None:
    write(tmp_path / "model.bin", model, version=2)
    found = read(tmp_path / "model.bin")
    assert found.config == model.config
    for name, weight in model.weights.items():
        stored = found.weights[name]
        if stored.type is F32:
            np.testing.assert_array_equal(stored.planes[0], weight.planes[0])
            continue
        difference = np.abs(stored.float64() - weight.float64())
        # Half a step, and the rounding of 127 · scale in float32.
        bound = np.repeat(stored.planes[1], stored.type.block, axis=-1) * (0.5 + 1e-5)
        assert (difference <= bound).all(), name


def test_v2_weights_are_copied_exactly(tmp_path: Path, model: Checkpoint) -> None:
    write(tmp_path / "a.bin", model, version=2, group_size=4)
    write(tmp_path / "b.bin", read(tmp_path / "a.bin"), version=2, group_size=4)
    assert (tmp_path / "a.bin").read_bytes() == (tmp_path / "b.bin").read_bytes()


def test_v2_becomes_float_by_value(tmp_path: Path) -> None:
    model = tiny_checkpoint(matrices="i8_g8")
    write(tmp_path / "model.bin", model, version=1)
    found = read(tmp_path / "model.bin")
    for name, weight in model.weights.items():
        np.testing.assert_array_equal(found.weights[name].float32(), weight.float32())


@pytest.mark.parametrize(
    ("given", "hidden_dim", "used"), [(64, 8, 8), (12, 6, 6), (8, 8, 8), (5, 8, 2), (64, 7, 1)]
)
def test_group_size_is_halved_until_it_fits(
    tmp_path: Path, given: int, hidden_dim: int, used: int
) -> None:
    model = tiny_checkpoint(dim=24, n_heads=2, hidden_dim=hidden_dim)
    write(tmp_path / "model.bin", model, version=2, group_size=given)
    found = read(tmp_path / "model.bin")
    assert found.weights["blk.0.ffn_down.weight"].type is storage_type(f"i8_g{used}")
    assert found.format == f"llama2.c v2 (int8, groups of {used})"


def test_rows_are_converted_in_chunks(tmp_path: Path) -> None:
    # Wide enough for several chunks of 2^18 values, the last one short.
    model = tiny_checkpoint(n_layers=1, dim=128, n_heads=2, hidden_dim=16, vocab_size=5000)
    write(tmp_path / "model.bin", model, version=2, group_size=16)
    found = read(tmp_path / "model.bin").weights["token_embd.weight"]
    expected = tiny_checkpoint(
        n_layers=1, dim=128, n_heads=2, hidden_dim=16, vocab_size=5000, matrices="i8_g16"
    ).weights["token_embd.weight"]
    np.testing.assert_array_equal(found.planes[0], expected.planes[0])
    np.testing.assert_array_equal(found.planes[1], expected.planes[1])


def test_weights_stay_in_the_file(tmp_path: Path) -> None:
    write(tmp_path / "model.bin", tiny_checkpoint(), version=1)
    for weight in read(tmp_path / "model.bin").weights.values():
        assert not weight.planes[0].flags.owndata
        assert not weight.planes[0].flags.writeable


def test_misaligned_scales_are_copied(tmp_path: Path) -> None:
    # A vocabulary of 3 rows of 2 values: 6 bytes of int8, and scales at an offset of 2.
    model = tiny_checkpoint(dim=2, n_heads=1, n_kv_heads=1, hidden_dim=2, vocab_size=3)
    write(tmp_path / "model.bin", model, version=2, group_size=2)
    found = read(tmp_path / "model.bin")
    assert found.weights["token_embd.weight"].planes[1].flags.owndata
    for weight in found.weights.values():
        for plane in weight.planes:
            assert plane.flags.aligned
            assert not plane.flags.writeable
    embedding = model.weights["token_embd.weight"].float32()
    scales = found.weights["token_embd.weight"].planes[1]
    np.testing.assert_array_equal(scales, np.abs(embedding).max(axis=1, keepdims=True) / 127)


def test_rope_tables_are_those_of_the_format(tmp_path: Path) -> None:
    model = tiny_checkpoint(context_length=5)
    write(tmp_path / "model.bin", model, version=0)
    tables = np.frombuffer((tmp_path / "model.bin").read_bytes()[-2 * 5 * 2 * 4 :], np.float32)
    angles = np.arange(5)[:, None] * np.array([1.0, 10000.0 ** (-2 / 4)])
    expected = np.concatenate([np.cos(angles).ravel(), np.sin(angles).ravel()])
    np.testing.assert_allclose(tables, expected, rtol=0, atol=1e-7)


def test_progress_counts_to_the_end(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    model = tiny_checkpoint(tied_output=False)
    write(tmp_path / "model.bin", model, version=2, progress=lambda *call: calls.append(call))
    size_bytes = (tmp_path / "model.bin").stat().st_size
    assert calls[-1] == (size_bytes, size_bytes)
    assert calls == sorted(calls)


def test_a_model_may_be_written_over_itself(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    model = tiny_checkpoint()
    write(path, model, version=0)
    mapped = read(path)
    write(path, mapped, version=1)
    assert_same(mapped, model)
    assert_same(read(path), model)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(b"old")

    def fail(done: int, total: int) -> None:
        if done > total // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(path, tiny_checkpoint(), version=1, progress=fail)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_one_clear_error(tmp_path: Path) -> None:
    def fill(done: int, total: int) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(RungError, match=r"cannot be written \(No space left on device\)"):
        write(tmp_path / "model.bin", tiny_checkpoint(), version=1, progress=fill)
    assert not list(tmp_path.iterdir())


def test_an_impossible_place_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path / "none" / "model.bin", tmp_path / "file" / "model.bin"):
        with pytest.raises(RungError, match="cannot be written"):
            write(path, tiny_checkpoint(), version=0)
    with pytest.raises(UsageError, match="is a folder"):
        write(tmp_path, tiny_checkpoint(), version=0)


def test_what_llama2c_cannot_say_is_named(tmp_path: Path) -> None:
    model = tiny_checkpoint(
        rope=Rope(dims=8, base=500000.0, layout="half"), head_dim=8, qkv_bias=True
    )
    with pytest.raises(UsageError) as caught:
        write(tmp_path / "model.bin", model, version=0)
    for reason in ("rope.base is 500000.0", "head_dim is 8", "qkv_bias is True"):
        assert reason in str(caught.value)


def test_wrong_arguments_of_write(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no version 3"):
        write(tmp_path / "model.bin", tiny_checkpoint(), version=3)
    with pytest.raises(UsageError, match="group_size is 0"):
        write(tmp_path / "model.bin", tiny_checkpoint(), version=2, group_size=0)


def test_a_missing_weight_is_named(tmp_path: Path) -> None:
    model = tiny_checkpoint()
    rest = {k: v for k, v in model.weights.items() if k != "blk.1.attn_v.weight"}
    broken = Checkpoint(model.path, model.format, model.config, rest)
    with pytest.raises(FormatError, match=r"blk\.1\.attn_v\.weight is missing"):
        write(tmp_path / "model.bin", broken, version=0)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["blk.1.ffn_up.weight", "output_norm.weight"])
def test_weights_that_are_not_finite(tmp_path: Path, name: str, value: float) -> None:
    model = tiny_checkpoint()
    place = (3,) if name == "output_norm.weight" else (3, 1)
    write(tmp_path / "model.bin", model, version=1)
    good = struct.pack("<f", model.weights[name].planes[0][place])
    data = (tmp_path / "model.bin").read_bytes()
    assert data.count(good) == 1
    (tmp_path / "model.bin").write_bytes(data.replace(good, struct.pack("<f", value)))

    message = rf"{name}\[{', '.join(map(str, place))}\] is {value}, expected a finite number"
    with pytest.raises(FormatError, match=message):
        read(tmp_path / "model.bin")
    if len(place) == 1:
        return
    unchecked = read(tmp_path / "model.bin", check=False)
    with pytest.raises(FormatError, match=message):
        check_finite(unchecked)
    with pytest.raises(FormatError, match=message):
        write(tmp_path / "copy.bin", unchecked, version=2)


def test_scales_are_checked_in_any_case(tmp_path: Path) -> None:
    write(tmp_path / "model.bin", tiny_checkpoint(), version=2)
    data = bytearray((tmp_path / "model.bin").read_bytes())
    data[-4:] = struct.pack("<f", np.nan)
    (tmp_path / "model.bin").write_bytes(data)
    with pytest.raises(FormatError, match=r"blk\.1\.ffn_up\.weight scales\[23, 1\] is nan"):
        read(tmp_path / "model.bin", check=False)


def test_stories260k_makes_the_round(tmp_path: Path, data_folder: Path) -> None:
    model = open_checkpoint(data_folder / "stories260K.bin")
    assert (model.config.dim, model.config.n_layers, model.config.vocab_size) == (64, 5, 512)
    assert model.config.n_parameters * 4 == model.size_bytes
    write(tmp_path / "v1.bin", model, version=1)
    write(tmp_path / "v0.bin", read(tmp_path / "v1.bin"), version=0)
    assert_same(read(tmp_path / "v0.bin"), model)
    # The tables differ in the last digits: the original was computed in float32.
    mine, theirs = (np.fromfile(path, np.float32) for path in (tmp_path / "v0.bin", model.path))
    np.testing.assert_allclose(mine[7:], theirs[7:], rtol=0, atol=1e-4)
