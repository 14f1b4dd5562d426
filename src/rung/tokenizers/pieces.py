"""What tokenizers with a list of pieces share: special tokens, types of tokens, the way back."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

from rung.tokenizers.base import Tokenizer
from rung.tokenizers.special import SpecialTokens

BYTE_PIECE = re.compile(r"<0x([0-9A-Fa-f]{2})>")


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """The tokens of a model, in order of id, and what is particular about some of them.

    control: tokens without a text, found only where special tokens are asked for.
    added: tokens that are found in any text before it is split, as they are spelled.
    swallowing: spellings of those that take the white space after them along.
    """

    pieces: Sequence[str]
    control: frozenset[int] = frozenset()
    added: frozenset[int] = frozenset()
    swallowing: Collection[str] = ()
    bos_id: int | None = None
    eos_id: int | None = None
    eos_ids: frozenset[int] = frozenset()
    add_bos: bool = False

    def ids(self, tokens: Collection[int]) -> dict[str, int]:
        """The ids of these tokens by spelling; of equal spellings the lowest."""
        return {self.pieces[token]: token for token in sorted(tokens, reverse=True)}


class PieceTokenizer(Tokenizer):
    """A tokenizer over a Vocabulary: it splits off special tokens, a subclass does the rest."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.vocab_size = len(vocabulary.pieces)
        self.bos_id = vocabulary.bos_id
        self.eos_id = vocabulary.eos_id
        self.eos_ids = vocabulary.eos_ids
        self.add_bos = vocabulary.add_bos
        self.special_ids = vocabulary.control

    def piece(self, token: int) -> str:
        """The token as its vocabulary writes it."""
        self._check(token)
        return self.vocabulary.pieces[token]

    def token_bytes(self, token: int, *, previous: int | None = None) -> bytes:
        """The bytes that `token` adds; none for a control token."""
        self._check(token)
        if token in self.vocabulary.control:
            return b""
        if token in self.vocabulary.added:
            return self._spelling(self.vocabulary.pieces[token]).encode()
        return self._bytes(token)

    def _encode(self, text: str, *, special: bool, joined: bool) -> list[int]:
        ids: list[int] = []
        for part in (self._all_special if special else self._added).split(text):
            if isinstance(part, int):
                ids.append(part)
                joined = False
            else:
                ids += self._encode_part(part, joined=joined)
                joined = True
        return ids

    @abstractmethod
    def _encode_part(self, text: str, *, joined: bool) -> list[int]:
        """Ids of text between special tokens; `joined` is False after such a token."""

    @abstractmethod
    def _bytes(self, token: int) -> bytes:
        """The bytes of a token that is neither control nor added."""

    def _spelling(self, piece: str) -> str:
        """The text in which an added token is found."""
        return piece

    @cached_property
    def _added(self) -> SpecialTokens:
        return self._specials(self.vocabulary.added)

    @cached_property
    def _all_special(self) -> SpecialTokens:
        return self._specials(self.vocabulary.added | self.vocabulary.control)

    def _specials(self, tokens: Collection[int]) -> SpecialTokens:
        spelled = {
            self._spelling(piece): token for piece, token in self.vocabulary.ids(tokens).items()
        }
        return SpecialTokens(spelled, swallowing=self.vocabulary.swallowing)
