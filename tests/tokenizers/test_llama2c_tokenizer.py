"""The tokenizer of llama2.c: the reference's result on any text, and every text back again."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rung.errors import TokenizerError
from rung.tokenizers import TextStream, find_tokenizer, open_tokenizer
from rung.tokenizers.llama2c import Llama2cTokenizer
from support import tiny_vocabulary, write_tokenizer

SPECIAL = [b"<unk>", b"\n<s>\n", b"\n</s>\n", *(b"<0x%02X>" % byte for byte in range(256))]


def tokenizer(pieces: list[bytes], scores: list[float]) -> Llama2cTokenizer:
    return Llama2cTokenizer(pieces, np.array(scores, np.float32))


@pytest.fixture(scope="module")
def tiny() -> Llama2cTokenizer:
    return tokenizer(*tiny_vocabulary())


def encode_by_search(pieces: list[bytes], scores: list[float], text: str) -> list[int]:
    """The same by its definition: search all pairs, merge the best, start again. O(n²)."""
    ids: dict[bytes, int] = {}
    for token in range(3, len(pieces)):
        ids.setdefault(pieces[token], token)
    tokens: list[int] = []
    for character in " " + text if text else "":
        data = character.encode()
        tokens += [ids[data]] if data in ids else [byte + 3 for byte in data]
    values = np.array(scores, np.float32)
    while True:
        best, place, merged = np.float32(-1e10), -1, -1
        for i, (left, right) in enumerate(pairwise(tokens)):
            token = ids.get(pieces[left] + pieces[right])
            if token is not None and values[token] > best:
                best, place, merged = values[token], i, token
        if place < 0:
            return tokens
        tokens[place : place + 2] = [merged]


# A small alphabet, so that pairs, ties and overlaps are frequent.
TEXTS = st.one_of(st.text(alphabet="ab é日\n", max_size=40), st.text(max_size=20))


@st.composite
def vocabularies(draw: st.DrawFn) -> tuple[list[bytes], list[float]]:
    words = draw(st.lists(st.text(alphabet="ab é日", min_size=1, max_size=4), max_size=25))
    scores = draw(
        st.lists(
            st.sampled_from([-3.0, -2.0, -1.5, 0.0, 1.0, -1e10, -2e10]),
            min_size=len(words),
            max_size=len(words),
        )
    )
    pieces = SPECIAL + [word.encode() for word in words]
    return pieces, [0.0] * len(SPECIAL) + scores


@settings(max_examples=400, deadline=None)
@given(vocabulary=vocabularies(), text=TEXTS)
def test_encode_is_the_search_for_the_best_pair(
    vocabulary: tuple[list[bytes], list[float]], text: str
) -> None:
    tested = tokenizer(*vocabulary)
    assert tested.encode(text, bos=False) == encode_by_search(*vocabulary, text)


@settings(max_examples=400, deadline=None)
@given(vocabulary=vocabularies(), text=TEXTS)
def test_every_text_comes_back(vocabulary: tuple[list[bytes], list[float]], text: str) -> None:
    tested = tokenizer(*vocabulary)
    for bos in (True, False):
        assert tested.decode(tested.encode(text, bos=bos)) == text


def test_byte_tokens_merge_as_they_are_spelled() -> None:
    # As in llama2.c: U+0001 has no token of its own and becomes <0x01>, spelled so when merging.
    pieces = [*SPECIAL, b" ", b"b", b"<0x01>b"]
    tested = tokenizer(pieces, [0.0] * len(pieces))
    assert tested.encode("\x01b", bos=False) == [259, 261]


def test_bos_and_the_empty_text(tiny: Llama2cTokenizer) -> None:
    assert tiny.encode("") == [1]
    assert tiny.encode("", bos=False) == []
    assert tiny.encode("the")[0] == 1
    assert tiny.encode("the")[1:] == tiny.encode("the", bos=False)
    assert tiny.decode([1]) == ""


def test_equal_pieces_yield_the_lowest_id() -> None:
    tested = tokenizer([*SPECIAL, b" ", b"a", b"a", b" a", b" a"], [0.0] * (len(SPECIAL) + 5))
    assert tested.encode("a", bos=False) == [262]


def test_text_never_yields_a_control_token() -> None:
    pieces = [*SPECIAL, *(c.encode() for c in " \n</s>unk"), b"\n</s>"]
    tested = tokenizer(pieces, [0.0] * len(pieces))
    for text in ("\n</s>\n", "<unk>", "\n<s>\n"):
        ids = tested.encode(text, bos=False)
        assert not {0, 1, 2} & set(ids)
        assert tested.decode(ids) == text


def test_bytes_without_a_token_are_unknown() -> None:
    tested = tokenizer([b"<unk>", b"<s>", b"</s>", b" ", b"a"], [0.0] * 5)
    assert tested.encode("aé", bos=False) == [3, 4, 0, 0]
    assert tested.decode([3, 4, 0]) == "a"


def test_a_lone_surrogate_is_refused(tiny: Llama2cTokenizer) -> None:
    with pytest.raises(TokenizerError, match=r"U\+D800 at character 3"):
        tiny.encode("abc\ud800")


def test_token_bytes(tiny: Llama2cTokenizer) -> None:
    the = tiny.encode("the", bos=False)[0]
    assert tiny.piece(the) == " the"
    assert tiny.token_bytes(the, previous=1) == b"the"
    assert tiny.token_bytes(the) == b"the"
    assert tiny.token_bytes(the, previous=the) == b" the"
    assert tiny.token_bytes(3 + 0xE6) == b"\xe6"
    assert tiny.token_bytes(2, previous=the) == b""
    assert tiny.piece(2) == "\n</s>\n"
    for token in (-1, 300):
        with pytest.raises(TokenizerError, match=f"token {token} is not in the vocabulary of 300"):
            tiny.token_bytes(token)


def test_a_stream_holds_back_half_characters(tiny: Llama2cTokenizer) -> None:
    stream = TextStream(tiny, context=[1])
    tokens = [3 + byte for byte in "€".encode()]
    assert [stream.push(token) for token in tokens] == ["", "", "€"]
    stream.push(tokens[0])
    assert stream.flush() == "\ufffd"


def test_a_piece_that_is_not_text() -> None:
    tested = tokenizer([*SPECIAL, b"a\xff"], [0.0] * (len(SPECIAL) + 1))
    assert tested.piece(259) == "a\\xff"
    assert tested.decode([259]) == "a\ufffd"


def test_time_grows_with_the_text_not_its_square(tiny: Llama2cTokenizer) -> None:
    # One search a merge would take minutes for this.
    start = time.perf_counter()
    text = "the and an the " * 4000
    ids = tiny.encode(text)
    assert time.perf_counter() - start < 20
    assert tiny.decode(ids) == text


def test_find_tokenizer(tmp_path: Path) -> None:
    model = tmp_path / "stories.bin"
    assert find_tokenizer(model, 512) is None
    for name in ("tok512.bin", "tokenizer.bin", "stories.tokenizer.bin"):
        (tmp_path / name).write_bytes(b"")
        assert find_tokenizer(model, 512) == tmp_path / name
    (tmp_path / "other").mkdir()
    assert find_tokenizer(tmp_path / "other" / "stories.bin", 512) is None


def test_a_written_vocabulary_is_read(tmp_path: Path, tiny: Llama2cTokenizer) -> None:
    path = write_tokenizer(tmp_path / "tokenizer.bin", *tiny_vocabulary())
    found = open_tokenizer(path, 300)
    assert found.vocab_size == 300
    assert (found.bos_id, found.eos_ids) == (1, {2})
    assert [found.piece(i) for i in range(300)] == [tiny.piece(i) for i in range(300)]
    text = "the sand and 日本\n"
    assert found.encode(text) == tiny.encode(text)


@pytest.mark.parametrize(("name", "size"), [("tok512.bin", 512), ("llama2_tokenizer.bin", 32000)])
def test_real_text_comes_back(data_folder: Path, name: str, size: int) -> None:
    text = (data_folder / "tinyshakespeare.txt").read_text()[:100_000]
    tested = open_tokenizer(data_folder / name, size)
    assert tested.decode(tested.encode(text)) == text


def test_llama2_agrees_with_sentencepiece(data_folder: Path) -> None:
    sentencepiece = pytest.importorskip("sentencepiece")
    model = str(data_folder / "llama2_tokenizer.model")
    theirs = sentencepiece.SentencePieceProcessor(model_file=model)
    mine = open_tokenizer(data_folder / "llama2_tokenizer.bin", 32000)
    lines = (data_folder / "tinyshakespeare.txt").read_text().splitlines(keepends=True)
    lines += [
        "",
        " ",
        "   two  spaces\t",
        "naïve café 日本語 🙂",
        "<0x41> <s></s><unk>",
        "\x00\x01",
    ]
    for line in lines:
        assert mine.encode(line, bos=False) == theirs.encode(line), line
