"""llm.c's tokenizer file: GPT-2's tokens without their merges."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from rung.errors import FormatError, TokenizerError
from rung.tokenizers import find_tokenizer, open_tokenizer
from rung.tokenizers.byte_level import spelled_bytes
from rung.tokenizers.gguf_vocab import tokenizer_of
from vocabularies import TEXTS, bpe_metadata, trained_bpe

END = b"<|endoftext|>"


def contents(tokens: list[bytes], *, end: int | None = None, version: int = 2) -> bytes:
    header = [20240328, version, len(tokens), len(tokens) - 1 if end is None else end]
    records = b"".join(bytes((len(token),)) + token for token in tokens)
    return struct.pack("<256i", *header, *[0] * 252) + records


def trained() -> list[bytes]:
    return [*map(spelled_bytes, trained_bpe()[0]), END]


def test_ids_without_merges_are_those_with_them(tmp_path: Path) -> None:
    path = tmp_path / "gpt2_tokenizer.bin"
    path.write_bytes(contents(trained()))
    tokenizer = open_tokenizer(path)
    pieces = [*trained_bpe()[0], "<|endoftext|>"]
    kinds = [1] * (len(pieces) - 1) + [3]
    expected = tokenizer_of("x", bpe_metadata("gpt-2", tokens=pieces, token_type=kinds))
    end = tokenizer.vocab_size - 1
    assert (tokenizer.bos_id, tokenizer.eos_ids, tokenizer.add_bos) == (end, {end}, False)
    for text in TEXTS:
        ids = tokenizer.encode(text)
        assert ids == expected.encode(text, bos=False)
        assert tokenizer.decode(ids) == text
    assert tokenizer.encode("a<|endoftext|>", special=True)[-1] == end
    assert find_tokenizer(tmp_path / "gpt2_124M.bin", 700) == path


def test_gpt2_itself(data_folder: Path, tmp_path: Path) -> None:
    source = data_folder / "ggml-vocab-gpt-2.gguf"
    theirs = open_tokenizer(source)
    tokens = [spelled_bytes(theirs.piece(i)) for i in range(theirs.vocab_size - 1)]
    path = tmp_path / "tokenizer.bin"
    path.write_bytes(contents([*tokens, END]))
    mine = open_tokenizer(path, 50304)  # llm.c pads the embedding
    texts = Path(f"{source}.inp").read_bytes().decode().split("\n__ggml_vocab_test__\n")
    lines = Path(f"{source}.out").read_text().split("\n")
    for text, line in zip(texts, lines, strict=True):
        assert mine.encode(text) == [int(token) for token in line.split()]
    text = (data_folder / "tinyshakespeare.txt").read_text()[:50_000]
    assert mine.encode(text) == theirs.encode(text)
    with pytest.raises(TokenizerError, match="has 50256 tokens, the tokenizer has 50257"):
        open_tokenizer(path, 50256)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (contents(trained())[:600], "content is too short"),
        (contents(trained(), version=3), "version is 3, expected 1 or 2"),
        (contents(trained(), version=1), "end-of-text token is 50256"),
        (contents(trained(), end=-1), "end-of-text token is -1"),
        (contents(trained()[:9]), "number of tokens is 9"),
        (contents(trained())[:-1], "token [0-9]+ is empty or cut short"),
        (contents(trained()) + b"xy", "size is 2 bytes too long"),
        (contents([b"ab"] * 300), "token of byte 0x00 is missing"),
        (contents([*trained(), b""]), "is empty or cut short"),
    ],
)
def test_damage(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "gpt2_tokenizer.bin"
    path.write_bytes(data)
    with pytest.raises(FormatError, match=message):
        open_tokenizer(path)
