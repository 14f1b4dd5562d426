"""The tokenizer of llama2.c: a SentencePiece BPE vocabulary with scores (tokenizer.bin)."""

from __future__ import annotations

import re
import struct
from collections.abc import Collection, Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rung.errors import FormatError, TokenizerError
from rung.formats.files import opened
from rung.formats.signatures import looks_like
from rung.tokenizers.base import Tokenizer
from rung.tokenizers.merge import merge_pairs, score_ranks
from rung.tokenizers.special import SpecialTokens
from rung.tokenizers.words import Words

UNKNOWN, BOS, EOS = 0, 1, 2
_CONTROL = (UNKNOWN, BOS, EOS)
_FIRST_BYTE = 3  # byte b is token b + 3
_BYTE_PIECE = re.compile(rb"<0x([0-9A-Fa-f]{2})>")
_NEVER = -1e10  # a pair is merged only into a token of a better score

_HEAD = struct.Struct("<I")  # max_token_length
_RECORD = struct.Struct("<fI")  # score, length; then the bytes of the token
_MAX_TOKEN_LENGTH = 1 << 16
_EXPECTED = "a llama2.c tokenizer"


class Llama2cTokenizer(Tokenizer):
    """SentencePiece BPE by score. 0 is unknown, 1 BOS, 2 EOS, 3 to 258 the 256 bytes.

    Where a vocabulary spells two tokens alike, text yields the lower id. Text never yields a
    control token, however it is spelled. A byte that has no token becomes the unknown token.
    """

    kind = "SentencePiece BPE (llama2.c)"
    bos_id: int | None = BOS
    eos_id: int | None = EOS
    eos_ids = frozenset({EOS})
    special_ids = frozenset(_CONTROL)
    default_template = "llama2"

    def __init__(self, pieces: Sequence[bytes], scores: NDArray[np.float32]) -> None:
        """A piece and a score for each token, in order of id."""
        self.vocab_size = len(pieces)
        self._pieces = pieces
        self._scores = scores

    @property
    def pieces(self) -> Sequence[bytes]:
        """The spelling of each token, in order of id."""
        return self._pieces

    @property
    def scores(self) -> NDArray[np.float32]:
        """The score of each token, in order of id."""
        return self._scores

    @property
    def byte_tokens(self) -> Collection[int]:
        """The tokens that stand for a byte."""
        return self._byte_ids.values()

    def _encode(self, text: str, *, special: bool, joined: bool) -> list[int]:
        """A space is put before the text, then pairs are merged by score."""
        ids: list[int] = []
        for part in self._specials.split(text) if special else [text]:
            if isinstance(part, int):
                ids.append(part)
            else:
                prefix = "" if joined or not part else " "
                ids += self._words(prefix + part)
            joined = not isinstance(part, int)
        return ids

    def token_bytes(self, token: int, *, previous: int | None = None) -> bytes:
        """The bytes that `token` adds after `previous`: none for a control token.

        At the start (after BOS or nothing) one leading space is left out: it is the one that
        `encode` put there.
        """
        piece = self._piece(token)
        if token in _CONTROL:
            return b""
        if (match := _BYTE_PIECE.fullmatch(piece)) is not None:
            piece = bytes.fromhex(match[1].decode())
        return piece.removeprefix(b" ") if previous in (None, BOS) else piece

    def piece(self, token: int) -> str:
        """The token as its vocabulary writes it; bytes that are not UTF-8 are shown as \\xNN."""
        return self._piece(token).decode(errors="backslashreplace")

    def _piece(self, token: int) -> bytes:
        self._check(token)
        return self._pieces[token]

    def _merge(self, text: str) -> list[int]:
        return merge_pairs(list(self._characters(text)), self._merged)

    def _characters(self, text: str) -> Iterator[int]:
        """One token a character, or one a byte where the vocabulary lacks the character."""
        known: dict[str, list[int]] = {}
        for character in text:
            if character not in known:
                data = character.encode()
                token = self._ids.get(data)
                known[character] = self._bytes(data) if token is None else [token]
            yield from known[character]

    def _bytes(self, data: bytes) -> list[int]:
        return [self._byte_ids.get(byte, UNKNOWN) for byte in data]

    def _merged(self, left: int, right: int) -> tuple[int, int] | None:
        """(rank, token) of what two tokens make together.

        As in llama2.c a byte token takes part as it is spelled, <0x0A>; control tokens do not.
        """
        if left in _CONTROL or right in _CONTROL:
            return None
        token = self._ids.get(self._pieces[left] + self._pieces[right])
        if token is None or self._scores[token] <= _NEVER:
            return None
        return self._ranks[token], token

    # What only `encode` needs is made at its first call: to decode or to be checked costs none.

    @cached_property
    def _ids(self) -> dict[bytes, int]:
        """The id of each piece that text may yield; of equal pieces the lowest."""
        first = len(_CONTROL)
        ids = range(self.vocab_size - 1, first - 1, -1)
        return dict(zip(reversed(self._pieces[first:]), ids, strict=True))

    @cached_property
    def _ranks(self) -> list[int]:
        return score_ranks(self._scores)

    @cached_property
    def _words(self) -> Words:
        # A space without a piece of its own takes part as the byte's token, as that is spelled.
        spelled = (piece.replace(b"<0x20>", b" ") for piece in self._pieces[len(_CONTROL) :])
        return Words(self._merge, (piece.decode(errors="replace") for piece in spelled))

    @cached_property
    def _specials(self) -> SpecialTokens:
        """BOS and EOS as the vocabulary spells them, without the line breaks around."""
        return SpecialTokens(
            {self.piece(token).strip(): token for token in _CONTROL[1 : self.vocab_size]}
        )

    @cached_property
    def _byte_ids(self) -> dict[int, int]:
        """The token of each byte, for those that stand where they should."""
        ids = range(_FIRST_BYTE, min(_FIRST_BYTE + 256, self.vocab_size))
        return {
            token - _FIRST_BYTE: token
            for token in ids
            if self._pieces[token].lower() == b"<0x%02x>" % (token - _FIRST_BYTE)
        }


def recognises(head: bytes) -> bool:
    """Whether a file that starts so may be a tokenizer.bin, which has no magic number."""
    return len(head) >= _HEAD.size and 1 <= _longest(head) <= _MAX_TOKEN_LENGTH


def read(path: str | Path, vocab_size: int | None = None) -> Llama2cTokenizer:
    """The tokenizer in a tokenizer.bin, for a model of `vocab_size` tokens (None: any).

    The file does not say how many tokens it has: it must end with the last of the model's.
    Raises TokenizerError where it has more or fewer, FormatError where it is damaged.
    """
    path = Path(path)
    data, longest = _contents(path, vocab_size)
    pieces: list[bytes] = []
    scores: list[float] = []
    offset = _HEAD.size
    while offset < len(data) and len(pieces) != vocab_size:
        score, piece = _record(path, data, offset, len(pieces), longest)
        pieces.append(piece)
        scores.append(score)
        offset += _RECORD.size + len(piece)
    if vocab_size is not None and len(pieces) < vocab_size:
        raise _wrong_size(path, f"only {len(pieces)}", vocab_size)
    if vocab_size is not None and offset != len(data):
        raise _wrong_size(path, f"more ({len(data) - offset:,} bytes are left)", vocab_size)
    if not pieces:
        raise FormatError(path, "number of tokens", 0, "at least 1")
    return Llama2cTokenizer(pieces, _finite(path, np.array(scores, np.float32)))


def _finite(path: Path, scores: NDArray[np.float32]) -> NDArray[np.float32]:
    if not np.isfinite(scores).all():
        token = int(np.isfinite(scores).argmin())
        raise FormatError(path, f"score of token {token}", scores[token], "a finite number")
    return scores


def _contents(path: Path, vocab_size: int | None) -> tuple[bytes, int]:
    """The bytes of the file and the length of its longest token, once its size is possible."""
    with opened(path, _EXPECTED) as file:
        head = file.read(16)
        size_bytes = file.seek(0, 2)
        if not recognises(head):
            raise FormatError(path, "content", looks_like(head), _EXPECTED)
        longest = _longest(head)
        _check_size(path, size_bytes, longest, vocab_size)
        file.seek(0)
        return file.read(size_bytes), longest


def _longest(head: bytes) -> int:
    longest: int = _HEAD.unpack_from(head)[0]
    return longest


def _check_size(path: Path, size_bytes: int, longest: int, vocab_size: int | None) -> None:
    if vocab_size is None:
        return
    if size_bytes < _HEAD.size + vocab_size * (_RECORD.size + 1):
        raise _wrong_size(path, "fewer", vocab_size)
    if size_bytes > _HEAD.size + vocab_size * (_RECORD.size + longest):
        raise _wrong_size(path, "more", vocab_size)


def _record(path: Path, data: bytes, offset: int, token: int, longest: int) -> tuple[float, bytes]:
    """The score and the piece of one token."""
    start = offset + _RECORD.size
    if start > len(data):
        raise _cut_short(path, token)
    score, length = _RECORD.unpack_from(data, offset)
    if not 1 <= length <= longest:
        expected = f"1 to max_token_length {longest}"
        raise FormatError(path, f"length of token {token}", length, expected)
    if start + length > len(data):
        raise _cut_short(path, token)
    return score, data[start : start + length]


def _cut_short(path: Path, token: int) -> FormatError:
    return FormatError(path, f"token {token}", "cut short by the end of the file", "whole")


def _wrong_size(path: Path, found: str, vocab_size: int) -> TokenizerError:
    return TokenizerError(
        f"{path} does not fit the model: its vocabulary has {vocab_size} tokens, "
        f"the tokenizer has {found}"
    )
