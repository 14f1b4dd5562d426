"""The tokenizers of Hugging Face folders: tokenizer.json, through the library that wrote it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rung.errors import FormatError, TokenizerError
from rung.formats.files import opened, read_most
from rung.tokenizers.base import Tokenizer, require_utf8
from rung.tokenizers.byte_level import spelled_bytes
from rung.tokenizers.endings import text_endings
from rung.tokenizers.folder import TokenizerFolder
from rung.tokenizers.pieces import BYTE_PIECE

if TYPE_CHECKING:
    from tokenizers import Tokenizer as Library

_EXPECTED = "a tokenizer.json"
_MAX_TOKENS = 1 << 22
_MAX_BYTES = 1 << 28  # ten times the largest there is


class HuggingFaceTokenizer(Tokenizer):
    """A tokenizer.json: exact, for it is run by the library that it was made with."""

    kind = "Hugging Face (tokenizer.json)"

    def __init__(self, path: Path, library: Library, folder: TokenizerFolder) -> None:
        """`folder` says which tokens begin and end texts. Raises TokenizerError where it cannot."""
        self._library = library
        self._lock = threading.Lock()
        self._added = library.get_added_tokens_decoder()
        ids = library.get_vocab(with_added_tokens=True)
        self.vocab_size = max(ids.values(), default=-1) + 1
        if not ids or self.vocab_size > _MAX_TOKENS:
            raise FormatError(path, "vocabulary size", self.vocab_size, f"1 to {_MAX_TOKENS}")
        self._pieces: list[str | None] = [None] * self.vocab_size
        for piece, token in ids.items():
            self._pieces[token] = piece
        self.special_ids = frozenset(token for token, added in self._added.items() if added.special)
        self._text, self._strips_space = _decoding(path, library)
        self.joins = not self._strips_space
        prefix = self._prefix()
        bos = folder.token("bos_token", ids)
        self.bos_id = prefix if bos is None else bos
        self.add_bos = folder.flag("add_bos_token", default=prefix is not None)
        self.eos_id = folder.token("eos_token", ids)
        named = frozenset() if self.eos_id is None else frozenset({self.eos_id})
        specials = [piece or "" for piece in self._pieces]
        self.eos_ids = named | folder.eos_ids(self.vocab_size) | text_endings(specials)
        self.chat_template = folder.chat_template()

    def piece(self, token: int) -> str:
        """The token as tokenizer.json writes it; nothing for an id that it leaves out."""
        self._check(token)
        return self._pieces[token] or ""

    def token_bytes(self, token: int, *, previous: int | None = None) -> bytes:
        """The bytes that `token` adds; at the start, without the space that `encode` put there."""
        piece = self.piece(token)
        if token in self.special_ids:
            return b""
        data = piece.encode() if token in self._added else self._text(piece)
        first = previous is None or previous == self.bos_id
        return data.removeprefix(b" ") if first and self._strips_space else data

    def _encode(self, text: str, *, special: bool, joined: bool) -> list[int]:
        with self._lock:  # whether special tokens are text is a switch of the whole library object
            self._library.encode_special_tokens = not special
            ids: list[int] = self._library.encode(text, add_special_tokens=False).ids
        return ids

    def encode_pieces(self, pieces: Sequence[tuple[str, bool]]) -> list[list[int]]:
        """As `Tokenizer.encode_pieces`, on all cores."""
        texts = [text for text, _ in pieces]
        for text in texts:
            require_utf8(text)
        with self._lock:
            self._library.encode_special_tokens = True
            found = self._library.encode_batch_fast(texts, add_special_tokens=False)
        return [encoding.ids for encoding in found]

    def _prefix(self) -> int | None:
        """The special token that the file itself puts before every text."""
        ids = self._library.encode("a", add_special_tokens=True).ids
        return ids[0] if ids and ids[0] in self.special_ids else None


def read(path: Path, folder: TokenizerFolder) -> HuggingFaceTokenizer:
    """The tokenizer in a tokenizer.json; `folder` is what lies beside it.

    Raises FormatError for a file that the library refuses, TokenizerError for one whose tokens
    cannot be turned into bytes.
    """
    from tokenizers import Tokenizer as Library

    with opened(path, _EXPECTED) as file:
        data = read_most(file, _MAX_BYTES + 1)
    if len(data) > _MAX_BYTES:
        raise FormatError(path, "size", f"over {_MAX_BYTES:,} bytes", _EXPECTED)
    try:
        library = Library.from_buffer(data)
    except Exception as error:  # the library raises this very class
        reason = " ".join(str(error).split())[:200]
        raise FormatError(path, "content", f"refused ({reason})", _EXPECTED) from None
    library.no_padding()
    library.no_truncation()
    return HuggingFaceTokenizer(path, library, folder)


Spelling = Callable[[str], bytes]


def _decoding(path: Path, library: Library) -> tuple[Spelling, bool]:
    """How a piece spells bytes, and whether a space at the start of a text is left out."""
    steps = _decoder_steps(library)
    kinds = {str(step.get("type")) for step in steps}
    if "ByteLevel" in kinds:
        return spelled_bytes, False
    for step in steps:
        if step.get("type") == "Metaspace":
            mark = str(step.get("replacement", "▁"))
            return _metaspace(mark), step.get("prepend_scheme", "always") != "never"
    if kinds & {"Replace", "ByteFallback"} and kinds <= _KNOWN_STEPS:
        return _metaspace("▁"), "Strip" in kinds
    found = ", ".join(sorted(kinds)) or "missing"
    raise TokenizerError(
        f"{path}: its decoder is {found}; supported are those of byte-level and SentencePiece "
        "vocabularies (ByteLevel, Metaspace, ByteFallback)"
    )


_KNOWN_STEPS = frozenset({"Replace", "ByteFallback", "Fuse", "Strip", "Sequence"})


def _decoder_steps(library: Library) -> list[Mapping[str, Any]]:
    """The steps of the decoder, as the file has them."""
    if library.decoder is None:
        return []
    decoder: dict[str, Any] = json.loads(library.decoder.__getstate__())
    if decoder.get("type") == "Sequence":
        steps: list[Mapping[str, Any]] = decoder.get("decoders", [])
        return steps
    return [decoder]


def _metaspace(mark: str) -> Spelling:
    """Pieces of SentencePiece: `mark` is a space, <0xNN> a byte."""

    def spelled(piece: str) -> bytes:
        if (match := BYTE_PIECE.fullmatch(piece)) is not None:
            return bytes.fromhex(match[1])
        return piece.replace(mark, " ").encode()

    return spelled
