"""Tokenizers from GGUF metadata: real vocabularies, other implementations, damaged fields."""

from __future__ import annotations

import json
import time
import unicodedata
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st

from rung.errors import FormatError, RungError, TokenizerError
from rung.tokenizers import TextStream, open_tokenizer
from rung.tokenizers.base import Tokenizer
from rung.tokenizers.byte_level import ALPHABET
from rung.tokenizers.gguf_vocab import tokenizer_of
from rung.tokenizers.splitting import SPLITTINGS
from vocabularies import TEXTS, bpe_metadata, spm_metadata, spm_model, trained_bpe

SPM = spm_model()


@pytest.mark.parametrize("name", ["gpt-2", "llama-spm"])
def test_the_published_ids(data_folder: Path, name: str) -> None:
    path = data_folder / f"ggml-vocab-{name}.gguf"
    texts = Path(f"{path}.inp").read_bytes().decode().split("\n__ggml_vocab_test__\n")
    lines = Path(f"{path}.out").read_text().split("\n")
    tokenizer = open_tokenizer(path)
    assert len(texts) == len(lines) > 40
    for text, line in zip(texts, lines, strict=True):
        ids = tokenizer.encode(text, bos=False)
        assert ids == [int(token) for token in line.split()], text
        assert tokenizer.decode(ids) == text


@pytest.mark.parametrize("name", ["gpt-2", "llama-spm"])
def test_a_long_text_comes_back(data_folder: Path, name: str) -> None:
    tokenizer = open_tokenizer(data_folder / f"ggml-vocab-{name}.gguf")
    text = (data_folder / "tinyshakespeare.txt").read_text()[:100_000]
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_a_real_spm_vocabulary_agrees_with_sentencepiece(data_folder: Path) -> None:
    mine = open_tokenizer(data_folder / "ggml-vocab-llama-spm.gguf")
    theirs = open_tokenizer(data_folder / "llama2_tokenizer.model")
    assert (mine.vocab_size, mine.bos_id, mine.eos_ids) == (32000, 1, frozenset({2}))
    assert (theirs.vocab_size, theirs.bos_id, theirs.eos_ids) == (32000, 1, frozenset({2}))
    for text in TEXTS:
        for special in (True, False):
            line = f"{text}</s>[INST] {text}"
            assert mine.encode(line, special=special) == theirs.encode(line, special=special)


class TestByteLevel:
    tokenizer = tokenizer_of("x.gguf", bpe_metadata("qwen2"))
    n_plain = len(trained_bpe()[0])

    @settings(max_examples=300, deadline=None)
    @given(text=st.text(max_size=40))
    def test_every_text_comes_back(self, text: str) -> None:
        # With special=True a control token that the text spells would rightly add no text.
        for special in (False, "<|" not in text):
            assert self.tokenizer.decode(self.tokenizer.encode(text, special=special)) == text

    def test_special_tokens(self) -> None:
        end, start, turn_end, tool, spaces = range(self.n_plain, self.n_plain + 5)
        tokenizer = self.tokenizer
        text = "<|im_start|>a<|im_end|>"
        ids = tokenizer.encode(text, special=True)
        assert (ids[0], ids[-1], len(ids)) == (start, turn_end, 3)
        assert tokenizer.decode(ids) == "a"
        plain = tokenizer.encode(text)
        assert not set(plain) & {end, start, turn_end}
        assert tokenizer.decode(plain) == text
        # Tokens that users defined are found in any text.
        assert tokenizer.encode("x<tool>  \ny")[1:3] == [tool, spaces]
        assert tokenizer.decode([tool, spaces]) == "<tool>  \n"
        assert tokenizer.special_ids == {end, start, turn_end}

    def test_ends_and_beginnings(self) -> None:
        assert self.tokenizer.bos_id == self.n_plain
        assert self.tokenizer.eos_id == self.n_plain + 2
        assert self.tokenizer.eos_ids == {self.n_plain, self.n_plain + 2}
        assert self.tokenizer.encode("a") == self.tokenizer.encode("a", bos=False)
        with_bos = tokenizer_of("x", bpe_metadata("qwen2", add_bos_token=True))
        assert with_bos.encode("a") == [self.n_plain, *self.tokenizer.encode("a")]
        assert tokenizer_of("x", bpe_metadata("llama-bpe")).encode("")[:1] == [self.n_plain]

    def test_a_stream_holds_back_half_characters(self) -> None:
        ids = self.tokenizer.encode("a🫥b")
        stream = TextStream(self.tokenizer)
        assert "".join(stream.push(token) for token in ids) == "a🫥b"
        assert all("\ufffd" not in stream.push(token) for token in ids)

    def test_rows_that_pad_the_embedding_add_nothing(self) -> None:
        assert self.tokenizer.decode([self.tokenizer.vocab_size + 3]) == ""
        with pytest.raises(TokenizerError, match="not in the vocabulary"):
            self.tokenizer.token_bytes(self.tokenizer.vocab_size)

    @pytest.mark.parametrize("name", SPLITTINGS)
    def test_every_pre_tokenizer_keeps_every_text(self, name: str) -> None:
        tokenizer = tokenizer_of("x", bpe_metadata(name))
        for text in TEXTS:
            assert tokenizer.decode(tokenizer.encode(text)) == text

    def test_whole_words_come_before_merges(self) -> None:
        # " zq" can be no product of merges here, for nothing merges z and q.
        metadata = bpe_metadata("llama-bpe")
        metadata["tokenizer.ggml.tokens"].append("Ġzq")
        metadata["tokenizer.ggml.token_type"].append(1)
        last = len(metadata["tokenizer.ggml.tokens"]) - 1
        assert tokenizer_of("x", metadata).encode(" zq", bos=False) == [last]
        metadata["tokenizer.ggml.pre"] = "qwen2"
        assert last not in tokenizer_of("x", metadata).encode(" zq")

    def test_a_missing_byte_is_told_not_left_out(self) -> None:
        metadata = bpe_metadata()
        places = metadata["tokenizer.ggml.tokens"]
        q = next(c for c, byte in ALPHABET.items() if byte == ord("~"))
        places[places.index(q)] = "[nothing]"
        metadata["tokenizer.ggml.merges"] = []
        tokenizer = tokenizer_of("x", metadata)
        assert tokenizer.decode(tokenizer.encode("abc")) == "abc"
        with pytest.raises(TokenizerError, match="no token for byte 0x7e"):
            tokenizer.encode("a~c")

    def test_phi_3_takes_white_space_along(self) -> None:
        metadata = bpe_metadata() | {"general.name": "Phi-3 mini"}
        tokenizer = tokenizer_of("x", metadata)
        ids = tokenizer.encode("<|im_end|> \n a<|endoftext|> ", special=True)
        assert tokenizer.decode(ids) == "a "


def test_gpt2_and_qwen2_agree_with_transformers(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    pieces, merges = trained_bpe()
    pieces = [*pieces, "<|endoftext|>"]
    vocabulary, merge_list = tmp_path / "vocab.json", tmp_path / "merges.txt"
    vocabulary.write_text(json.dumps({piece: token for token, piece in enumerate(pieces)}))
    lines = ["#version: 0.2", *(f"{left} {right}" for left, right in merges)]
    merge_list.write_text("\n".join([*lines, ""]))
    for kind, pre in (
        (transformers.GPT2Tokenizer, "gpt-2"),
        (transformers.Qwen2Tokenizer, "qwen2"),
    ):
        theirs = kind(str(vocabulary), str(merge_list))
        mine = tokenizer_of("x", bpe_metadata(pre, **_without_specials(pieces)))
        for text in TEXTS:
            if pre == "qwen2":  # theirs composes accents first, which a GGUF file cannot say
                text = unicodedata.normalize("NFC", text)
            assert mine.encode(text) == theirs.encode(text), text


def _without_specials(pieces: list[str]) -> dict[str, Any]:
    return {"tokens": pieces, "token_type": [1] * (len(pieces) - 1) + [3]}


class TestSentencePiece:
    theirs = sentencepiece.SentencePieceProcessor(model_proto=SPM)
    mine = tokenizer_of("x", spm_metadata(SPM))

    @settings(max_examples=300, deadline=None)
    @given(text=st.one_of(st.text(max_size=40), st.text("the qo😁é日\n ▁", max_size=40)))
    def test_any_text_is_what_sentencepiece_makes_of_it(self, text: str) -> None:
        ids = self.mine.encode(text, bos=False)
        if "\0" not in text:  # which ends a text there
            assert ids == self.theirs.encode(text)
        assert self.mine.decode(ids) == text.replace("▁", " ")

    def test_chosen_texts(self) -> None:
        for text in TEXTS:
            assert self.mine.encode(text) == [1, *self.theirs.encode(text)]

    def test_unused_pieces_are_taken_apart(self) -> None:
        text = "The quick brown fox"
        metadata = spm_metadata(SPM)
        whole = self.theirs.encode(text)
        longest = max(whole, key=lambda token: len(self.theirs.id_to_piece(token)))
        metadata["tokenizer.ggml.token_type"][longest] = 5
        mine = tokenizer_of("x", metadata)
        ids = mine.encode(text, bos=False)
        assert longest not in ids
        assert mine.decode(ids) == text
        # The rest is as it was: only that piece has become several.
        place = whole.index(longest)
        assert ids[:place] == whole[:place]
        assert ids[len(ids) - (len(whole) - place - 1) :] == whole[place + 1 :]

    def test_a_space_before_texts_and_after_special_tokens(self) -> None:
        indented = self.theirs.encode("a")
        bare = [self.theirs.piece_to_id("a")]
        assert self.theirs.piece_to_id("▁a") == indented[0]
        assert self.mine.encode("a</s>a", special=True) == [1, *indented, 2, *indented]
        assert self.mine.encode("a", joined=True, bos=False) == bare
        plain = tokenizer_of("x", spm_metadata(SPM, add_space_prefix=False))
        assert plain.encode("a") == [1, *bare]
        assert plain.decode(plain.encode(" a")) == " a"
        assert self.mine.decode([1, *indented]) == "a"

    def test_control_tokens_are_never_merged_from_text(self) -> None:
        for text in ("<s>", "</s>", "<unk>", "<0x41>"):
            ids = self.mine.encode(text, bos=False)
            assert not {0, 1, 2} & set(ids)
            assert self.mine.decode(ids) == text

    def test_user_defined_pieces_may_spell_spaces_either_way(self) -> None:
        for spelled in ("▁▁▁", "   "):
            metadata = spm_metadata(SPM, add_space_prefix=False)
            metadata["tokenizer.ggml.tokens"].append(spelled)
            metadata["tokenizer.ggml.scores"].append(0.0)
            metadata["tokenizer.ggml.token_type"].append(4)
            mine = tokenizer_of("x", metadata)
            last = mine.vocab_size - 1
            assert mine.encode("a   b", bos=False)[1] == last
            assert mine.decode([last]) == "   "


class TestDamage:
    @pytest.mark.parametrize(
        ("changes", "kind", "message"),
        [
            ({"model": "no_vocab"}, TokenizerError, "holds no tokenizer.*--tokenizer"),
            ({"model": "bert"}, TokenizerError, "is 'bert'; supported are 'llama', 'gpt2'"),
            ({"pre": "no-such"}, TokenizerError, "is 'no-such', a way to split"),
            ({"tokens": []}, FormatError, "tokens is missing or empty"),
            ({"tokens": 5}, FormatError, "expected a list of strings"),
            ({"merges": ["ab"]}, FormatError, "merge 0 is 'ab', expected two pieces"),
            ({"merges": ["a "]}, FormatError, "merge 0 is 'a ', expected two pieces"),
            ({"merges": ["zzz q"]}, TokenizerError, "merge 0 .* has no 'zzz'"),
            ({"token_type": [1]}, FormatError, "token_type is 1, expected"),
            ({"add_bos_token": "yes"}, FormatError, "add_bos_token is 'yes', expected true"),
        ],
    )
    def test_bpe(self, changes: dict[str, Any], kind: type[RungError], message: str) -> None:
        with pytest.raises(kind, match=message):
            tokenizer_of("x.gguf", bpe_metadata(**changes))

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"scores": [1.0]}, "scores is 1, expected 500"),
            ({"scores": None}, "scores is"),
            ({"scores": [float("nan")] * 500}, "score of token 0 is nan, expected finite"),
        ],
    )
    def test_scores(self, changes: dict[str, Any], message: str) -> None:
        with pytest.raises(FormatError, match=message):
            tokenizer_of("x.gguf", spm_metadata(SPM, **changes))

    def test_a_missing_pre_tokenizer_is_an_error_but_for_gpt2(self) -> None:
        with pytest.raises(TokenizerError, match=r"pre is missing.*tokenizer\.json"):
            tokenizer_of("x", bpe_metadata(None))
        gpt2 = bpe_metadata(None) | {"general.architecture": "gpt2"}
        expected = tokenizer_of("x", bpe_metadata("gpt-2"))
        assert tokenizer_of("x", gpt2).encode("a 123 b") == expected.encode("a 123 b")

    def test_special_ids_outside_the_vocabulary_are_none(self) -> None:
        for wrong in (-1, 1 << 40, "x", None):
            tokenizer = tokenizer_of("x", bpe_metadata(bos_token_id=wrong))
            assert tokenizer.bos_id is None


def test_a_vocabulary_of_150_000_tokens_loads_quickly() -> None:
    metadata = _large_metadata()
    start = time.perf_counter()
    tokenizer = tokenizer_of("x", metadata)
    ids = tokenizer.encode("the quick brown fox")
    assert time.perf_counter() - start < 5  # 0.6 s on 2 cores
    assert tokenizer.decode(ids) == "the quick brown fox"


def _large_metadata() -> dict[str, Any]:
    """A chain of pairs, as large as the vocabulary of Qwen 2."""
    letters = list(ALPHABET)
    pieces = list(letters)
    merges = []
    known = set(pieces)
    index = 0
    while len(pieces) < 150_000:
        left, right = pieces[index // 256], letters[index % 256]
        index += 1
        if left + right not in known:
            known.add(left + right)
            pieces.append(left + right)
            merges.append(f"{left} {right}")
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "qwen2",
        "tokenizer.ggml.tokens": pieces,
        "tokenizer.ggml.merges": merges,
    }


def test_the_template_comes_along() -> None:
    metadata = bpe_metadata() | {"tokenizer.chat_template": "{{ messages }}"}
    tokenizer: Tokenizer = tokenizer_of("x", metadata)
    assert tokenizer.chat_template == "{{ messages }}"
