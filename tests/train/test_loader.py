"""Batches: permutations that are permutations, windows that are the text, positions that resume."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rung.errors import DataError, FormatError, UsageError
from rung.formats.llmc import tokens as llmc_tokens
from rung.train.data import Loader, Position, Tokens, open_data
from rung.train.data.shuffle import key_of, permuted


@settings(max_examples=100, deadline=None)
@given(n=st.integers(1, 3000), key=st.integers(0, 2**64 - 1))
def test_a_permutation_has_every_place_once(n: int, key: int) -> None:
    found = permuted(np.arange(n), n, key)
    assert sorted(found) == list(range(n))
    some = np.array([n - 1, 0, n // 2])
    assert permuted(some, n, key).tolist() == found[some].tolist()  # place by place


def test_permutations_are_even() -> None:
    """All 24 orders of four, as often as chance has it; 6000 keys, five deviations."""
    orders: dict[tuple[int, ...], int] = {}
    for key in range(6000):
        order = tuple(permuted(np.arange(4), 4, key_of(key, 3)).tolist())
        orders[order] = orders.get(order, 0) + 1
    assert len(orders) == 24
    assert all(abs(count - 250) < 5 * 250**0.5 for count in orders.values())


def test_the_order_is_the_same_for_good() -> None:
    assert permuted(np.arange(10), 10, key_of(1, 2)).tolist() == [8, 2, 6, 5, 7, 3, 0, 9, 1, 4]


def loader(*sizes: int, B: int = 2, T: int = 4, **options: object) -> Loader:
    """Shards of ascending ids, each beginning at a multiple of 1000."""
    shards = tuple(np.arange(1000 * i, 1000 * i + size) for i, size in enumerate(sizes, start=1))
    names = tuple(f"shard {i}" for i in range(len(sizes)))
    return Loader(Tokens(shards, names), B=B, T=T, **{"vocab_size": 9999} | options)


@settings(max_examples=100, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 60), min_size=1, max_size=4),
    B=st.integers(1, 4),
    T=st.integers(1, 9),
    seed=st.integers(0, 2**40),
    epoch=st.integers(0, 5),
)
def test_an_epoch_is_windows_of_the_text(
    sizes: list[int], B: int, T: int, seed: int, epoch: int
) -> None:
    try:
        found = loader(*sizes, B=B, T=T, seed=seed)
    except DataError:
        assert sum(max((size - T) // T, 1) for size in sizes if size > T) < B
        return
    starts: list[int] = []
    for index in range(found.batches_per_epoch):
        batch = found.batch(Position(epoch, index))
        assert batch.x_BT.shape == batch.y_BT.shape == (B, T)
        assert batch.x_BT.dtype == batch.y_BT.dtype == np.int32
        assert (np.diff(batch.x_BT, axis=1) == 1).all()  # one stretch of one shard
        assert (batch.y_BT == batch.x_BT + 1).all()
        starts += batch.x_BT[:, 0].tolist()
        for last in batch.y_BT[:, -1].tolist():
            assert last % 1000 < sizes[last // 1000 - 1]
    gaps = np.diff(sorted(starts))
    assert (gaps >= T).all()  # no window twice, none over another


def test_without_shuffling_it_is_the_text_in_order() -> None:
    found = loader(13, 4, 9, shuffle=False)
    x = np.concatenate([found.batch(Position(7, i)).x_BT for i in range(2)])
    assert found.batches_per_epoch == 2  # five windows; the last makes no batch
    assert x[:, 0].tolist() == [1000, 1004, 1008, 3000]
    exact = loader(9, shuffle=False)
    assert exact.batch(Position()).y_BT[-1].tolist() == [1005, 1006, 1007, 1008]


def test_all_windows_fit_in_an_epoch_when_they_make_batches() -> None:
    found = loader(65, B=1, T=8, seed=3)
    first = [found.batch(Position(0, i)).x_BT[0, 0] for i in range(found.batches_per_epoch)]
    second = [found.batch(Position(1, i)).x_BT[0, 0] for i in range(found.batches_per_epoch)]
    assert len(first) == 7  # room to begin at any of the eight first tokens
    assert first != second
    assert first != sorted(first)
    begins = {min(found.batch(Position(e, i)).x_BT[0, 0] for i in range(7)) for e in range(60)}
    assert begins == set(range(1000, 1008))


def test_a_position_is_all_there_is_to_resume() -> None:
    one = loader(90, 70, seed=5)
    run = list(islice(one.batches(), 60))
    for step in (0, 1, 17, 59):
        position = one.at_step(step)
        again = loader(90, 70, seed=5).batch(position)
        assert np.array_equal(again.x_BT, run[step][0].x_BT)
        assert run[step][1] == one.after(position) == one.at_step(step + 1)
    other = loader(90, 70, seed=6).batch(Position())
    assert not np.array_equal(other.x_BT, run[0][0].x_BT)
    assert run[-1][1].epoch > 2


def test_too_small_is_one_line() -> None:
    message = (
        "data too small for a batch: 9 tokens make 1 windows of 4 tokens and their targets, "
        "a batch needs 2"
    )
    with pytest.raises(DataError, match=message):
        loader(9)
    with pytest.raises(DataError, match="0 tokens make 0 windows"):
        loader(0)
    assert loader(5, B=1).batches_per_epoch == 1
    with pytest.raises(UsageError, match="batch size is 0"):
        loader(50, B=0)


def test_a_position_of_other_data_is_refused() -> None:
    found = loader(50)
    for position in (Position(0, found.batches_per_epoch), Position(-1, 0), Position(0, -1)):
        with pytest.raises(UsageError, match="is not in the data, whose epochs have 5 batches"):
            found.batch(position)


def test_ids_beyond_the_vocabulary_are_told() -> None:
    tokens = Tokens.of(np.array([1, 2, 300, 4, 5, 6]), "poem.bin")
    found = Loader(tokens, B=1, T=5, vocab_size=300, shuffle=False)
    message = "poem.bin: token 300 does not fit the model, whose vocabulary has 300 tokens"
    with pytest.raises(DataError, match=message):
        found.batch(Position())
    with pytest.raises(DataError, match=message):
        tokens.check_vocabulary(300)
    tokens.check_vocabulary(301)
    with pytest.raises(DataError, match="token -1"):
        Tokens.of(np.array([1, -1])).check_vocabulary(300)


def test_a_split_takes_the_end_of_each_shard() -> None:
    tokens = Tokens((np.arange(10), np.arange(5)), ("a", "b"))
    train, val = tokens.split(0.2)
    assert [shard.tolist() for shard in val.shards] == [[8, 9], [4]]
    assert train.count + val.count == tokens.count == 15
    with pytest.raises(UsageError, match=r"validation share is 1\.0"):
        tokens.split(1.0)


def test_folders_with_llmc_names(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no manifest\.json and no \*train\*\.bin"):
        open_data(tmp_path)
    for name, count in (("x_train_0.bin", 5), ("x_train_1.bin", 6), ("x_val_0.bin", 7)):
        llmc_tokens.write(tmp_path / name, np.arange(count))
    found = open_data(tmp_path)
    assert [shard.size for shard in found.train.shards] == [5, 6]
    assert found.validation is not None
    assert found.validation.count == 7
    found.check_vocabulary(7)
    with pytest.raises(DataError, match=r"x_val_0\.bin: token 6 does not fit the model"):
        found.check_vocabulary(6)
    assert open_data(tmp_path / "x_val_0.bin").validation is None
    (tmp_path / "x_train_1.bin").write_bytes(b"rubbish")
    with pytest.raises(FormatError, match="size is 7 bytes"):
        open_data(tmp_path)
