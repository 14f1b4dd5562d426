"""Text files, JSONL and folders as documents; pieces that change no token; what is set apart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rung.errors import DataError, FormatError, TokenizerError, UsageError
from rung.formats.llmc import tokens as llmc_tokens
from rung.tokenizers import Tokenizer, open_tokenizer
from rung.tokenizers.gguf_vocab import tokenizer_of
from rung.train.data import sources as sources_module
from rung.train.data.encode import encoded, in_memory, separation
from rung.train.data.sources import Piece, Reading, find_sources, pieces
from rung.train.data.split import LONG, Splitter
from support import tiny_vocabulary, write_tokenizer
from vocabularies import LINES, bpe_metadata, byte_level_library

TEXT = "\n".join(LINES) + "\n\nA line.\n\n\nAnother!\r\nAnd  two   more.\n"


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return path


def found(path: Path, fraction: float = 0.0, *, only: bool = False, **reading: Any) -> list[Piece]:
    splitter = Splitter(fraction, only=only)
    options = Reading(**reading)
    return [p for source in find_sources([path]) for p in pieces(source, options, splitter)]


def texts(found: list[Piece], *, validation: bool = False) -> list[str]:
    """Whole documents, or what of them is on one side."""
    result: list[str] = []
    for piece in found:
        if piece.validation is validation:
            if piece.starts or not result:
                result.append("")
            result[-1] += piece.text
    return result


def test_a_folder_gives_its_files_in_order(tmp_path: Path) -> None:
    for name in ("b.txt", "a/z.md", "a/c.JSONL", ".hidden/x.txt", "x.py", "a/.b.txt"):
        write(tmp_path / name, '{"text": "x"}')
    write(tmp_path / "empty.txt", "")
    write(tmp_path / "other.bin", "not tokens")
    llmc_tokens.write(tmp_path / "tokens.bin", np.arange(3))
    sources = find_sources([tmp_path, tmp_path / "x.py"])
    assert [(s.path.name, s.kind) for s in sources] == [
        ("c.JSONL", "jsonl"),
        ("z.md", "text"),
        ("b.txt", "text"),
        ("tokens.bin", "shard"),
        ("x.py", "text"),
    ]
    with pytest.raises(DataError, match=r"holds no text: no file of \.txt, \.md, \.jsonl, "):
        find_sources([write(tmp_path / "none" / "x.py", "x").parent])
    with pytest.raises(FormatError, match="nowhere: file is missing"):
        find_sources([tmp_path / "nowhere"])
    with pytest.raises(FormatError, match=r"empty\.txt: file is empty"):
        find_sources([tmp_path / "empty.txt"])


def test_a_text_file_is_one_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "text.txt", "\ufeff" + TEXT)
    monkeypatch.setattr(sources_module, "_BLOCK_BYTES", 7)  # cuts characters
    cut = found(path, piece=10)
    assert texts(cut) == [TEXT]
    assert len(cut) > 20
    assert [p.starts for p in cut] == [True] + [False] * (len(cut) - 1)
    assert [p.ends for p in cut] == [False] * (len(cut) - 1) + [True]
    assert cut[-1].size_bytes == path.stat().st_size
    assert len(found(path, whole=True)) == 1


@pytest.mark.parametrize("fraction", [0.1, 0.33, 0.9])
def test_the_end_of_a_single_file_is_set_apart(tmp_path: Path, fraction: float) -> None:
    path = write(tmp_path / "text.txt", TEXT)
    cut = found(path, fraction, only=True)
    (train,), (val,) = texts(cut), texts(cut, validation=True)
    assert train + val == TEXT
    assert abs(len(val.encode()) - fraction * path.stat().st_size) <= 4  # a character
    assert [p.ends for p in cut] == [False, True]


def test_documents_between_separators(tmp_path: Path) -> None:
    path = write(tmp_path / "text.txt", "<E>\n one <E>two\nlines<E><E> \n<E>three")
    for block in (1, 4, 1 << 20):
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(sources_module, "_BLOCK_BYTES", block)
            cut = found(path, split_at="<E>")
        assert texts(cut) == ["one", "two\nlines", "three"]
        assert all(p.starts and p.ends for p in cut)


def test_jsonl(tmp_path: Path) -> None:
    lines = [{"id": 1, "text": "one\n"}, {"text": ""}, {"text": "zwei ü 日本"}]
    path = write(tmp_path / "x.jsonl", "\n".join(map(json.dumps, lines)) + "\n\n")
    assert texts(found(path)) == ["one\n", "zwei ü 日本"]
    for line, message in (
        ('{"body": 1}', r"line 5, field 'text' is missing \(fields: body\), expected text; see"),
        ('{"text": 1}', "line 5, field 'text' is a JSON int"),
        ("[1]", "line 5 is a JSON list"),
        ("{oops", "line 5 is not JSON"),
        ('{"text": "\\ud800x"}', "line 5 is half a character"),
        ("[" * 100_000, "line 5 is not JSON"),
    ):
        bad = write(tmp_path / "bad.jsonl", path.read_text() + line)
        with pytest.raises(FormatError, match=message):
            found(bad)


def test_what_is_not_utf8_is_told_by_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.txt"
    path.write_bytes("日本".encode() * 5 + b"\xff...")
    for block in (1, 4, 1 << 20):
        monkeypatch.setattr(sources_module, "_BLOCK_BYTES", block)
        with pytest.raises(FormatError, match=r"byte 30 is not UTF-8 \(0xff\), expected text"):
            found(path)
    path.write_bytes("日本".encode()[:-1])
    with pytest.raises(FormatError, match=r"byte 3 is not UTF-8 \(0xe6\)"):
        found(path)


def test_which_documents_are_set_apart() -> None:
    splitter = Splitter(0.1)
    assert [i for i in range(40) if splitter.cut(10) == 0] == [4, 14, 24, 34]
    assert splitter.cut(LONG) == LONG - 6554
    assert Splitter(0.1, only=True).cut(30) == 27
    none = Splitter(0.0)
    assert all(none.cut(size) == size for size in (1, 10, LONG))
    for wrong in (1.0, -0.1, float("nan")):
        with pytest.raises(UsageError, match="--val is"):
            Splitter(wrong)


PRES = ("gpt-2", "llama-bpe", "qwen2", "tekken", "gpt-4o")


def tokenizer_named(name: str, folder: Path) -> Tokenizer:
    if name in PRES:
        return tokenizer_of("x", bpe_metadata(name))
    return open_tokenizer(write_tokenizer(folder / "tokenizer.bin", *tiny_vocabulary()), 300)


@pytest.mark.parametrize("name", [*PRES, "llama2.c"])
def test_pieces_change_no_token(tmp_path: Path, name: str) -> None:
    tokenizer = tokenizer_named(name, tmp_path)
    path = write(tmp_path / "text.txt", TEXT)
    reading = Reading(piece=40)
    assert len(found(path, piece=40)) > 10
    data = in_memory(
        find_sources([path]), tokenizer, reading=reading, validation=0.0, separator="none"
    )
    assert data.train.shards[0].tolist() == tokenizer.encode(TEXT, bos=False)
    assert data.validation is None


def test_real_text_in_pieces(data_folder: Path) -> None:
    path = data_folder / "tinyshakespeare.txt"
    tokenizer = open_tokenizer(data_folder / "ggml-vocab-gpt-2.gguf")
    data = in_memory(find_sources([path]), tokenizer, separator="none")
    assert data.validation is not None
    assert (data.train.count, data.validation.count) == (301_966, 36_059)  # as nanoGPT has it


@pytest.mark.parametrize(
    ("separator", "expected"),
    [("auto", [1, 9, 1, 8]), ("eos", [9, 2, 8, 2]), ("both", [1, 9, 2, 1, 8, 2]), ("none", [9, 8])],
)
def test_what_stands_between_documents(tmp_path: Path, separator: str, expected: list[int]) -> None:
    path = write(tmp_path / "x.txt", "\x06|\x05")  # bytes 6 and 5: tokens 9 and 8
    tokenizer = tokenizer_named("llama2.c", tmp_path)
    space = tokenizer.encode("\x06", bos=False)[:-1]
    data = in_memory(
        find_sources([path]),
        tokenizer,
        reading=Reading(split_at="|"),
        validation=0.0,
        separator=separator,
    )
    ids = [token for token in data.train.shards[0].tolist() if token not in space]
    assert ids == expected


def test_separators_that_cannot_be(tmp_path: Path) -> None:
    tokenizer = tokenizer_named("gpt-2", tmp_path)
    tokenizer.bos_id = None
    assert separation(tokenizer, "auto").name == "eos"
    with pytest.raises(UsageError, match="the tokenizer has no token that begins a text"):
        separation(tokenizer, "both")
    tokenizer.eos_id = None
    assert separation(tokenizer, "auto").name == "none"
    with pytest.raises(UsageError, match="--separator is 'x', expected one of auto, bos, eos"):
        separation(tokenizer, "x")


def test_shards_are_taken_as_they_are(tmp_path: Path) -> None:
    llmc_tokens.write(tmp_path / "tokens.bin", np.arange(290, 310))
    sources = find_sources([tmp_path / "tokens.bin"])
    parts = list(encoded(sources, None, reading=Reading(), splitter=Splitter(0.25)))
    assert [part.ids.tolist() for part in parts] == [[*range(290, 305)], [*range(305, 310)]]
    assert [part.validation for part in parts] == [False, True]
    tokenizer = tokenizer_named("llama2.c", tmp_path)
    with pytest.raises(DataError, match="token 304 is not in the tokenizer, which has 300"):
        in_memory(sources, tokenizer, validation=0.25)


def test_nothing_to_train_with(tmp_path: Path) -> None:
    path = write(tmp_path / "x.jsonl", '{"text": ""}')
    tokenizer = tokenizer_named("llama2.c", tmp_path)
    with pytest.raises(DataError, match="no text to train with in "):
        in_memory(find_sources([path]), tokenizer)


@pytest.mark.parametrize("name", ["tokenizer.json", "qwen2", "llama2.c"])
def test_many_pieces_are_encoded_as_each_alone(tmp_path: Path, name: str) -> None:
    if name == "tokenizer.json":
        byte_level_library().save(str(tmp_path / name))
        tokenizer = open_tokenizer(tmp_path)
    else:
        tokenizer = tokenizer_named(name, tmp_path)
    texts = [*LINES, "", "a<tool>b  \n", "<|begin|>"]
    pieces = [(text, i % 2 == 1) for i, text in enumerate(texts)]
    one = [tokenizer.encode(text, bos=False, joined=joined) for text, joined in pieces]
    assert tokenizer.encode_pieces(pieces) == one
    with pytest.raises(TokenizerError, match="half a character"):
        tokenizer.encode_pieces([("\ud800", False)])
