"""tokenizer.json and tokenizer.model in folders, as their own libraries read them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, normalizers

from rung.errors import FormatError, RungError, TokenizerError
from rung.tokenizers import TextStream, find_tokenizer, open_tokenizer
from vocabularies import TEXTS, byte_level_library, spm_model, trained_bpe


def spm_library() -> Tokenizer:
    """As Llama 2's: spaces become ▁, one is put first, what is unknown becomes bytes."""
    theirs = sentencepiece.SentencePieceProcessor(model_proto=spm_model())
    ids = {theirs.id_to_piece(i): i for i in range(len(theirs))}
    by_score = sorted(ids, key=lambda piece: -theirs.get_score(ids[piece]))
    merges = [
        (piece[:i], piece[i:])
        for piece in by_score
        if len(piece) > 1 and not piece.startswith("<")
        for i in range(1, len(piece))
        if piece[:i] in ids and piece[i:] in ids
    ]
    library = Tokenizer(
        models.BPE(ids, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    )
    library.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    library.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    library.add_special_tokens(["<unk>", "<s>", "</s>"])
    return library


def write(folder: Path, library: Tokenizer, **config: Any) -> Path:
    library.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture(scope="module")
def llama3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("llama3")
    write(folder, byte_level_library(), bos_token="<|begin|>", eos_token={"content": "<|eot_id|>"})
    return folder


def test_ids_are_those_of_the_library(llama3: Path) -> None:
    library = byte_level_library()
    tokenizer = open_tokenizer(llama3)
    n_plain = len(trained_bpe()[0])
    assert (tokenizer.bos_id, tokenizer.eos_id) == (n_plain, n_plain + 1)
    assert tokenizer.eos_ids == {n_plain + 1, n_plain + 2}
    for text in [*TEXTS, "a<|eot_id|>b<tool>c"]:
        assert tokenizer.encode(text, special=True) == library.encode(text).ids
        plain = tokenizer.encode(text)
        assert tokenizer.decode(plain) == text
        assert not set(plain[1:]) & tokenizer.special_ids
    assert tokenizer.decode(tokenizer.encode("a<|eot_id|>b<tool>", special=True)) == "ab<tool>"


def test_bos_only_where_the_file_or_its_settings_say_so(tmp_path: Path) -> None:
    n_plain = len(trained_bpe()[0])
    silent = write(tmp_path, byte_level_library(bos=False), bos_token="<|begin|>")
    assert open_tokenizer(silent).encode("a")[0] != n_plain
    assert open_tokenizer(silent).bos_id == n_plain
    write(tmp_path, byte_level_library(bos=False), bos_token="<|begin|>", add_bos_token=True)
    assert open_tokenizer(tmp_path).encode("a")[0] == n_plain


@settings(max_examples=200, deadline=None)
@given(text=st.text(max_size=30))
def test_every_text_comes_back(llama3: Path, text: str) -> None:
    tokenizer = _opened(llama3)
    assert tokenizer.decode(tokenizer.encode(text)) == text


_cache: dict[Path, Any] = {}


def _opened(folder: Path) -> Any:
    if folder not in _cache:
        _cache[folder] = open_tokenizer(folder)
    return _cache[folder]


def test_sentencepiece_in_json(tmp_path: Path) -> None:
    library = spm_library()
    write(tmp_path, library, bos_token="<s>", eos_token="</s>", add_bos_token=True)
    tokenizer = open_tokenizer(tmp_path)
    assert not tokenizer.joins
    for text in TEXTS:
        ids = tokenizer.encode(text)
        assert ids == [1, *library.encode(text, add_special_tokens=False).ids]
        stream = TextStream(tokenizer, context=ids[:1])
        pieces = [stream.push(token) for token in ids[1:]]
        assert "".join(pieces) + stream.flush() == text == library.decode(ids)


def test_settings_of_the_folder(tmp_path: Path) -> None:
    write(tmp_path, byte_level_library(), chat_template=[{"name": "default", "template": "A"}])
    (tmp_path / "generation_config.json").write_text('{"eos_token_id": [3, 4, -1, "x"]}')
    tokenizer = open_tokenizer(tmp_path)
    assert tokenizer.chat_template == "A"
    assert {3, 4} < tokenizer.eos_ids
    (tmp_path / "chat_template.jinja").write_text("B")
    assert open_tokenizer(tmp_path).chat_template == "B"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "content is refused"),
        ('{"model": 5}', "content is refused"),
        ("[]", "content is of no known format|text"),
    ],
)
def test_a_damaged_tokenizer_json(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "tokenizer.json").write_text(text)
    with pytest.raises(FormatError, match=message):
        open_tokenizer(tmp_path)


def test_damaged_settings(tmp_path: Path) -> None:
    write(tmp_path, byte_level_library())
    (tmp_path / "tokenizer_config.json").write_text("{")
    with pytest.raises(FormatError, match=r"tokenizer_config\.json: content is not JSON"):
        open_tokenizer(tmp_path)


def test_a_decoder_that_is_not_known(tmp_path: Path) -> None:
    library = byte_level_library()
    library.decoder = decoders.WordPiece()
    with pytest.raises(TokenizerError, match="its decoder is WordPiece; supported"):
        open_tokenizer(write(tmp_path, library))


def test_a_tokenizer_larger_than_the_embedding(llama3: Path) -> None:
    size = open_tokenizer(llama3).vocab_size
    assert open_tokenizer(llama3, size + 100).vocab_size == size
    with pytest.raises(TokenizerError, match=f"has {size - 1} tokens, the tokenizer has {size}$"):
        open_tokenizer(llama3, size - 1)


class TestSentencePieceModel:
    def folder(self, tmp_path: Path) -> Path:
        (tmp_path / "tokenizer.model").write_bytes(spm_model())
        return tmp_path

    def test_ids_are_those_of_the_library(self, tmp_path: Path) -> None:
        theirs = sentencepiece.SentencePieceProcessor(model_proto=spm_model())
        mine = open_tokenizer(self.folder(tmp_path))
        assert (mine.bos_id, mine.eos_ids, mine.vocab_size) == (1, frozenset({2}), 500)
        for text in TEXTS:
            ids = mine.encode(text)
            assert ids == [1, *theirs.encode(text)]
            assert mine.decode(ids) == text

    def test_tokens_that_were_added(self, tmp_path: Path) -> None:
        folder = self.folder(tmp_path)
        added = {"500": {"content": "<|end|>", "special": True}, "501": {"content": "<t>"}}
        settings_ = {"added_tokens_decoder": added, "eos_token": "<|end|>", "chat_template": "T"}
        (folder / "tokenizer_config.json").write_text(json.dumps(settings_))
        mine = open_tokenizer(folder)
        assert (mine.vocab_size, mine.eos_id, mine.chat_template) == (502, 500, "T")
        ids = mine.encode("a<|end|><t>", special=True)
        assert ids[-2:] == [500, 501]
        assert mine.decode(ids) == "a<t>"
        assert 500 not in mine.encode("a<|end|>")

    def test_without_the_library(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "sentencepiece", None)
        with pytest.raises(RungError, match=r'pip install "rung\[sentencepiece\]"'):
            open_tokenizer(self.folder(tmp_path))

    def test_a_damaged_file(self, tmp_path: Path) -> None:
        (tmp_path / "tokenizer.model").write_bytes(spm_model()[:2000])
        with pytest.raises(FormatError, match=r"tokenizer\.model: content is refused"):
            open_tokenizer(tmp_path)


def test_what_lies_in_a_folder_or_beside_a_model(tmp_path: Path) -> None:
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(b"x")
    assert find_tokenizer(tmp_path, 10) is None
    assert find_tokenizer(weights, 10) is None
    for name in ("tokenizer.model", "tokenizer.json"):
        (tmp_path / name).write_bytes(b"x")
        assert find_tokenizer(tmp_path, 10) == tmp_path / name
        assert find_tokenizer(weights, 10) == tmp_path / name
