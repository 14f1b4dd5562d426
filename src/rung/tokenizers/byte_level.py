"""Byte-level byte-pair encoding: a text is split into words, and the bytes of each are merged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from rung.errors import TokenizerError
from rung.tokenizers.base import require_utf8
from rung.tokenizers.pieces import PieceTokenizer, Vocabulary
from rung.tokenizers.splitting import Splitting

if TYPE_CHECKING:
    from tokenizers import Tokenizer as Library


def _alphabet() -> dict[str, int]:
    """The character that stands for each byte: itself where it can be seen, else one from U+0100.

    GPT-2's way to write any bytes as text without spaces and control characters.
    """
    visible = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in visible]
    return {chr(byte): byte for byte in visible} | {
        chr(0x100 + i): byte for i, byte in enumerate(hidden)
    }


ALPHABET: Mapping[str, int] = _alphabet()
CHARACTERS = {byte: character for character, byte in ALPHABET.items()}


def spelled_bytes(piece: str) -> bytes:
    """The bytes that a piece spells; a character that spells none is its own UTF-8."""
    return b"".join(bytes((ALPHABET[c],)) if c in ALPHABET else c.encode() for c in piece)


class ByteLevelTokenizer(PieceTokenizer):
    """Merges by an ordered list of pairs, in the library `tokenizers`."""

    kind = "byte-level BPE (GGUF)"

    def __init__(
        self, vocabulary: Vocabulary, merges: Sequence[tuple[str, str]], splitting: Splitting
    ) -> None:
        """Raises TokenizerError for a merge of or into pieces that the vocabulary lacks."""
        super().__init__(vocabulary)
        self._library = self._built(merges, splitting)

    def _encode_part(self, text: str, *, joined: bool) -> list[int]:
        if self._missing_bytes:
            self._require_bytes(text)
        ids: list[int] = self._library.encode(text, add_special_tokens=False).ids
        return ids

    def encode_pieces(self, pieces: Sequence[tuple[str, bool]]) -> list[list[int]]:
        """As `Tokenizer.encode_pieces`, on all cores; what lies between added tokens, at once."""
        for text, _ in pieces:
            require_utf8(text)
            if self._missing_bytes:
                self._require_bytes(text)
        split = [list(self._added.split(text)) for text, _ in pieces]
        plain = [part for parts in split for part in parts if isinstance(part, str)]
        encodings = iter(self._library.encode_batch_fast(plain, add_special_tokens=False))
        return [
            [
                token
                for part in parts
                for token in ((part,) if isinstance(part, int) else next(encodings).ids)
            ]
            for parts in split
        ]

    def _bytes(self, token: int) -> bytes:
        return spelled_bytes(self.vocabulary.pieces[token])

    def _built(self, merges: Sequence[tuple[str, str]], splitting: Splitting) -> Library:
        from tokenizers import Tokenizer
        from tokenizers.models import BPE
        from tokenizers.pre_tokenizers import ByteLevel
        from tokenizers.pre_tokenizers import Sequence as Steps

        v = self.vocabulary
        ids = v.ids(set(range(self.vocab_size)) - v.control)
        _check_merges(merges, ids)
        library = Tokenizer(BPE(ids, list(merges), ignore_merges=splitting.whole_words))
        to_bytes = ByteLevel(add_prefix_space=False, use_regex=False)
        library.pre_tokenizer = Steps([splitting.pre_tokenizer(), to_bytes])
        return library

    @cached_property
    def _missing_bytes(self) -> frozenset[int]:
        """Bytes without a token; the library would leave them out without a word."""
        pieces = set(self.vocabulary.pieces)
        return frozenset(byte for byte, c in CHARACTERS.items() if c not in pieces)

    def _require_bytes(self, text: str) -> None:
        missing = self._missing_bytes.intersection(text.encode())
        if missing:
            raise TokenizerError(
                f"the vocabulary has no token for byte 0x{min(missing):02x}, which this text holds"
            )


def _check_merges(merges: Sequence[tuple[str, str]], ids: Mapping[str, int]) -> None:
    for index, (left, right) in enumerate(merges):
        for piece in (left, right, left + right):
            if piece not in ids:
                raise TokenizerError(
                    f"merge {index} of the tokenizer joins {left!r} and {right!r}, "
                    f"but its vocabulary has no {piece!r}"
                )
