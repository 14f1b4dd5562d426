"""tokenizer.bin files that are damaged or of another model: each gives one error that says why."""

from __future__ import annotations

import struct
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mutate import mutate
from rung.errors import FormatError, RungError, TokenizerError
from rung.tokenizers import open_tokenizer
from support import tiny_vocabulary, tokenizer_bytes

GOOD = tokenizer_bytes(*tiny_vocabulary())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokenizer.bin"


def test_a_vocabulary_of_another_size(path: Path) -> None:
    path.write_bytes(GOOD)
    for size, found in ((512, "fewer"), (301, "only 300"), (299, "more"), (2, "more")):
        with pytest.raises(TokenizerError) as caught:
            open_tokenizer(path, size)
        expected = f"{path} does not fit the model: its vocabulary has {size} tokens"
        assert str(caught.value).startswith(f"{expected}, the tokenizer has {found}")


@pytest.mark.parametrize("cut", [1, 20])
def test_a_last_token_cut_short(path: Path, cut: int) -> None:
    path.write_bytes(GOOD[:-cut])
    with pytest.raises(FormatError, match=r"token 29[0-9] is cut short by the end of the file"):
        open_tokenizer(path, 300)


def test_a_record_cut_short(path: Path) -> None:
    path.write_bytes(GOOD + b"\0\0\0")
    with pytest.raises(FormatError, match="token 300 is cut short by the end of the file"):
        open_tokenizer(path, 301)


@pytest.mark.parametrize("length", [0, 1000, 2**32 - 1])
def test_lengths(path: Path, length: int) -> None:
    path.write_bytes(GOOD[:8] + struct.pack("<I", length) + GOOD[12:])
    with pytest.raises(FormatError, match=f"length of token 0 is {length}, expected 1 to"):
        open_tokenizer(path, 300)


@pytest.mark.parametrize("score", [float("nan"), float("inf"), float("-inf")])
def test_scores(path: Path, score: float) -> None:
    path.write_bytes(GOOD[:4] + struct.pack("<f", score) + GOOD[8:])
    with pytest.raises(FormatError, match=f"score of token 0 is {score}, expected a finite"):
        open_tokenizer(path, 300)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", "file is empty"),
        (b"\0\0\0\0", "content is of no known format"),
        (b"\xff\xff\xff\xff\0\0\0\0", "content is of no known format"),
        (b"PK\x03\x04 and so on", "content is a zip archive"),
    ],
)
def test_other_files_are_named(path: Path, data: bytes, found: str) -> None:
    path.write_bytes(data)
    with pytest.raises(FormatError, match=f"{found}.*, expected a llama2"):
        open_tokenizer(path, 300)


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="file is missing, expected a llama2"):
        open_tokenizer(tmp_path / "none", 300)
    with pytest.raises(FormatError, match=r"tokenizer is missing, expected one of tokenizer\.json"):
        open_tokenizer(tmp_path, 300)


@settings(max_examples=400, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_any_damage_is_refused_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    random = Random(seed)
    _, data = mutate(random, GOOD, [GOOD])
    path = tmp_path_factory.getbasetemp() / "damaged_tokenizer.bin"
    path.write_bytes(data)
    try:
        tokenizer = open_tokenizer(path, 300)
    except RungError:
        return
    tokenizer.decode(tokenizer.encode("the sand, 日本"))
    tokenizer.decode(range(300))
    assert all(isinstance(tokenizer.piece(token), str) for token in range(300))
