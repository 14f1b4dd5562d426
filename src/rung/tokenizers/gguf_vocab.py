"""The tokenizer in the metadata of a GGUF file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from rung.errors import FormatError, TokenizerError
from rung.tokenizers.base import Tokenizer
from rung.tokenizers.byte_level import ByteLevelTokenizer
from rung.tokenizers.endings import text_endings
from rung.tokenizers.pieces import Vocabulary
from rung.tokenizers.sentencepiece_bpe import SentencePieceTokenizer
from rung.tokenizers.splitting import SPLITTINGS, Splitting

_KEY = "tokenizer.ggml."
MODEL = _KEY + "model"
_NO_KIND = ("none", "no_vocab")  # what files without a tokenizer say
_TEMPLATE = "tokenizer.chat_template"


T = TypeVar("T")


def holds_tokenizer(metadata: Mapping[str, Any]) -> bool:
    """Whether there is a tokenizer in `metadata`, of whatever kind."""
    return metadata.get(MODEL) not in (None, *_NO_KIND)


class TokenType(IntEnum):
    """What `tokenizer.ggml.token_type` says of a token."""

    NORMAL = 1
    UNKNOWN = 2
    CONTROL = 3
    USER_DEFINED = 4
    UNUSED = 5
    BYTE = 6


def tokenizer_of(path: object, metadata: Mapping[str, Any]) -> Tokenizer:
    """The tokenizer that `metadata` describes; `path` is named in errors.

    Raises TokenizerError for metadata without a tokenizer, or with one of a kind that is not
    supported; FormatError for fields that contradict each other.
    """
    fields = _Fields(path, metadata)
    kind = fields.text("model")
    if kind is None or kind in _NO_KIND:
        raise TokenizerError(
            f"{path} holds no tokenizer ({MODEL} is {kind or 'missing'}); name one with --tokenizer"
        )
    if kind not in _READERS:
        raise TokenizerError(
            f"{path}: {MODEL} is {kind!r}; supported are {', '.join(map(repr, _READERS))}"
        )
    tokenizer = _READERS[kind](fields)
    template = metadata.get(_TEMPLATE)
    tokenizer.chat_template = template if isinstance(template, str) else None
    return tokenizer


class _Fields:
    """Checked access to the metadata of a tokenizer."""

    def __init__(self, path: object, metadata: Mapping[str, Any]) -> None:
        self.path = path
        self._metadata = metadata
        self.pieces = self._strings("tokens")
        if not self.pieces and self.text("model") in _READERS:
            raise FormatError(path, _KEY + "tokens", "missing or empty", "a list of tokens")
        self.types = self._types()

    def text(self, name: str) -> str | None:
        return self._value(_KEY + name, str, "text")

    def name_of_model(self) -> str:
        name = self._metadata.get("general.name")
        return name.lower() if isinstance(name, str) else ""

    def architecture(self) -> str | None:
        return self._value("general.architecture", str, "text")

    def flag(self, name: str, default: bool) -> bool:
        value = self._value(_KEY + name, bool, "true or false")
        return default if value is None else value

    def token(self, name: str, default: int | None = None) -> int | None:
        """An id of the vocabulary. An id outside it is no id, as writers use -1 for none."""
        value = self._metadata.get(f"{_KEY}{name}_token_id", default)
        if value is None or isinstance(value, bool) or not isinstance(value, (int, np.integer)):
            return None
        return int(value) if 0 <= value < len(self.pieces) else None

    def scores(self) -> NDArray[np.float32]:
        values = self._metadata.get(_KEY + "scores")
        try:
            scores = np.asarray(values, np.float32)
        except (TypeError, ValueError):
            scores = np.empty(0, np.float32)
        self._check_count("scores", scores.size)
        if not np.isfinite(scores).all():
            token = int(np.isfinite(scores).argmin())
            raise FormatError(self.path, f"score of token {token}", scores[token], "finite")
        return scores

    def merges(self) -> list[tuple[str, str]]:
        pairs = []
        for index, merge in enumerate(self._strings("merges")):
            space = merge.find(" ", 1)
            if not 0 < space < len(merge) - 1:
                raise FormatError(self.path, f"merge {index}", repr(merge), "two pieces")
            pairs.append((merge[:space], merge[space + 1 :]))
        return pairs

    def of_type(self, *types: TokenType) -> frozenset[int]:
        return frozenset(np.flatnonzero(np.isin(self.types, types)).tolist())

    def _types(self) -> NDArray[np.int64]:
        values = self._metadata.get(_KEY + "token_type")
        if values is None:
            return np.full(len(self.pieces), TokenType.NORMAL, np.int64)
        try:
            types = np.asarray(values, np.int64)
        except (TypeError, ValueError, OverflowError):
            types = np.empty(0, np.int64)
        self._check_count("token_type", types.size)
        return types

    def _check_count(self, name: str, found: int) -> None:
        if found != len(self.pieces):
            expected = f"{len(self.pieces)}, one for each token"
            raise FormatError(self.path, f"number of {_KEY}{name}", found, expected)

    def _strings(self, name: str) -> Sequence[str]:
        values = self._metadata.get(_KEY + name, [])
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise FormatError(self.path, _KEY + name, "something else", "a list of strings")
        return values

    def _value(self, key: str, kind: type[T], expected: str) -> T | None:
        value = self._metadata.get(key)
        if value is not None and not isinstance(value, kind):
            raise FormatError(self.path, key, repr(value)[:60], expected)
        return value


def _vocabulary(fields: _Fields, *, bos: int | None, eos: int | None, add_bos: bool) -> Vocabulary:
    eos_id = fields.token("eos", eos)
    given = (eos_id, fields.token("eot"), fields.token("eom"))
    endings = text_endings(fields.pieces)
    # Files exist that call their end of turn a normal token; text must not yield it.
    control = fields.of_type(TokenType.CONTROL, TokenType.UNKNOWN) | endings
    return Vocabulary(
        pieces=fields.pieces,
        control=control,
        added=fields.of_type(TokenType.USER_DEFINED) - control,
        swallowing=_swallowing(fields, control),
        bos_id=fields.token("bos", bos),
        eos_id=eos_id,
        eos_ids=endings | frozenset(token for token in given if token is not None),
        add_bos=fields.flag("add_bos_token", add_bos),
    )


def _swallowing(fields: _Fields, control: frozenset[int]) -> frozenset[str]:
    """Phi-3's tokens take the white space after them along; the file has no field to say so."""
    if not any(name in fields.name_of_model() for name in ("phi-3", "phi3")):
        return frozenset()
    tokens = control | fields.of_type(TokenType.USER_DEFINED)
    spelled = frozenset(fields.pieces[token] for token in tokens)
    return spelled - {"<unk>", "<s>", "<|endoftext|>"}


def _sentencepiece(fields: _Fields) -> Tokenizer:
    vocabulary = _vocabulary(fields, bos=1, eos=2, add_bos=True)
    return SentencePieceTokenizer(
        vocabulary,
        fields.scores(),
        unused=fields.of_type(TokenType.UNUSED),
        byte_tokens=fields.of_type(TokenType.BYTE),
        unknown_id=fields.token("unknown", 0),
        space_prefix=fields.flag("add_space_prefix", True),
    )


def _byte_level(fields: _Fields) -> Tokenizer:
    splitting = _splitting(fields)
    vocabulary = _vocabulary(fields, bos=None, eos=None, add_bos=splitting.add_bos)
    return ByteLevelTokenizer(vocabulary, fields.merges(), splitting)


def _splitting(fields: _Fields) -> Splitting:
    name = fields.text("pre")
    if name is None and fields.architecture() == "gpt2":
        name = "gpt-2"  # files older than the field; the family has only one
    if name is None:
        raise TokenizerError(
            f"{fields.path}: {_KEY}pre is missing, and without it the tokens would be wrong; name "
            "the model's tokenizer.json with --tokenizer, or convert the model anew"
        )
    if name not in SPLITTINGS:
        raise TokenizerError(
            f"{fields.path}: {_KEY}pre is {name!r}, a way to split text that is not supported; "
            "name the model's tokenizer.json with --tokenizer"
        )
    return SPLITTINGS[name]


_READERS: Mapping[str, Callable[[_Fields], Tokenizer]] = {
    "llama": _sentencepiece,
    "gpt2": _byte_level,
}
