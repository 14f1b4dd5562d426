"""Text encoded word by word: the ids of the whole text, whatever pieces reach over."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from test_llama2c_tokenizer import SPECIAL, encode_by_search, tokenizer

from rung.tokenizers.words import Words

PIECES = ["a", "b", " ", "  ", "ab", " a", " ab", "b\n", "\nb", "  b", "aba", "   "]
TEXTS = st.text(alphabet="ab \né", max_size=40)


def within_words(*more: str) -> tuple[list[bytes], list[float]]:
    """A vocabulary whose pieces have spaces at their starts alone, and some others."""
    pieces = [*SPECIAL, *(piece.encode() for piece in (*PIECES, *more))]
    return pieces, [-float(i * 7 % 19) for i in range(len(pieces))]


@given(text=TEXTS)
def test_words_have_the_ids_of_the_whole_text(text: str) -> None:
    pieces, scores = within_words()
    assert tokenizer(pieces, scores).encode(text, bos=False) == encode_by_search(
        pieces, scores, text
    )


@given(text=TEXTS)
def test_a_piece_over_the_start_of_a_word_keeps_texts_whole(text: str) -> None:
    pieces, scores = within_words("b a", "a ")
    assert tokenizer(pieces, scores).encode(text, bos=False) == encode_by_search(
        pieces, scores, text
    )


def test_a_space_that_is_spelled_as_a_byte() -> None:
    pieces = [*SPECIAL, b"a", b"a<0x20>"]
    found = tokenizer(pieces, [0.0] * len(pieces))
    assert found.encode("a a", bos=False)[-2:] == [len(pieces) - 1, len(pieces) - 2]


def test_each_word_is_encoded_once() -> None:
    asked: list[str] = []

    def encode(text: str) -> list[int]:
        asked.append(text)
        return [len(text)]

    words = Words(encode, [" a", "a"])
    assert words("a  bc d\n a  bc ") == [1, 4, 3, 2, 4, 1]
    assert asked == ["a", "  bc", " d\n", " a", " "]
    whole = Words(encode, ["a b"])
    assert whole("a b") == [3]


def test_long_words_and_many_are_not_kept() -> None:
    asked: list[str] = []

    def encode(text: str) -> list[int]:
        asked.append(text)
        return [0]

    words = Words(encode, [])
    words("x" * 100 + " y")
    words("x" * 100 + " y")
    assert [len(text) for text in asked] == [100, 2, 100]
    words(" ".join(str(number) for number in range(70_000)))
    assert len(words._known) < 1 << 16
