"""The tokenizer of a checkpoint: inside it, beside it, or named; and one without a model."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rung.engine.vocabulary import checkpoint_tokenizer, tokenizer_at
from rung.errors import TokenizerError
from support import tiny_checkpoint, tiny_vocabulary, write_tokenizer
from vocabularies import bpe_metadata, spm_metadata, spm_model


def test_inside_the_file_before_beside_it(tmp_path):
    checkpoint = replace(tiny_checkpoint(), path=tmp_path / "model.gguf")
    with pytest.raises(TokenizerError, match="no tokenizer with 300 tokens lies in it or beside"):
        checkpoint_tokenizer(checkpoint)
    beside = write_tokenizer(tmp_path / "tokenizer.bin", *tiny_vocabulary())
    assert checkpoint_tokenizer(checkpoint).vocab_size == 300
    inside = replace(checkpoint, metadata=spm_metadata(spm_model()))
    size = 500
    large = replace(inside, config=tiny_checkpoint(vocab_size=size + 12).config)
    assert checkpoint_tokenizer(large).vocab_size == size
    with pytest.raises(TokenizerError, match=r"vocabulary has 300 tokens, the tokenizer has 500$"):
        checkpoint_tokenizer(inside)
    assert checkpoint_tokenizer(inside, beside).vocab_size == 300


def test_a_file_that_says_it_has_no_tokenizer_is_not_asked(tmp_path):
    metadata = bpe_metadata() | {"tokenizer.ggml.model": "no_vocab"}
    checkpoint = replace(tiny_checkpoint(), path=tmp_path / "model.gguf", metadata=metadata)
    write_tokenizer(tmp_path / "tokenizer.bin", *tiny_vocabulary())
    assert checkpoint_tokenizer(checkpoint).vocab_size == 300


def test_a_tokenizer_that_is_no_models(tmp_path):
    (tmp_path / "tokenizer.model").write_bytes(spm_model())
    beside = write_tokenizer(tmp_path / "tokenizer.bin", *tiny_vocabulary())
    assert tokenizer_at(tmp_path).vocab_size == 500
    assert tokenizer_at(beside).vocab_size == 300
    assert tokenizer_at(beside, tokenizer=tmp_path / "tokenizer.model").vocab_size == 500
