"""Splitting text into words: each family's published pattern, run by another engine."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rung.tokenizers.splitting import SPLITTINGS
from vocabularies import TEXTS

regex = pytest.importorskip("regex")

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
# The patterns as the families' own tokenizers have them, written out.
PUBLISHED = {
    "gpt-2": [GPT2],
    "llama-bpe": [
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
        r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    ],
    "qwen2": [
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
        r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    ],
    "qwen35": [
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}"
        r"| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    ],
    "tekken": [
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
        r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
        r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    ],
    "gpt-4o": [
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
        r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
        r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    ],
    "smollm": [r"\p{N}", GPT2],
    "falcon": [r"[\p{P}\$\+<=>\^~\|`]+", GPT2, "[0-9][0-9][0-9]"],
    "default": [r"[\p{P}\$\+<=>\^~\|]+", GPT2, r"\p{N}+", "[0-9][0-9][0-9]"],
    "deepseek-coder": [r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", "[一-龥ࠀ-一가-퟿]+", r"\p{N}"],
    "deepseek-v3": [
        r"\p{N}{1,3}",
        "[一-龥぀-ゟ゠-ヿ]+",
        r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"
        r"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    ],
    "bloom": [r" ?[^(\s|.,!?…。，、।۔،)]+"],
}


def pieces_by(patterns: list[str], text: str) -> list[str]:
    """Matches and what lies between them, one pattern after the other."""
    pieces = [text] if text else []
    for pattern in patterns:
        split = []
        for piece in pieces:
            end = 0
            for match in regex.finditer(pattern, piece):
                split += [piece[end : match.start()], match[0]]
                end = match.end()
            split.append(piece[end:])
        pieces = [piece for piece in split if piece]
    return pieces


def split(name: str, text: str) -> list[str]:
    pre_tokenizer = SPLITTINGS[name].pre_tokenizer()
    return [piece for piece, _ in pre_tokenizer.pre_tokenize_str(text)]


def known(text: str) -> bool:
    """Whether every engine's tables have these characters."""
    return all(unicodedata.category(c) not in ("Cn", "Cs") for c in text)


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_published_pattern_on_chosen_texts(name: str) -> None:
    for text in TEXTS:
        assert split(name, text) == pieces_by(PUBLISHED[name], text), text


CHARACTERS = st.one_of(
    st.sampled_from("aZé日1²٣ \n\r\t'sdLl.,!/$+<=>^~|`\u0301\u00a0"), st.characters()
)


@pytest.mark.parametrize("name", PUBLISHED)
@settings(max_examples=150, deadline=None)
@given(text=st.text(CHARACTERS, max_size=30).filter(known))
def test_the_published_pattern_on_any_text(name: str, text: str) -> None:
    assert split(name, text) == pieces_by(PUBLISHED[name], text)


def test_every_splitting_keeps_the_text() -> None:
    for name in SPLITTINGS:
        for text in TEXTS:
            assert "".join(split(name, text)) == text, name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gpt-2", ["12345", " 67"]),
        ("llama-bpe", ["123", "45", " ", "67"]),
        ("qwen2", ["1", "2", "3", "4", "5", " ", "6", "7"]),
        ("smollm", ["1", "2", "3", "4", "5", " ", "6", "7"]),
        ("tekken", ["1", "2", "3", "4", "5", " ", "6", "7"]),
    ],
)
def test_digits(name: str, expected: list[str]) -> None:
    assert split(name, "12345 67") == expected


def test_contractions_in_capitals_are_the_later_families_only() -> None:
    assert split("gpt-2", "IT'S") == ["IT", "'", "S"]
    assert split("llama-bpe", "IT'S") == ["IT", "'S"]
