"""Folders of shards: the same bytes each time, the whole folder or nothing."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from typing import Any

import numpy as np
import pytest

from rung.errors import DataError, FormatError, RungError, UsageError
from rung.formats.llmc import tokens as llmc_tokens
from rung.tokenizers import open_tokenizer
from rung.train.data import open_data
from rung.train.data.manifest import Manifest, read_manifest
from rung.train.data.prepare import Options, Vocabulary, prepare
from rung.train.data.sources import Reading, find_sources
from rung.train.data.tokenizer_files import tokenizer_of
from support import full_disk, tiny_vocabulary, write_tokenizer
from vocabularies import LINES, byte_level_library

DOCUMENTS = [f"{line} {i}" for i in range(8) for line in LINES]


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in DOCUMENTS))
    return path


@pytest.fixture
def vocabulary(tmp_path: Path) -> Vocabulary:
    folder = tmp_path / "tokenizer"
    folder.mkdir()
    byte_level_library().save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text('{"eos_token": "<|end_of_text|>"}')
    return Vocabulary(open_tokenizer(folder), folder / "tokenizer.json")


def made(
    text: Path, output: Path, vocabulary: Vocabulary | int, **options: Any
) -> tuple[Manifest, list[tuple[str, int, int, int]]]:
    seen: list[tuple[str, int, int, int]] = []
    manifest = prepare(
        find_sources([text]),
        output,
        Options(reading=Reading(), **options),
        vocabulary=vocabulary,
        progress=lambda *values: seen.append(values),
    )
    return manifest, seen


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_shards_hold_every_document(text: Path, tmp_path: Path, vocabulary: Vocabulary) -> None:
    output = tmp_path / "deep" / "out"
    manifest, seen = made(text, output, vocabulary, shard_tokens=1000)
    assert read_manifest(output / "manifest.json") == manifest
    data = open_data(output)
    assert data.manifest == manifest
    assert data.validation is not None
    tokenizer = vocabulary.tokenizer
    assert tokenizer is not None
    bos = tokenizer.bos_id
    sides = (np.concatenate(data.train.shards), np.concatenate(data.validation.shards))
    documents = [
        tokenizer.decode(part[1:]) for side in sides for part in np.split(side, _starts(side, bos))
        if part.size
    ]  # fmt: skip
    assert sorted(documents) == sorted(DOCUMENTS)
    assert sum(np.count_nonzero(side == bos) for side in sides) == len(DOCUMENTS)
    assert np.count_nonzero(sides[1] == bos) == round(len(DOCUMENTS) / 10)
    sizes = [shard.tokens for shard in manifest.of("train")]
    assert len(sizes) > 2
    assert set(sizes[:-1]) == {1000}
    for shard in manifest.shards:
        path = output / shard.name
        assert hashlib.sha256(path.read_bytes()).hexdigest() == shard.sha256
        assert llmc_tokens.read(path).tokens.max() == shard.largest
    assert sum(s.tokens for s in manifest.sources) == data.train.count + data.validation.count
    assert [(s.path, s.documents) for s in manifest.sources] == [(str(text), len(DOCUMENTS))]
    size_bytes = text.stat().st_size
    total = data.train.count + data.validation.count
    assert seen[-1] == ("encoding", size_bytes, size_bytes, total)


def _starts(ids: np.ndarray, bos: int | None) -> np.ndarray:
    return np.flatnonzero(ids == bos)


def test_the_tokenizer_comes_along(text: Path, tmp_path: Path, vocabulary: Vocabulary) -> None:
    output = tmp_path / "out"
    manifest, _ = made(text, output, vocabulary)
    assert manifest.tokenizer == "tokenizer.json"
    again = tokenizer_of(output, manifest)
    assert again is not None
    assert vocabulary.tokenizer is not None
    assert again.encode(LINES[0]) == vocabulary.tokenizer.encode(LINES[0])
    assert again.eos_id == vocabulary.tokenizer.eos_id
    path = write_tokenizer(tmp_path / "their.bin", *tiny_vocabulary())
    other = Vocabulary(open_tokenizer(path, 300), path)
    manifest, _ = made(text, output, other, replace=True)
    assert (manifest.tokenizer, manifest.vocab_size) == ("tokenizer.bin", 300)
    assert not (output / "tokenizer.json").exists()
    again = tokenizer_of(output, manifest)
    assert again is not None
    assert again.vocab_size == 300


def test_a_trained_tokenizer_gives_the_same_bytes_each_time(text: Path, tmp_path: Path) -> None:
    manifest, seen = made(text, tmp_path / "a", 400, llmc_tokenizer=True)
    made(text, tmp_path / "b", 400, llmc_tokenizer=True)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert sorted(contents(tmp_path / "a")) == [
        "gpt2_tokenizer.bin",
        "manifest.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "train_000000.bin",
        "val_000000.bin",
    ]
    assert {stage for stage, *_ in seen} == {"training the tokenizer", "encoding"}
    tokenizer = open_tokenizer(tmp_path / "a")
    assert (tokenizer.vocab_size, tokenizer.bos_id, tokenizer.eos_id) == (400, 0, 0)
    assert open_data(tmp_path / "a").train.shards[0][0] == 0
    other = open_tokenizer(tmp_path / "a" / "gpt2_tokenizer.bin")
    for line in LINES:
        ids = tokenizer.encode(line, bos=False)
        assert tokenizer.decode(ids) == line
        assert other.encode(line, bos=False) == ids
    assert manifest.separator == "bos"
    with pytest.raises(UsageError, match="--train-tokenizer is 256, expected 257 to"):
        made(text, tmp_path / "c", 256)
    assert not (tmp_path / "c").exists()


def test_shards_made_of_shards(text: Path, tmp_path: Path) -> None:
    made(text, tmp_path / "a", 300)
    manifest, _ = made(tmp_path / "a", tmp_path / "b", Vocabulary(), validation=0.0)
    before = open_data(tmp_path / "a")
    assert before.validation is not None
    assert manifest.tokenizer == ""
    assert tokenizer_of(tmp_path / "b", manifest) is None
    assert [s.split for s in manifest.shards] == ["train"]
    after = open_data(tmp_path / "b").train.shards[0]
    shards = (*before.train.shards, *before.validation.shards)
    assert np.array_equal(after, np.concatenate(shards))
    with pytest.raises(UsageError, match="is text: give --tokenizer or --train-tokenizer"):
        made(text, tmp_path / "c", Vocabulary())
    with pytest.raises(UsageError, match="--llmc-tokenizer needs --tokenizer"):
        made(tmp_path / "a", tmp_path / "c", Vocabulary(), llmc_tokenizer=True)


def test_validation_from_elsewhere(text: Path, tmp_path: Path, vocabulary: Vocabulary) -> None:
    apart = tmp_path / "val.txt"
    apart.write_text("one short line")
    sources = tuple(find_sources([apart]))
    made(text, tmp_path / "out", vocabulary, validation_sources=sources)
    data = open_data(tmp_path / "out")
    assert vocabulary.tokenizer is not None
    assert data.validation is not None
    assert vocabulary.tokenizer.decode(data.validation.shards[0][1:]) == "one short line"
    assert np.count_nonzero(data.train.shards[0] == vocabulary.tokenizer.bos_id) == len(DOCUMENTS)


def test_too_little_text(tmp_path: Path, vocabulary: Vocabulary) -> None:
    text = tmp_path / "x.jsonl"
    text.write_text('{"text": "one"}\n{"text": "two"}\n')
    with pytest.raises(DataError, match="no document came to validation; give more text"):
        made(text, tmp_path / "out", vocabulary)
    made(text, tmp_path / "out", vocabulary, validation=0.0)
    text.write_text('{"text": ""}\n')
    with pytest.raises(DataError, match="there is no text to train with"):
        made(text, tmp_path / "other", vocabulary)
    with pytest.raises(DataError, match="no text to train a tokenizer with"):
        made(text, tmp_path / "other", 300)
    assert not (tmp_path / "other").exists()


def test_only_what_was_made_here_is_replaced(
    text: Path, tmp_path: Path, vocabulary: Vocabulary
) -> None:
    output = tmp_path / "out"
    output.mkdir()
    made(text, output, vocabulary)  # an empty folder may be there
    with pytest.raises(UsageError, match="exists already; --force replaces it"):
        made(text, output, vocabulary)
    (output / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"holds notes\.txt, which is not of it"):
        made(text, output, vocabulary, replace=True)
    (output / "notes.txt").unlink()
    (output / "manifest.json").unlink()
    with pytest.raises(UsageError, match="holds other files; give the name of a new folder"):
        made(text, output, vocabulary, replace=True)
    with pytest.raises(UsageError, match="is a file; give the name of a folder"):
        made(text, text, vocabulary, replace=True)
    assert (output / "train_000000.bin").exists()


@pytest.mark.parametrize("what", ["interrupt", "disk", "text"])
def test_a_failure_leaves_what_was_there(
    text: Path,
    tmp_path: Path,
    vocabulary: Vocabulary,
    what: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    output = tmp_path / "out"
    made(text, output, vocabulary)
    before, names = contents(output), sorted(path.name for path in tmp_path.iterdir())

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    options = Options(reading=Reading(), shard_tokens=1000, replace=True)
    sources = find_sources([text])
    if what == "interrupt":
        with pytest.raises(KeyboardInterrupt):
            prepare(sources, output, options, vocabulary=vocabulary, progress=fail)
    elif what == "disk":
        with full_disk(monkeypatch), pytest.raises(RungError) as caught:
            made(text, output, vocabulary, replace=True)
        expected = f"{output}/tokenizer.json cannot be written (No space left on device)"
        assert str(caught.value).startswith(expected)
    else:
        options = replace(options, reading=Reading(field="body"))
        with pytest.raises(FormatError, match="field 'body' is missing"):
            prepare(sources, output, options, vocabulary=vocabulary, progress=lambda *values: None)
    assert contents(output) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == names


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "other"}, "format is other, expected rung data"),
        ({"version": 2}, "version is 2, expected a whole number from 1 to 1"),
        ({"vocab_size": 0}, "vocab_size is 0"),
        ({"shards": []}, "shards is without one for training"),
        ({"shards": [3]}, r"shards\[0\] is 3, expected an object"),
        ({"name": "../x"}, r"shards\[0\]\.name is \.\./x, expected a file in the same folder"),
        ({"split": "test"}, r"shards\[0\]\.split is test, expected train or val"),
        ({"tokens": 5}, "count is [0-9,]+, expected 5, as manifest.json says"),
        ({"name": "val_000000.bin"}, "shards is the same name twice"),
        ({"name": "gone.bin"}, r"gone\.bin: file is missing"),
    ],
)
def test_damaged_manifests(
    text: Path, tmp_path: Path, vocabulary: Vocabulary, change: dict[str, Any], message: str
) -> None:
    made(text, tmp_path / "out", vocabulary)
    path = tmp_path / "out" / "manifest.json"
    values = json.loads(path.read_text())
    (values if change.keys() <= values.keys() else values["shards"][0]).update(change)
    path.write_text(json.dumps(values))
    with pytest.raises(FormatError, match=message):
        open_data(tmp_path / "out")


def test_the_vocabulary_is_known_before(text: Path, tmp_path: Path, vocabulary: Vocabulary) -> None:
    manifest, _ = made(text, tmp_path / "out", vocabulary)
    data = open_data(tmp_path / "out")
    data.check_vocabulary(manifest.largest + 1)
    with pytest.raises(DataError, match=f"token {manifest.largest} does not fit the model"):
        data.check_vocabulary(manifest.largest)


def test_numbers_out_of_range() -> None:
    with pytest.raises(UsageError, match="--shard-tokens is 0"):
        Options(reading=Reading(), shard_tokens=0)
    with pytest.raises(UsageError, match="--val is 1"):
        Options(reading=Reading(), validation=1)


def test_ctrl_c_is_heard_while_a_tokenizer_is_trained(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[str] = []
    released = Event()

    def interrupted(self: Thread, timeout: float | None = None) -> None:
        taken.append("interrupted")
        raise KeyboardInterrupt

    def seen(*_: object) -> None:
        released.wait(10)  # the library asks for the next text only when Ctrl-C has come

    monkeypatch.setattr(Thread, "join", interrupted)
    with pytest.raises(KeyboardInterrupt):
        prepare(
            find_sources([text]),
            tmp_path / "out",
            Options(reading=Reading()),
            vocabulary=300,
            progress=seen,
        )
    released.set()
    assert taken == ["interrupted"]
    assert not (tmp_path / "out").exists()


def test_a_mistake_in_a_later_line_is_told_while_a_tokenizer_is_trained(
    text: Path, tmp_path: Path
) -> None:
    text.write_text(text.read_text() + '{"body": 1}\n')
    with pytest.raises(FormatError, match="field 'text' is missing"):
        made(text, tmp_path / "out", 300)
    assert list(tmp_path.iterdir()) == [text]
