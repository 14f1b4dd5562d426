"""Write llm.c's tokenizer file: the bytes of each token, and which one ends a text."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from rung.errors import UsageError
from rung.formats.files import replacing
from rung.tokenizers.base import Tokenizer
from rung.tokenizers.llmc import HEADER, MAGIC, MAX_TOKENS, LlmcTokenizer

VERSION = 2
_MOST_BYTES = 255  # a token's length is one byte


def write(path: str | Path, tokenizer: Tokenizer) -> None:
    """Write `tokenizer` to `path` as llm.c's tokenizer file, version 2.

    The file holds no merges: llm.c only decodes with it, and Rung takes them from the order of the
    tokens. That is right for byte-level vocabularies in the order of their merges, with words split
    as GPT-2 does. It is tried before: the text of each token, by itself and before that of the
    next, must encode the same from the file, else UsageError. Raises RungError where the file
    cannot be written.
    """
    data, end_of_text = _contents(tokenizer)
    _check_same(tokenizer, LlmcTokenizer(data, end_of_text))
    with replacing(Path(path)) as file:
        file.write(HEADER.pack(MAGIC, VERSION, len(data), end_of_text, *[0] * 252))
        for piece in data:
            file.write(bytes((len(piece),)) + piece)


def _contents(tokenizer: Tokenizer) -> tuple[list[bytes], int]:
    """The bytes of every token, those of control tokens their names, and the end of a text."""
    end_of_text = tokenizer.bos_id if tokenizer.eos_id is None else tokenizer.eos_id
    if end_of_text is None:
        raise _refused("has no token that ends a text")
    if not 256 <= tokenizer.vocab_size <= MAX_TOKENS:
        raise _refused(f"has {tokenizer.vocab_size} tokens, not 256 to {MAX_TOKENS}")
    data = []
    for token in range(tokenizer.vocab_size):
        piece = tokenizer.token_bytes(token, previous=end_of_text)
        if not piece:
            piece = tokenizer.piece(token).encode()
        if not 1 <= len(piece) <= _MOST_BYTES:
            raise _refused(f"has token {token} of {len(piece)} bytes, not 1 to {_MOST_BYTES}")
        data.append(piece)
    missing = {bytes((byte,)) for byte in range(256)}.difference(data)
    if missing:
        raise _refused(f"has no token for byte 0x{min(missing).hex()}")
    return data, end_of_text


def _check_same(tokenizer: Tokenizer, written: LlmcTokenizer) -> None:
    plain = [t for t in range(tokenizer.vocab_size) if t not in tokenizer.special_ids]
    data = [tokenizer.token_bytes(token, previous=tokenizer.eos_id) for token in plain]
    joined = [first + second for first, second in pairwise(data)]
    texts = [text.decode(errors="ignore") for text in (*data, *joined)]
    found = tokenizer.encode_pieces([(text, False) for text in texts])
    for text, before in zip(texts, found, strict=True):
        after = written.encode(text, bos=False)
        if before != after:
            raise _refused(f"encodes {text!r} as {before[:8]}, which from the file is {after[:8]}")


def _refused(reason: str) -> UsageError:
    return UsageError(f"llm.c's tokenizer file cannot say this tokenizer: it {reason}")
