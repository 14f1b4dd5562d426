"""tokenizer.model: a SentencePiece model, run by the library `sentencepiece`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rung.errors import FormatError, RungError
from rung.formats.files import opened, read_most
from rung.tokenizers.endings import text_endings
from rung.tokenizers.folder import TokenizerFolder
from rung.tokenizers.gguf_vocab import TokenType
from rung.tokenizers.pieces import BYTE_PIECE, PieceTokenizer, Vocabulary
from rung.tokenizers.sentencepiece_bpe import SPACE

if TYPE_CHECKING:
    from sentencepiece import SentencePieceProcessor

EXPECTED = "a SentencePiece model"
_MAX_BYTES = 1 << 28
_ADDED_SCORE = -1e6


def recognises(head: bytes) -> bool:
    """Whether a file begins as a SentencePiece model: a piece, which begins with its text."""
    return len(head) > 3 and head[0] == 0x0A and head[1] > 2 and head[2] == 0x0A


class SentencePieceModel(PieceTokenizer):
    """A SentencePiece model of any kind; exact, for it is run by the library that it was made with.

    A space is put before a text and after a special token, where the model puts one before texts.
    """

    kind = "SentencePiece (tokenizer.model)"
    joins = False

    def __init__(self, vocabulary: Vocabulary, processor: SentencePieceProcessor) -> None:
        super().__init__(vocabulary)
        self._processor = processor
        # What the model makes of one letter shows whether it puts a space before a text.
        first = processor.encode("a", out_type=str)[0]
        self.space_prefix = first.startswith(SPACE)
        self._byte_ids = frozenset(i for i in range(len(processor)) if processor.is_byte(i))

    def token_bytes(self, token: int, *, previous: int | None = None) -> bytes:
        """As PieceTokenizer; at the start, the space that `encode` put there is left out."""
        data = super().token_bytes(token, previous=previous)
        first = previous is None or previous == self.bos_id
        return data.removeprefix(b" ") if first and self.space_prefix else data

    def scores(self) -> NDArray[np.float32]:
        """The score of each piece; of those that were added to the model, one behind all others."""
        scores = np.full(self.vocab_size, _ADDED_SCORE, np.float32)
        count = min(len(self._processor), self.vocab_size)
        scores[:count] = [self._processor.get_score(token) for token in range(count)]
        return scores

    def kinds(self) -> list[int]:
        """The type of each token, as GGUF numbers them."""
        return [self._kind(token) for token in range(self.vocab_size)]

    def _kind(self, token: int) -> TokenType:
        processor = self._processor
        known = token < len(processor)
        if known and processor.is_unknown(token):
            return TokenType.UNKNOWN
        if token in self.vocabulary.control:
            return TokenType.CONTROL
        if token in self.vocabulary.added:
            return TokenType.USER_DEFINED
        if known and processor.is_byte(token):
            return TokenType.BYTE
        return TokenType.UNUSED if known and processor.is_unused(token) else TokenType.NORMAL

    def _encode_part(self, text: str, *, joined: bool) -> list[int]:
        ids: list[int] = self._processor.encode(text)
        return ids

    def _bytes(self, token: int) -> bytes:
        piece = self.vocabulary.pieces[token]
        if token in self._byte_ids and (match := BYTE_PIECE.fullmatch(piece)) is not None:
            return bytes.fromhex(match[1])
        return piece.replace(SPACE, " ").encode()


def read(path: Path, folder: TokenizerFolder) -> SentencePieceModel:
    """The tokenizer in a tokenizer.model; `folder` is what lies beside it.

    Raises FormatError for a file that the library refuses, RungError where it is not installed.
    """
    try:
        from sentencepiece import SentencePieceProcessor
    except ImportError:
        raise RungError(
            f'{path} needs the package sentencepiece; pip install "rung[sentencepiece]"'
        ) from None
    with opened(path, EXPECTED) as file:
        data = read_most(file, _MAX_BYTES + 1)
    if len(data) > _MAX_BYTES:
        raise FormatError(path, "size", f"over {_MAX_BYTES:,} bytes", EXPECTED)
    try:
        processor = SentencePieceProcessor(model_proto=data)
        _ = processor.encode("a")
    except Exception as error:  # the library raises several, this very class among them
        reason = " ".join(str(error).split())[:200]
        raise FormatError(path, "content", f"refused ({reason})", EXPECTED) from None
    tokenizer = SentencePieceModel(_vocabulary(processor, folder), processor)
    tokenizer.chat_template = folder.chat_template()
    return tokenizer


def _vocabulary(processor: SentencePieceProcessor, folder: TokenizerFolder) -> Vocabulary:
    pieces = [processor.id_to_piece(token) for token in range(len(processor))]
    control = {i for i in range(len(pieces)) if processor.is_control(i) or processor.is_unknown(i)}
    added: set[int] = set()
    for token, (text, special) in sorted(folder.added_tokens().items()):
        if token < len(pieces):
            pieces[token] = text
        elif token == len(pieces):
            pieces.append(text)
        else:
            continue
        (control if special or token in control else added).add(token)
    ids = dict(zip(reversed(pieces), range(len(pieces) - 1, -1, -1), strict=True))
    bos, eos = folder.token("bos_token", ids), folder.token("eos_token", ids)
    bos = processor.bos_id() if bos is None else bos
    eos = processor.eos_id() if eos is None else eos
    endings = text_endings(pieces) | folder.eos_ids(len(pieces)) | ({eos} if eos >= 0 else set())
    return Vocabulary(
        pieces=pieces,
        control=frozenset(control) | text_endings(pieces),
        added=frozenset(added) - text_endings(pieces),
        bos_id=bos if bos >= 0 else None,
        eos_id=eos if eos >= 0 else None,
        eos_ids=endings,
        add_bos=bos >= 0 and folder.flag("add_bos_token", default=True),
    )
