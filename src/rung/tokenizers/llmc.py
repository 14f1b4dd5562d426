"""The tokenizer of llm.c: GPT-2's tokens in order of their merges, without the merges."""

from __future__ import annotations

import struct
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from rung.errors import FormatError
from rung.formats.files import opened, read_most
from rung.tokenizers.merge import merge_pairs
from rung.tokenizers.pieces import PieceTokenizer, Vocabulary
from rung.tokenizers.splitting import SPLITTINGS

if TYPE_CHECKING:
    from tokenizers.pre_tokenizers import PreTokenizer

MAGIC = 20240328
HEADER = struct.Struct("<256i")
_EXPECTED = "an llm.c tokenizer"
MAX_TOKENS = 1 << 20
_FIRST_EOT = 50256  # of version 1, whose header does not say


def recognises(head: bytes) -> bool:
    """Whether a file begins as an llm.c tokenizer."""
    return head[:4] == struct.pack("<i", MAGIC)


class LlmcTokenizer(PieceTokenizer):
    """GPT-2's byte-level BPE from the tokens alone.

    Every token was made by one merge, and they are numbered in the order of the merges. So the
    merge to do first is the one that makes the token of the lowest id.
    """

    kind = "byte-level BPE (llm.c)"

    def __init__(self, data: list[bytes], end_of_text: int) -> None:
        """The bytes of each token, in order of id, and the id that ends and begins texts."""
        pieces = [piece.decode(errors="backslashreplace") for piece in data]
        pieces[end_of_text] = "<|endoftext|>"
        super().__init__(
            Vocabulary(
                pieces=pieces,
                control=frozenset({end_of_text}),
                bos_id=end_of_text,
                eos_id=end_of_text,
                eos_ids=frozenset({end_of_text}),
            )
        )
        self._data = data
        self._words: dict[str, list[int]] = {}  # texts repeat their words

    def _encode_part(self, text: str, *, joined: bool) -> list[int]:
        ids: list[int] = []
        for word, _ in self._splitter.pre_tokenize_str(text):
            if word not in self._words:
                self._words[word] = self._merge(word)
            ids += self._words[word]
        return ids

    def _bytes(self, token: int) -> bytes:
        return self._data[token]

    def _merge(self, word: str) -> list[int]:
        ids, data = self._ids, self._data

        def merged(left: int, right: int) -> tuple[int, int] | None:
            token = ids.get(data[left] + data[right])
            return None if token is None else (token, token)

        return merge_pairs([ids[bytes((byte,))] for byte in word.encode()], merged)

    @cached_property
    def _ids(self) -> dict[bytes, int]:
        tokens = range(len(self._data) - 1, -1, -1)
        control = self.vocabulary.control
        return {self._data[token]: token for token in tokens if token not in control}

    @cached_property
    def _splitter(self) -> PreTokenizer:
        return SPLITTINGS["gpt-2"].pre_tokenizer()


def read(path: Path) -> LlmcTokenizer:
    """The tokenizer in an llm.c tokenizer file (version 1 or 2).

    Raises FormatError for a file that is damaged, or has no token for some byte.
    """
    with opened(path, _EXPECTED) as file:
        head = file.read(HEADER.size)
        if len(head) < HEADER.size or not recognises(head):
            raise FormatError(path, "content", "too short or another file", _EXPECTED)
        _, version, n_tokens, end_of_text, *_ = HEADER.unpack(head)
        if version not in (1, 2):
            raise FormatError(path, "version", version, "1 or 2")
        if not 256 <= n_tokens <= MAX_TOKENS:
            raise FormatError(path, "number of tokens", n_tokens, f"256 to {MAX_TOKENS}")
        body = read_most(file, 256 * n_tokens + 1)
    end_of_text = _FIRST_EOT if version == 1 else end_of_text
    if not 0 <= end_of_text < n_tokens:
        raise FormatError(path, "end-of-text token", end_of_text, f"0 to {n_tokens - 1}")
    data = _tokens(path, body, n_tokens)
    _check_bytes(path, data)
    return LlmcTokenizer(data, end_of_text)


def _tokens(path: Path, body: bytes, n_tokens: int) -> list[bytes]:
    data = []
    offset = 0
    for token in range(n_tokens):
        length = body[offset] if offset < len(body) else 0
        piece = body[offset + 1 : offset + 1 + length]
        if not piece or len(piece) < length:
            raise FormatError(path, f"token {token}", "empty or cut short", "1 to 255 bytes")
        data.append(piece)
        offset += 1 + length
    if offset != len(body):
        raise FormatError(path, "size", f"{len(body) - offset} bytes too long", "its last token's")
    return data


def _check_bytes(path: Path, data: list[bytes]) -> None:
    known = set(data)
    for byte in range(256):
        if bytes((byte,)) not in known:
            raise FormatError(path, f"token of byte 0x{byte:02x}", "missing", "all 256 bytes")
