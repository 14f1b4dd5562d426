"""llm.c's token shards: read from bytes laid out by hand, written, read back, damaged."""

from __future__ import annotations

import struct
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mutate import mutate
from rung.errors import DataError, FormatError, RungError
from rung.formats.files import replacing
from rung.formats.llmc.tokens import GPT2, LLAMA3, kind_for, read, write, writing
from support import full_disk

IDS = [5, 0, 65535, 17, 17, 2]


def by_hand(magic: int = 20240520, version: int = 1, count: int = 6, code: str = "H") -> bytes:
    header = struct.pack("<3i", magic, version, count).ljust(1024, b"\0")
    return header + struct.pack(f"<{len(IDS)}{code}", *IDS)


@pytest.mark.parametrize(
    ("data", "dtype", "kind"),
    [(by_hand(), np.uint16, GPT2), (by_hand(20240801, 7, code="I"), np.uint32, LLAMA3)],
)
def test_a_file_written_by_hand(tmp_path: Path, data: bytes, dtype: type, kind: object) -> None:
    path = tmp_path / "tokens.bin"
    path.write_bytes(data)
    shard = read(path)
    assert shard.kind is kind
    assert shard.tokens.dtype == dtype
    assert shard.tokens.tolist() == IDS
    assert not shard.tokens.flags.writeable
    write(tmp_path / "again.bin", np.array(IDS), kind=shard.kind)
    assert (tmp_path / "again.bin").read_bytes() == data


def test_pieces_make_one_shard(tmp_path: Path) -> None:
    with writing(tmp_path / "tokens.bin", LLAMA3) as shard:
        for part in ([], [1, 2], [1 << 31], [7]):
            shard.append(np.array(part, np.int64))
        assert shard.count == 4
        assert not (tmp_path / "tokens.bin").exists()
    assert read(tmp_path / "tokens.bin").tokens.tolist() == [1, 2, 1 << 31, 7]


def test_the_form_follows_the_vocabulary() -> None:
    assert kind_for(65536) is GPT2
    assert kind_for(65537) is LLAMA3


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "file is empty"),
        (by_hand()[:1000], "size is 1000 bytes, expected at least 1024 bytes"),
        (by_hand(20240326), "magic is 20240326, which is an llm.c checkpoint, expected 20240520"),
        (by_hand(version=2), "version is 2, expected 1 of GPT-2 tokens"),
        (by_hand(20240801, 1, code="I"), "version is 1, expected 7 of Llama 3 tokens"),
        (by_hand(count=0), "count is 0, expected 1 to 2,147,483,647"),
        (by_hand(count=-3), "count is -3, expected 1 to"),
        (by_hand(count=2**31 - 1), "bytes, for its header says 2,147,483,647 GPT-2 tokens"),
        (by_hand() + b"\0", r"\(1 too many\), expected 1,036 bytes"),
        (by_hand()[:-1], r"\(1 missing\), expected 1,036 bytes"),
    ],
)
def test_damage_is_named(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "tokens.bin"
    path.write_bytes(data)
    with pytest.raises(FormatError, match=message):
        read(path)


@pytest.mark.parametrize("wrong", [65536, -1])
def test_ids_that_do_not_fit_leave_no_file(tmp_path: Path, wrong: int) -> None:
    with pytest.raises(DataError, match=f"token {wrong} does not fit GPT-2 tokens, which are 0 to"):
        write(tmp_path / "tokens.bin", np.array([1, wrong]))
    with pytest.raises(DataError, match="no tokens to write"):
        write(tmp_path / "tokens.bin", np.array([], np.int32))
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "tokens.bin"
    write(path, np.array(IDS))
    with full_disk(monkeypatch), pytest.raises(RungError, match="No space left on device"):
        write(path, np.arange(9))
    assert read(path).tokens.tolist() == IDS
    assert list(tmp_path.iterdir()) == [path]
    with replacing(path) as file:  # the disk is free again
        file.write(by_hand())


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_any_damage_is_refused_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    random = Random(seed)
    seeds = [by_hand(), by_hand(20240801, 7, code="I")]
    path = tmp_path_factory.getbasetemp() / "damaged.bin"
    path.write_bytes(mutate(random, random.choice(seeds), seeds)[1])
    try:
        shard = read(path)
    except RungError:
        return
    assert shard.tokens.size * shard.kind.dtype.itemsize == path.stat().st_size - 1024
    shard.tokens.max()
