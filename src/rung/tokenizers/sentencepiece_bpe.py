"""SentencePiece byte-pair encoding over a list of pieces and scores, as GGUF files hold it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rung.tokenizers.merge import merge_pairs, score_ranks
from rung.tokenizers.pieces import BYTE_PIECE, PieceTokenizer, Vocabulary
from rung.tokenizers.words import Words

SPACE = "▁"  # how a piece spells a space


class SentencePieceTokenizer(PieceTokenizer):
    """Pairs of pieces are merged by score, the best first, the leftmost of equals.

    A character without a piece takes part as it is; what is left of such when no pair can be merged
    becomes its bytes' tokens, or the unknown token where there are none.
    """

    kind = "SentencePiece BPE (GGUF)"

    def __init__(
        self,
        vocabulary: Vocabulary,
        scores: NDArray[np.float32],
        *,
        unused: frozenset[int] = frozenset(),
        byte_tokens: frozenset[int] = frozenset(),
        unknown_id: int | None = None,
        space_prefix: bool = True,
    ) -> None:
        """A score for each piece.

        unused: tokens that may come up while merging, and are taken apart again at the end.
        byte_tokens: those of the form <0xNN>.
        space_prefix: whether a space is put before a text, and after a special token.
        """
        super().__init__(vocabulary)
        self._scores = scores
        self._unused = unused
        self._byte_tokens = byte_tokens
        self._unknown_id = unknown_id
        self._space_prefix = space_prefix

    def token_bytes(self, token: int, *, previous: int | None = None) -> bytes:
        """As PieceTokenizer; at the start, the space that `encode` put there is left out."""
        data = super().token_bytes(token, previous=previous)
        first = previous is None or previous == self.bos_id
        return data.removeprefix(b" ") if first and self._space_prefix else data

    def _encode_part(self, text: str, *, joined: bool) -> list[int]:
        text = text.replace(" ", SPACE)
        if self._space_prefix and not joined:
            text = SPACE + text
        return self._words(text)

    def _bytes(self, token: int) -> bytes:
        piece = self.vocabulary.pieces[token]
        if token in self._byte_tokens and (match := BYTE_PIECE.fullmatch(piece)) is not None:
            return bytes.fromhex(match[1])
        return piece.replace(SPACE, " ").encode()

    def _spelling(self, piece: str) -> str:
        return piece.replace(SPACE, " ")

    # What only `encode` needs is made at its first call.

    @cached_property
    def _ids(self) -> dict[str, int]:
        """The id of each piece that merging may yield."""
        v = self.vocabulary
        return v.ids(set(range(self.vocab_size)) - v.control - self._byte_tokens)

    @cached_property
    def _ranks(self) -> list[int]:
        return score_ranks(self._scores)

    @cached_property
    def _words(self) -> Words:
        return Words(lambda text: _Merging(self).run(text), self._ids, space=SPACE)

    @cached_property
    def _byte_ids(self) -> dict[int, int]:
        """The token of each byte."""
        found = ((token, self._bytes(token)) for token in sorted(self._byte_tokens, reverse=True))
        return {data[0]: token for token, data in found if len(data) == 1}

    def _of_bytes(self, text: str) -> list[int]:
        unknown = [] if self._unknown_id is None else [self._unknown_id]
        ids: list[int] = []
        for byte in text.encode():
            ids += [self._byte_ids[byte]] if byte in self._byte_ids else unknown
        return ids


class _Merging:
    """The merging of one text; characters without a piece have ids beyond the vocabulary."""

    def __init__(self, tokenizer: SentencePieceTokenizer) -> None:
        self._tokenizer = tokenizer
        self._pieces: Sequence[str] = tokenizer.vocabulary.pieces
        self._ids = tokenizer._ids
        self._ranks = tokenizer._ranks
        self._strangers: dict[str, int] = {}
        self._spelled: list[str] = []
        self._parts: dict[int, tuple[int, int]] = {}

    def run(self, text: str) -> list[int]:
        tokens = merge_pairs([self._character(c) for c in text], self._merged)
        return [token for found in tokens for token in self._settled(found)]

    def _character(self, character: str) -> int:
        token = self._ids.get(character)
        if token is not None:
            return token
        if character not in self._strangers:
            self._strangers[character] = len(self._pieces) + len(self._spelled)
            self._spelled.append(character)
        return self._strangers[character]

    def _text(self, token: int) -> str:
        n_pieces = len(self._pieces)
        return self._pieces[token] if token < n_pieces else self._spelled[token - n_pieces]

    def _merged(self, left: int, right: int) -> tuple[int, int] | None:
        token = self._ids.get(self._text(left) + self._text(right))
        if token is None:
            return None
        if token in self._tokenizer._unused:
            self._parts[token] = left, right
        return self._ranks[token], token

    def _settled(self, token: int) -> list[int]:
        """The token itself, its parts if it is unused, or its bytes if it is no token."""
        if token >= len(self._pieces):
            return self._tokenizer._of_bytes(self._text(token))
        if token in self._tokenizer._unused and token in self._parts:
            return [part for half in self._parts[token] for part in self._settled(half)]
        return [token]
