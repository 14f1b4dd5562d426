"""Tokenizer: text ⇄ token ids, and the stream that turns ids into text without half characters."""

from __future__ import annotations

import codecs
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import ClassVar


class Tokenizer(ABC):
    """Text to token ids and back. Ids are in range(vocab_size).

    kind: what it is, in words. chat_template: the Jinja template that came with it, where one did.
    """

    kind: ClassVar[str]
    vocab_size: int
    bos_id: int | None
    eos_ids: frozenset[int]
    chat_template: str | None = None

    @abstractmethod
    def encode(self, text: str, *, bos: bool = True) -> list[int]:
        """Token ids of `text`, after BOS when `bos` and the model has one."""

    @abstractmethod
    def token_bytes(self, token: int, *, previous: int | None = None) -> bytes:
        """The bytes that `token` adds after `previous` (None: nothing before it)."""

    @abstractmethod
    def piece(self, token: int) -> str:
        """The token as its vocabulary writes it, for people to read."""

    def decode(self, tokens: Iterable[int]) -> str:
        """The text of whole `tokens`; bytes that are not UTF-8 become U+FFFD."""
        stream = TextStream(self)
        return "".join([stream.push(token) for token in tokens]) + stream.flush()


class TextStream:
    """Token ids in, text out: holds back the bytes of a character until all of them are there."""

    def __init__(self, tokenizer: Tokenizer, *, context: Sequence[int] = ()) -> None:
        """`context` is what precedes the stream, such as the prompt's ids."""
        self._tokenizer = tokenizer
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._previous = context[-1] if context else None

    def push(self, token: int) -> str:
        """The text that `token` completes; may be empty."""
        data = self._tokenizer.token_bytes(token, previous=self._previous)
        self._previous = token
        return self._decoder.decode(data)

    def flush(self) -> str:
        """What is left at the end: U+FFFD for a character that never became whole."""
        return self._decoder.decode(b"", final=True)
