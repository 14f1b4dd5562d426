"""Writing llm.c's tokenizer file: what it can say comes back, the rest is refused."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from rung.errors import UsageError
from rung.tokenizers import open_tokenizer
from rung.tokenizers.gguf_vocab import tokenizer_of
from rung.tokenizers.llmc_write import write
from support import tiny_vocabulary, write_tokenizer
from vocabularies import TEXTS, bpe_metadata, trained_bpe


def byte_level(pre: str = "gpt-2"):
    pieces = [*trained_bpe()[0], "<|endoftext|>"]
    kinds = [1] * (len(pieces) - 1) + [3]
    end = {"bos_token_id": len(pieces) - 1, "eos_token_id": len(pieces) - 1}
    return tokenizer_of("x", bpe_metadata(pre, tokens=pieces, token_type=kinds, **end))


def test_it_encodes_as_before(tmp_path: Path) -> None:
    before = byte_level()
    write(tmp_path / "tokenizer.bin", before)
    after = open_tokenizer(tmp_path / "tokenizer.bin")
    assert after.vocab_size == before.vocab_size
    assert (after.bos_id, after.eos_id) == (before.eos_id, before.eos_id)
    for text in TEXTS:
        assert after.encode(text, bos=False) == before.encode(text, bos=False)
    fields = struct.unpack_from("<4i", (tmp_path / "tokenizer.bin").read_bytes())
    assert fields == (20240328, 2, before.vocab_size, before.eos_id)
    write(tmp_path / "again.bin", after)
    assert (tmp_path / "again.bin").read_bytes() == (tmp_path / "tokenizer.bin").read_bytes()


def test_gpt2_itself(data_folder: Path, tmp_path: Path) -> None:
    before = open_tokenizer(data_folder / "ggml-vocab-gpt-2.gguf")
    write(tmp_path / "tokenizer.bin", before)
    after = open_tokenizer(tmp_path / "tokenizer.bin")
    assert (after.vocab_size, after.eos_id) == (50257, 50256)
    text = (data_folder / "tinyshakespeare.txt").read_text()[:20_000]
    assert after.encode(text) == before.encode(text)


def test_what_the_file_cannot_say_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "out.bin"
    theirs = write_tokenizer(tmp_path / "tokenizer.bin", *tiny_vocabulary())
    with pytest.raises(UsageError, match="cannot say this tokenizer: it encodes"):
        write(path, open_tokenizer(theirs, 300))
    without_end = byte_level()
    without_end.bos_id = without_end.eos_id = None
    with pytest.raises(UsageError, match="has no token that ends a text"):
        write(path, without_end)
    assert not path.exists()


def test_merges_in_another_order_are_refused(tmp_path: Path) -> None:
    pieces, merges = trained_bpe()
    first = next(i for i, piece in enumerate(pieces) if len(piece) > 1)
    mixed = [*pieces[:first], *reversed(pieces[first:]), "<|endoftext|>"]
    tokenizer = tokenizer_of(
        "x",
        bpe_metadata(
            "gpt-2",
            tokens=mixed,
            token_type=[1] * (len(mixed) - 1) + [3],
            eos_token_id=len(mixed) - 1,
            merges=[f"{left} {right}" for left, right in merges],
        ),
    )
    with pytest.raises(UsageError, match=r"it encodes '.+' as \[.+\], which from the file is \["):
        write(tmp_path / "out.bin", tokenizer)
    assert not list(tmp_path.iterdir())
