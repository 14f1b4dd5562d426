"""Tokenizer: text ⇄ token ids, and the stream that turns ids into text without half characters."""

from __future__ import annotations

import codecs
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import ClassVar

from rung.errors import TokenizerError


class Tokenizer(ABC):
    """Text to token ids and back. Ids are in range(vocab_size).

    eos_id: what ends a text; eos_ids: that and what ends a turn of a chat.
    kind: what it is, in words.
    add_bos: whether `encode` puts BOS before a text; some models have a BOS that they never use so.
    special_ids: control tokens, which text gives only where it is encoded with `special`.
    joins: whether `encode` can go on from a text before it (`joined`).
    chat_template: the Jinja template that came with the tokenizer, where one did.
    default_template: the name of the form that models with this kind of tokenizer chat in.
    """

    kind: ClassVar[str]
    vocab_size: int
    bos_id: int | None
    eos_id: int | None
    eos_ids: frozenset[int]
    add_bos: bool = True
    special_ids: frozenset[int] = frozenset()
    joins: bool = True
    chat_template: str | None = None
    default_template: str | None = None

    def encode(
        self, text: str, *, bos: bool = True, special: bool = False, joined: bool = False
    ) -> list[int]:
        """Token ids of `text`, after BOS when `bos` and the model has one that begins texts.

        special: control tokens that are spelled out in the text, such as <|im_end|>, become one
            token each; else they are text like any other.
        joined: the text goes on from another, so no space is put before it, whatever the model.

        Raises TokenizerError for text with a lone surrogate, which UTF-8 has no bytes for.
        """
        require_utf8(text)
        ids = self._encode(text, special=special, joined=joined)
        if bos and self.add_bos and self.bos_id is not None:
            return [self.bos_id, *ids]
        return ids

    def encode_pieces(self, pieces: Sequence[tuple[str, bool]]) -> list[list[int]]:
        """Ids of many texts, each with whether it goes on from another; no BOS, no control tokens.

        The same ids as `encode` gives, in less time where the tokenizer can use several cores.
        """
        return [self.encode(text, bos=False, joined=joined) for text, joined in pieces]

    @abstractmethod
    def _encode(self, text: str, *, special: bool, joined: bool) -> list[int]:
        """Token ids of valid `text`, without BOS."""

    @abstractmethod
    def token_bytes(self, token: int, *, previous: int | None = None) -> bytes:
        """The bytes that `token` adds after `previous` (None: nothing before it).

        None for a control token. Raises TokenizerError for an id outside the vocabulary.
        """

    @abstractmethod
    def piece(self, token: int) -> str:
        """The token as its vocabulary writes it, for people to read."""

    def decode(self, tokens: Iterable[int]) -> str:
        """The text of whole `tokens`; bytes that are not UTF-8 become U+FFFD."""
        stream = TextStream(self)
        return "".join([stream.push(token) for token in tokens]) + stream.flush()

    def _check(self, token: int) -> None:
        if not 0 <= token < self.vocab_size:
            raise TokenizerError(f"token {token} is not in the vocabulary of {self.vocab_size}")


class TextStream:
    """Token ids in, text out: holds back the bytes of a character until all of them are there.

    An embedding may have more rows than the vocabulary has tokens, to make it a round number; the
    id of such a row adds no text.
    """

    def __init__(self, tokenizer: Tokenizer, *, context: Sequence[int] = ()) -> None:
        """`context` is what precedes the stream, such as the prompt's ids."""
        self._tokenizer = tokenizer
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._previous = context[-1] if context else None

    def push(self, token: int) -> str:
        """The text that `token` completes; may be empty."""
        if token >= self._tokenizer.vocab_size:
            return ""
        data = self._tokenizer.token_bytes(token, previous=self._previous)
        self._previous = token
        return self._decoder.decode(data)

    def flush(self) -> str:
        """What is left at the end: U+FFFD for a character that never became whole."""
        return self._decoder.decode(b"", final=True)


def require_utf8(text: str) -> None:
    """Raises TokenizerError for text with a lone surrogate, which UTF-8 has no bytes for."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        surrogate = f"U+{ord(text[error.start]):04X} at character {error.start}"
        raise TokenizerError(f"text holds half a character, {surrogate}; give whole ones") from None
