"""Tokenizers written into GGUF files: text has the same tokens as before, here and in llama.cpp."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rung.formats import gguf
from rung.formats.gguf.write import write
from rung.tokenizers import Tokenizer, open_tokenizer
from rung.tokenizers.gguf_vocab import TokenType
from support import tiny_checkpoint

TEXTS = (
    "Once upon a time, there was a little girl.",
    " The  sun\n\n  shone: 3.14159, 1000000!",
    "Grüße, 日本語 und 🙂‍↔️…",
    "<s>she'll</s> <|im_end|> we've\t tabs",
    "",
    "x",
)
CORPUS = [*TEXTS, "the sun and the girl and the time", "hello hello 12 123 1234"] * 20
QWEN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def byte_level(folder: Path, splits: list[Any], *, vocab_size: int = 400) -> Tokenizer:
    """A byte-level tokenizer.json whose text is split by `splits`, trained on a few lines."""
    from tokenizers import AddedToken, decoders, models, pre_tokenizers, trainers
    from tokenizers import Tokenizer as Library

    library = Library(models.BPE())
    library.pre_tokenizer = pre_tokenizers.Sequence(splits)
    library.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size, initial_alphabet=alphabet, show_progress=False
    )
    library.train_from_iterator(CORPUS, trainer)
    library.add_special_tokens(["<|endoftext|>", "<|im_end|>"])
    library.add_tokens([AddedToken("<tool>", special=False)])
    folder.mkdir()
    library.save(str(folder / "tokenizer.json"))
    settings = {"eos_token": "<|im_end|>", "chat_template": "{{ messages[0].content }}"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return open_tokenizer(folder)


def splits_of(name: str) -> list[Any]:
    from tokenizers import Regex, pre_tokenizers

    bytes_only = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    words = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    return {
        "gpt-2": [words],
        "qwen2": [pre_tokenizers.Split(Regex(QWEN), "isolated"), bytes_only],
        "smollm": [pre_tokenizers.Digits(individual_digits=True), words],
        "none": [pre_tokenizers.Split(Regex("[a-z]+"), "isolated"), bytes_only],
    }[name]


def written(folder: Path, vocab_size: int) -> Path:
    """A GGUF file of a random model whose folder has a tokenizer."""
    path = folder.with_suffix(".gguf")
    write(path, replace(tiny_checkpoint(vocab_size=vocab_size), path=folder))
    return path


def same_tokens(before: Tokenizer, path: Path) -> None:
    """Checks Rung's tokenizer of a GGUF file, and llama.cpp's where it is there."""
    after = open_tokenizer(path)
    for text in TEXTS:
        ids = before.encode(text, bos=False)
        assert after.encode(text, bos=False) == ids
        special = before.encode(text, bos=False, special=True)
        assert after.encode(text, bos=False, special=True) == special
    try:
        import llama_cpp
    except ImportError:
        return
    model = llama_cpp.Llama(str(path), vocab_only=True, verbose=False)
    for text in TEXTS:
        assert model.tokenize(text.encode(), add_bos=False) == before.encode(text, bos=False)
    model.close()


@pytest.mark.parametrize("name", ["gpt-2", "qwen2", "smollm"])
def test_byte_level_pairs(tmp_path: Path, name: str) -> None:
    before = byte_level(tmp_path / "model", splits_of(name))
    path = written(tmp_path / "model", before.vocab_size + 9)
    metadata = gguf.read_metadata(path)
    assert metadata["tokenizer.ggml.pre"] == name
    assert metadata["tokenizer.ggml.eos_token_id"] == before.eos_id
    assert metadata["tokenizer.chat_template"] == "{{ messages[0].content }}"
    assert metadata.count("tokenizer.ggml.tokens") == before.vocab_size + 9
    kinds = metadata["tokenizer.ggml.token_type"].tolist()
    assert (
        kinds[-13:]
        == [TokenType.NORMAL, *[TokenType.CONTROL] * 2, TokenType.USER_DEFINED]
        + [TokenType.UNUSED] * 9
    )
    same_tokens(before, path)


def test_a_split_without_a_name_leaves_the_tokenizer_out(tmp_path: Path) -> None:
    before = byte_level(tmp_path / "model", splits_of("none"))
    path = written(tmp_path / "model", before.vocab_size)
    assert gguf.read_metadata(path)["tokenizer.ggml.model"] == "no_vocab"


def test_sentencepiece_models(tmp_path: Path, data_folder: Path) -> None:
    pytest.importorskip("sentencepiece")
    folder = tmp_path / "model"
    folder.mkdir()
    shutil.copy(data_folder / "llama2_tokenizer.model", folder / "tokenizer.model")
    before = open_tokenizer(folder)
    path = written(folder, before.vocab_size)
    found = gguf.read_metadata(path)
    expected = gguf.read_metadata(data_folder / "ggml-vocab-llama-spm.gguf")
    for name in ("model", "pre", "tokens", "scores", "token_type"):
        ours, theirs = (list(m[f"tokenizer.ggml.{name}"]) for m in (found, expected))
        assert ours == theirs
    same_tokens(before, path)


def test_sentencepiece_pairs_of_a_tokenizer_json(tmp_path: Path) -> None:
    from tokenizers import SentencePieceBPETokenizer

    library = SentencePieceBPETokenizer(add_prefix_space=True)
    library.train_from_iterator(CORPUS, vocab_size=200, show_progress=False)
    folder = tmp_path / "model"
    folder.mkdir()
    library.save(str(folder / "tokenizer.json"))
    before = open_tokenizer(folder)
    path = written(folder, before.vocab_size)
    metadata = gguf.read_metadata(path)
    assert metadata["tokenizer.ggml.model"] == "llama"
    assert metadata["tokenizer.ggml.add_space_prefix"] is True
    after = open_tokenizer(path)
    for text in ("Once upon a time", "the sun and the girl", "hello 123"):
        assert after.encode(text, bos=False) == before.encode(text, bos=False)
